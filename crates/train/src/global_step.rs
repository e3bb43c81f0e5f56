//! Counting training steps.

use abeyance_graph::raw::{AnyTensorExt, GraphExt};
use abeyance_graph::{Graph, Scalar};
use abeyance_ir::{DType, Effect};

use crate::naming::enter_state;

/// The variable `global_step`, an `i64` that starts at 0: the one of the graph if there is one,
/// else a new one.
///
/// [`minimize_counting`](crate::Optimizer::minimize_counting) counts in it, and schedules such as
/// [`exponential_decay`](crate::exponential_decay) read it. Its value during the n-th step, counted
/// from 0, is n.
#[track_caller]
pub fn global_step(graph: &Graph) -> Scalar<'_, i64> {
    let _call = graph.call("global_step");
    let found = {
        let ir = graph.ir();
        ir.find("global_step").filter(|&id| {
            let node = ir.node(id);
            let is_number =
                |ty: &abeyance_ir::TensorType| ty.dtype == DType::I64 && ty.shape.is_empty();
            node.operator.signature().effect == Effect::Read
                && node.ty.tensor().is_some_and(is_number)
        })
    };
    match found {
        Some(id) => graph.any(id).assume().into(),
        None => {
            let _scope = enter_state(graph, "");
            graph.state("global_step", 0i64).into()
        }
    }
}
