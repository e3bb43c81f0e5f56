//! Random first values whose spread follows from the size of the layer, so that signals keep theirs
//! from layer to layer.

use abeyance_ir::Initializer;

use crate::{Dimensions, Float, Init};

/// By which number of connections the variance is divided: TensorFlow's `mode`.
///
/// Of a dense kernel `[in, out]` the fans are `in` and `out`, of a filter `[H, W, in, out]` they
/// are `H·W·in` and `H·W·out`, and so on with any number of sizes in front; of a vector `[n]` both
/// are `n`, of a scalar 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fan {
    /// Inputs of an output: activations keep their variance.
    In,
    /// Outputs of an input: gradients keep theirs.
    Out,
    /// The mean of both.
    Average,
}

/// The distribution that [`variance_scaling`] draws from: TensorFlow's `distribution`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Normal, redrawn outside two standard deviations, and widened so that the variance is right
    /// after that.
    TruncatedNormal,
    /// Normal.
    Normal,
    /// Even.
    Uniform,
}

/// A first value before the shape is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VarianceScaling {
    scale: f64,
    fan: Fan,
    distribution: Distribution,
}

/// The standard deviation of a standard normal distribution cut off at ±2: TensorFlow's constant,
/// from `scipy.stats.truncnorm.std(a=-2, b=2, loc=0., scale=1.)`.
const CUT_OFF_STDDEV: f64 = 0.879_625_661_034_239_8;

impl VarianceScaling {
    /// The first value for a shape, or what is wrong with the numbers.
    pub(crate) fn resolve(self, dims: &[usize]) -> Result<Initializer, String> {
        if !(self.scale > 0.0 && self.scale < f64::INFINITY) {
            return Err(format!(
                "the variance cannot be scaled by {:?}, which is not a positive number",
                self.scale
            ));
        }
        let (fan_in, fan_out) = fans(dims);
        let fan = match self.fan {
            Fan::In => fan_in,
            Fan::Out => fan_out,
            Fan::Average => (fan_in + fan_out) / 2.0,
        };
        let variance = self.scale / fan.max(1.0);
        Ok(match self.distribution {
            Distribution::TruncatedNormal => {
                Initializer::TruncatedNormal { mean: 0.0, stddev: variance.sqrt() / CUT_OFF_STDDEV }
            }
            Distribution::Normal => Initializer::Normal { mean: 0.0, stddev: variance.sqrt() },
            Distribution::Uniform => {
                let limit = (3.0 * variance).sqrt();
                Initializer::Uniform { low: -limit, high: limit }
            }
        })
    }
}

/// TensorFlow's `_compute_fans`, in floats so that no product overflows.
fn fans(dims: &[usize]) -> (f64, f64) {
    match *dims {
        [] => (1.0, 1.0),
        [size] => (size as f64, size as f64),
        [ref receptive @ .., inputs, outputs] => {
            let receptive: f64 = receptive.iter().map(|&size| size as f64).product();
            (receptive * inputs as f64, receptive * outputs as f64)
        }
    }
}

/// Random numbers around 0 with variance `scale / n`, where n is the number of connections that
/// `fan` says, at least 1: TensorFlow's `variance_scaling_initializer`.
///
/// ```text
/// TruncatedNormal   stddev √(scale / n) / 0.8796 before cutting at two of them
/// Normal            stddev √(scale / n)
/// Uniform           within ±√(3 scale / n)
/// ```
///
/// The numbers are worked out when a variable is made, and printed and saved as those of
/// `truncated_normal`, `normal` or `uniform`. It is a mistake if `scale` is not positive.
pub fn variance_scaling<T: Float>(
    shape: impl Into<Dimensions>,
    scale: f64,
    fan: Fan,
    distribution: Distribution,
) -> Init<T> {
    Init::scaled(shape, VarianceScaling { scale, fan, distribution })
}

/// Evenly distributed within ±√(6 / (fan_in + fan_out)): TensorFlow's `glorot_uniform_initializer`
/// and the default of its layers, for tanh and sigmoid. Glorot and Bengio, *Understanding the
/// difficulty of training deep feedforward neural networks* (2010). See [`variance_scaling`].
///
/// ```
/// use abeyance_graph::{dims, glorot_uniform, Graph};
/// let g = Graph::new();
/// let w = g.variable::<f32>("w", glorot_uniform(dims![200, 400]));
/// assert!(g.to_string().contains("uniform(-0.1, 0.1)"));
/// # let _ = w;
/// ```
pub fn glorot_uniform<T: Float>(shape: impl Into<Dimensions>) -> Init<T> {
    variance_scaling(shape, 1.0, Fan::Average, Distribution::Uniform)
}

/// Truncated normal with variance 2 / (fan_in + fan_out): TensorFlow's `glorot_normal_initializer`.
/// See [`glorot_uniform`] and [`variance_scaling`].
pub fn glorot_normal<T: Float>(shape: impl Into<Dimensions>) -> Init<T> {
    variance_scaling(shape, 1.0, Fan::Average, Distribution::TruncatedNormal)
}

