//! Activations of neural networks besides `relu`, `sigmoid` and `tanh`: `leaky_relu`, `elu`,
//! `selu`, `softplus`, and `silu` and `gelu`, which are built from others.

use abeyance_ir::{
    AttributeSet, Cotangents, Derivation, Differentiability, Domain, Fault, Fusibility, Inference,
    Lowered, Lowering, Operator, Sample, Signature, Type, attributes,
};
use abeyance_kernels::element::{Element as Stored, Number as _};

use super::unary::{FLOAT, USUAL, Unary, map, real, shapes, unary_methods};
use super::with_float;
use crate::{Expr, Float, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&LeakyRelu, &ELU, &SELU, &SOFTPLUS];

attributes! {
    /// The slope of a [`LeakyRelu`].
    pub struct LeakyReluAttributes {
        /// Factor of elements that are not positive.
        alpha: f64 = 0.2,
    }
}

/// x where it is positive, else alpha·x. Gradient: the cotangent where x > 0, else alpha times it
/// (so at 0).
pub struct LeakyRelu;

impl Operator for LeakyRelu {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("leaky_relu", "x where it is positive, else alpha times x", FLOAT)
                .attributes(LeakyReluAttributes::SPECS)
                .differentiability(Differentiability::Piecewise)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.shape(0);
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let LeakyReluAttributes { alpha } = cx.attributes();
        let x = cx.operand(0);
        let reduced = cx.chain(x.number(alpha));
        Ok(cx.only(x.greater(0.0).select(cx.cotangent(), reduced)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let LeakyReluAttributes { alpha } = cx.attributes();
        with_float!(cx.result.dtype, T => {
            let alpha = <T as Stored>::from_f64(alpha);
            Ok(map::<T, T>(cx, 2.0, #[inline(always)] move |x| if x > T::ZERO { x } else { x * alpha }).into())
        })
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::Elementwise
    }

    fn samples(&self) -> Vec<Sample> {
        let with_alpha = |mut sample: Sample| {
            sample.attributes = LeakyReluAttributes { alpha: 0.3 }.into();
            sample
        };
        shapes(Domain::AwayFromZero).into_iter().map(with_alpha).collect()
    }
}

/// x where it is positive, else eˣ - 1. Gradient: the cotangent where x ≥ 0, else eˣ times it.
pub static ELU: Unary = Unary {
    signature: Signature::new("elu", "x where it is positive, else exp(x) - 1", FLOAT)
        .differentiability(Differentiability::Piecewise),
    lower: real!(22.0, |x| {
        // The exponential of what is cut to 0 cannot overflow.
        let low = x.least(T::ZERO).exp_m1();
        if x > T::ZERO { x } else { low }
    }),
    gradient: |cx| exponential_below_zero(cx, 1.0, 1.0),
    domain: Domain::AwayFromZero,
};

/// How much [`SELU`] stretches its positive side, and what its negative side approaches over that.
/// From the authors' code, which TensorFlow took over.
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

/// scale·x where x is positive, else scale·alpha·(eˣ - 1), with the two numbers for which
/// activations keep mean 0 and variance 1. Gradient: the cotangent times scale where x ≥ 0, else
/// times scale·alpha·eˣ.
pub static SELU: Unary = Unary {
    signature: Signature::new("selu", "a scaled elu, which keeps mean 0 and variance 1", FLOAT)
        .differentiability(Differentiability::Piecewise),
    lower: real!(24.0, |x| {
        let (scale, slope) = (T::from_f64(SELU_SCALE), T::from_f64(SELU_SCALE * SELU_ALPHA));
        let low = slope * x.least(T::ZERO).exp_m1();
        if x > T::ZERO { scale * x } else { low }
    }),
    gradient: |cx| exponential_below_zero(cx, SELU_SCALE, SELU_SCALE * SELU_ALPHA),
    domain: Domain::AwayFromZero,
};

/// The cotangent times `above` where x ≥ 0, else times `below`·eˣ.
fn exponential_below_zero<'c>(cx: &'c Derivation<'_>, above: f64, below: f64) -> Expr<'c> {
    let x = cx.operand(0);
    let zero = x.number(0.0);
    let exponential = x.minimum(zero).exp();
    let slope = if below == 1.0 { exponential } else { exponential * below };
    // At 0 the slope is that from above, as TensorFlow has it; of NaN it is NaN.
    cx.chain(x.greater_equal(zero).select(above, slope))
}

/// ln(1 + eˣ). Gradient: the cotangent times 1 / (1 + e⁻ˣ).
pub static SOFTPLUS: Unary = Unary {
    signature: Signature::new("softplus", "log(1 + exp(x))", FLOAT),
    lower: real!(45.0, |x| x.softplus()),
    gradient: |cx| cx.chain(cx.operand(0).sigmoid()),
    domain: USUAL,
};

unary_methods! {
    /// x where it is positive, else eˣ - 1.
    elu ELU;
    /// A scaled `elu`, which keeps mean 0 and variance 1.
    selu SELU;
    /// ln(1 + eˣ), without overflow.
    softplus SOFTPLUS;
}

impl<'g> Expr<'g> {
    /// x where it is positive, else `alpha`·x.
    pub fn leaky_relu(self, alpha: f64) -> Self {
        self.apply(&LeakyRelu, LeakyReluAttributes { alpha })
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// x where it is positive, else `alpha`·x; TensorFlow's default is 0.2. Its derivative at 0 is
    /// taken to be `alpha`. Maas, Hannun, Ng: *Rectifier nonlinearities improve neural network
    /// acoustic models*, 2013.
    #[track_caller]
    pub fn leaky_relu(self, alpha: f64) -> Tensor<'g, T> {
        self.map(|x| x.leaky_relu(alpha))
    }

    /// x where it is positive, else eˣ - 1. Clevert, Unterthiner, Hochreiter: *Fast and accurate
    /// deep network learning by exponential linear units*, 2015.
    #[track_caller]
    pub fn elu(self) -> Tensor<'g, T> {
        self.map(|x| x.elu())
    }

    /// 1.0507·x where x is positive, else 1.7581·(eˣ - 1): an [`elu`](Tensor::elu) scaled such that
    /// activations keep mean 0 and variance 1. Its derivative at 0 is taken to be 1.0507.
    /// Klambauer, Unterthiner, Mayr, Hochreiter: *Self-normalizing neural networks*, 2017.
    #[track_caller]
    pub fn selu(self) -> Tensor<'g, T> {
        self.map(|x| x.selu())
    }

    /// ln(1 + eˣ), a smooth [`relu`](Tensor::relu), without overflow.
    #[track_caller]
    pub fn softplus(self) -> Tensor<'g, T> {
        self.map(|x| x.softplus())
    }

