//! Dropout, built from a random tensor, a comparison and a `select`: it has no operator of its own.

use abeyance_ir::{Fault, Graph as Ir, NodeId};

use super::source::{Constant, ConstantAttributes};
use crate::{Float, Operand, Tensor};

/// The value of a scalar float constant.
fn constant_value(graph: &Ir, id: NodeId) -> Option<f64> {
    let node = graph.node(id);
    if !node.is(&Constant) {
        return None;
    }
    let ConstantAttributes { value } = node.attributes.read();
    match value.dtype {
        abeyance_ir::DType::F32 => value.elements::<f32>().first().copied().map(f64::from),
        abeyance_ir::DType::F64 => value.elements::<f64>().first().copied(),
        _ => None,
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// Keeps each element with probability `keep`, a scalar, and then scales it by 1 / `keep`; the
    /// others become 0:
    ///
    /// `select(u < keep, x / keep, 0)` with u evenly distributed in [0, 1), drawn anew for each
    /// element at each run.
    ///
    /// The expected value is x, so that nothing has to change where the network is used: there
    /// `keep` is 1, which gives x itself, bit by bit. To switch between the two, feed it:
    /// `g.placeholder_with_default("keep", 1.0)`.
    ///
    /// TensorFlow 1's `nn.dropout(x, keep_prob)`. The layer `dropout` of `abeyance::layers` is told
    /// the fraction to drop instead, as `layers.dropout(x, rate)` is there: 1 - `keep`.
    ///
    /// A constant outside (0, 1] is a mistake; what is fed is not checked. Srivastava, Hinton,
    /// Krizhevsky, Sutskever, Salakhutdinov: *Dropout: a simple way to prevent neural networks from
    /// overfitting*, 2014; the scaling is TensorFlow's.
    #[track_caller]
    pub fn dropout_keeping(self, keep: impl Operand<'g, T>) -> Tensor<'g, T> {
        let this = self.beside(keep);
        let graph = this.graph();
        let _call = graph.call("dropout_keeping");
        let _scope = graph.scope("dropout");
        let keep = keep.node(graph);
        let (value, wrong) = {
            let graph = graph.ir();
            let shape = graph.shape(keep).unwrap_or_default();
            let wrong = (!shape.is_empty()).then(|| graph.describe(keep));
            (constant_value(&graph, keep), wrong)
        };
        if let Some(wrong) = wrong {
            return this.fault(Fault::new(format!(
                "dropout_keeping: the probability to keep an element has to be a scalar, not `{wrong}`"
            )));
        }
        // Also if it is NaN.
        if let Some(value) = value
            && !(value > 0.0 && value <= 1.0)
        {
            return this.fault(
                Fault::new(format!(
                    "dropout_keeping: {value} is not a probability to keep an element"
                ))
                .help("it has to be above 0 and at most 1, which keeps everything"),
            );
        }
        this.map(|x| {
            let keep = x.at(keep);
            let kept = x.random_uniform(T::DTYPE, x.shape(), 0.0, 1.0).less(keep);
            kept.select(x / keep, 0.0)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn it_is_nodes_in_a_scope_of_their_own() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        let keep = g.placeholder_with_default("keep", 1.0f32);
        assert_eq!(x.dropout_keeping(keep).to_string(), "dropout/select : f32[N, 3]");
        assert_eq!(x.dropout_keeping(0.5).to_string(), "dropout_1/select : f32[N, 3]");
        g.check().unwrap();
    }

    #[test]
    fn a_constant_that_is_no_probability_is_a_mistake() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        for keep in [0.0, -1.0, 1.5, f32::NAN] {
            x.dropout_keeping(keep);
        }
        x.dropout_keeping(g.ones::<f32>(dims![3]));
        let message = g.check().unwrap_err().to_string();
        assert!(message.contains("dropout_keeping: 1.5 is not a probability to keep an element"));
        assert!(message.contains("has to be a scalar, not `fill : f32[3]`"));
        assert!(message.contains("ops/dropout.rs"));
        assert_eq!(g.check().unwrap_err().0.len(), 5);
    }
}