/// Evenly distributed within ±√(6 / fan_in): TensorFlow's `he_uniform`, for relu. He, Zhang, Ren
/// and Sun, *Delving Deep into Rectifiers* (2015). See [`variance_scaling`].
pub fn he_uniform<T: Float>(shape: impl Into<Dimensions>) -> Init<T> {
    variance_scaling(shape, 2.0, Fan::In, Distribution::Uniform)
}

/// Truncated normal with variance 2 / fan_in: TensorFlow's `he_normal`, for relu. See
/// [`he_uniform`] and [`variance_scaling`].
pub fn he_normal<T: Float>(shape: impl Into<Dimensions>) -> Init<T> {
    variance_scaling(shape, 2.0, Fan::In, Distribution::TruncatedNormal)
}

/// Evenly distributed within ±√(3 / fan_in): TensorFlow's `lecun_uniform`. LeCun, Bottou, Orr and
/// Müller, *Efficient BackProp* (1998). See [`variance_scaling`].
pub fn lecun_uniform<T: Float>(shape: impl Into<Dimensions>) -> Init<T> {
    variance_scaling(shape, 1.0, Fan::In, Distribution::Uniform)
}

/// Truncated normal with variance 1 / fan_in: TensorFlow's `lecun_normal`. See [`lecun_uniform`]
/// and [`variance_scaling`].
pub fn lecun_normal<T: Float>(shape: impl Into<Dimensions>) -> Init<T> {
    variance_scaling(shape, 1.0, Fan::In, Distribution::TruncatedNormal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::source::VariableAttributes;
    use crate::{Graph, dims};

    /// The initializer of a variable with that first value.
    fn resolved(init: Init<f64>) -> Initializer {
        let g = Graph::new();
        let w = g.variable("w", init);
        g.check().unwrap();
        let ir = g.ir();
        ir.node(w.id()).attributes.read::<VariableAttributes>().initial
    }

    fn normal(variance: f64) -> Initializer {
        Initializer::TruncatedNormal { mean: 0.0, stddev: variance.sqrt() / 0.8796256610342398 }
    }

    fn uniform(limit: f64) -> Initializer {
        Initializer::Uniform { low: -limit, high: limit }
    }

    #[test]
    fn a_dense_kernel_has_its_sizes_for_fans() {
        let shape = || dims![784, 200];
        assert_eq!(resolved(he_normal(shape())), normal(2.0 / 784.0));
        assert_eq!(resolved(he_uniform(shape())), uniform((6.0f64 / 784.0).sqrt()));
        assert_eq!(resolved(lecun_normal(shape())), normal(1.0 / 784.0));
        assert_eq!(resolved(lecun_uniform(shape())), uniform((3.0f64 / 784.0).sqrt()));
        assert_eq!(resolved(glorot_normal(shape())), normal(1.0 / 492.0));
        assert_eq!(resolved(glorot_uniform(shape())), uniform((3.0f64 / 492.0).sqrt()));
    }

    #[test]
    fn a_filter_counts_its_window() {
        let shape = || dims![5, 4, 8, 12];
        assert_eq!(resolved(he_normal(shape())), normal(2.0 / 160.0));
        assert_eq!(resolved(glorot_normal(shape())), normal(1.0 / 200.0));
        let out = variance_scaling(shape(), 3.0, Fan::Out, Distribution::Normal);
        let stddev = (3.0f64 / 240.0).sqrt();
        assert_eq!(resolved(out), Initializer::Normal { mean: 0.0, stddev });
    }

    #[test]
    fn vectors_scalars_and_nothing_have_fans_too() {
        assert_eq!(resolved(lecun_normal(dims![16])), normal(1.0 / 16.0));
        assert_eq!(resolved(lecun_normal(dims![])), normal(1.0));
        assert_eq!(resolved(lecun_normal(dims![0, 3])), normal(1.0));
        assert_eq!(resolved(glorot_normal(dims![0, 3])), normal(1.0 / 1.5));
    }

    #[test]
    fn sizes_may_be_those_of_another_tensor() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 784]);
        let w = g.variable::<f32>("w", he_normal(dims![x.dim(-1), 10]));
        g.check().unwrap();
        let ir = g.ir();
        let first = ir.node(w.id()).attributes.read::<VariableAttributes>().initial;
        assert_eq!(first, normal(2.0 / 784.0));
    }

    #[test]
    fn mistakes_are_told_once() {
        let g = Graph::new();
        g.variable::<f32>("w", he_normal(dims![_, 10]));
        g.variable::<f32>("v", variance_scaling(dims![3], -1.0, Fan::In, Distribution::Normal));
        g.variable::<f32>("u", variance_scaling(dims![3], f64::NAN, Fan::In, Distribution::Normal));
        g.variable::<f32>("z", crate::truncated_normal(dims![3], 0.0, -0.5));
        let mistakes = g.check().unwrap_err();
        let told: Vec<&str> = mistakes.iter().map(|told| &*told.message).collect();
        assert_eq!(told.len(), 4, "{mistakes}");
        assert!(told[0].contains("is not known in full"), "{}", told[0]);
        assert!(told[1].contains("cannot be scaled by -1.0"), "{}", told[1]);
        assert!(told[2].contains("cannot be scaled by NaN"), "{}", told[2]);
        assert!(told[3].contains("stddev = -0.5 is negative"), "{}", told[3]);
    }
}