    /// x / (1 + e⁻ˣ), also called swish: `x * x.sigmoid()`. Ramachandran, Zoph, Le: *Searching for
    /// activation functions*, 2017.
    #[track_caller]
    pub fn silu(self) -> Tensor<'g, T> {
        let _call = self.graph().call("silu");
        self.graph().within("silu", || self * self.sigmoid())
    }

    /// x·Φ(x), where Φ is the distribution function of the normal distribution:
    ///
    /// ```text
    /// x / 2 · erfc(-x / √2)                               exactly
    /// x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))    approximately
    /// ```
    ///
    /// The approximation is within 5e-4 of the function. Hendrycks, Gimpel: *Gaussian error linear
    /// units*, 2016; TensorFlow's `gelu(approximate=..)`. The exact form is written with `erfc`,
    /// which keeps its digits for negative x.
    #[track_caller]
    pub fn gelu(self, approximate: bool) -> Tensor<'g, T> {
        let _call = self.graph().call("gelu");
        let number = T::from_f64;
        self.graph().within("gelu", || {
            let weight = if approximate {
                // Beyond ±100 the tangent is ±1, and the cube of what is far beyond would overflow.
                let [low, high] = [-100.0, 100.0].map(|bound| self.graph().constant(number(bound)));
                let near = self.clip_by_value(low, high);
                let cubic = near * near.square() * number(0.044715) + near;
                (cubic * number((2.0 / std::f64::consts::PI).sqrt())).tanh() + number(1.0)
            } else {
                (self * number(-std::f64::consts::FRAC_1_SQRT_2)).erfc()
            };
            self * number(0.5) * weight
        })
    }
}
