//! Dropout, built from a random tensor, a comparison and a `select`: it has no operator of its own.

use abeyance_ir::{Fault, Graph as Ir, NodeId};

use super::{binary, comparison, random, scalar_like, select};
use crate::{Float, Operand, Tensor};

/// The value of a scalar float constant.
fn constant_value(graph: &Ir, id: NodeId) -> Option<f64> {
    let node = graph.node(id);
    let value = match node.operator.signature().name {
        "constant" => node.attributes.array(0)?,
        _ => return None,
    };
    match value.dtype {
        abeyance_ir::DType::F32 => value.elements::<f32>().first().copied().map(f64::from),
        abeyance_ir::DType::F64 => value.elements::<f64>().first().copied(),
        _ => None,
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// Keeps each element with probability `keep`, a scalar, and then scales it by 1 / `keep`; the others become 0:
    ///
    /// `select(u < keep, x / keep, 0)` with u evenly distributed in [0, 1), drawn anew for each element at each run.
    ///
    /// The expected value is x, so that nothing has to change where the network is used: there `keep` is 1, which gives
    /// x itself, bit by bit. To switch between the two, feed it: `g.placeholder_with_default("keep", 1.0)`.
    ///
    /// A constant outside (0, 1] is a mistake; what is fed is not checked. Srivastava, Hinton, Krizhevsky, Sutskever,
    /// Salakhutdinov: *Dropout: a simple way to prevent neural networks from overfitting*, 2014; the scaling is TensorFlow's.
    #[track_caller]
    pub fn dropout(self, keep: impl Operand<'g, T>) -> Tensor<'g, T> {
        let graph = self.graph();
        let _pin = graph.pin_location();
        let _scope = graph.scope("dropout");
        let keep = keep.node(graph);
        let (value, dimensions) = {
            let graph = graph.ir();
            let shape = graph.shape(keep).unwrap_or_default();
            (constant_value(&graph, keep), shape.len())
        };
        if dimensions > 0 {
            return self.fault(Fault::new(format!(
                "dropout: the probability to keep an element is a scalar, and has {dimensions} dimensions here"
            )));
        }
        // Also if it is NaN.
        if let Some(value) = value
            && !(value > 0.0 && value <= 1.0)
        {
            return self.fault(
                Fault::new(format!(
                    "dropout: {value} is not a probability to keep an element"
                ))
                .help("it has to be above 0 and at most 1, which keeps everything"),
            );
        }
        self.then(|graph, x| {
            let Some(shape) = graph.shape(x) else {
                return super::source::invalid(graph);
            };
            let uniform = random::random_uniform(graph, T::DTYPE, shape, 0.0, 1.0);
            let kept = comparison::less(graph, uniform, keep);
            let scaled = binary::div(graph, x, keep);
            let zero = scalar_like(graph, x, 0.0);
            select::select(graph, kept, scaled, zero)
        })
    }
}
