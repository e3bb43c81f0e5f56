//! Methods of graphs.

use abeyance::graph::Dimension;
use abeyance::ir::{Array, DType};
use abeyance::ndarray::array;
use abeyance::prelude::*;

use crate::operands::*;
use crate::{Row, calls, never_wrong};

const HUGE: usize = 1 << 40;

pub fn rows() -> Vec<Row> {
    [made_of_nothing(), made_of_tensors(), summaries(), bodies()].into_iter().flatten().collect()
}

fn made_of_nothing() -> Vec<Row> {
    let mut rows = calls! { g:
        "Graph::eye", g.eye::<f32>(3usize), g.eye::<f32>(HUGE);
        "Graph::random_uniform", g.random_uniform::<f32>(dims![2], 0.0, 1.0), g.random_uniform::<f32>(dims![_], 0.0, 1.0);
        "Graph::random_normal", g.random_normal::<f32>(dims![2], 0.0, 1.0), g.random_normal::<f32>(dims![_], 0.0, 1.0);
        "Graph::truncated_normal", g.truncated_normal::<f32>(dims![2], 0.0, 1.0), g.truncated_normal::<f32>(dims![_], 0.0, 1.0);
        "Graph::range", g.range(0.0f32, 3.0, 1.0), g.range(0.0f32, 3.0, 0.0);
        "Graph::range_of", g.range_of::<f32>(3usize), g.range_of::<f32>(Dimension::Unknown);
        "Graph::linspace", g.linspace(0.0f32, 1.0, 3), g.linspace(0.0f32, 1.0, usize::MAX);
        "Graph::placeholder", g.placeholder::<f32>("x", dims![_]), g.placeholder::<f32>("x", dims![HUGE, HUGE]);
        "Graph::placeholder_of", g.placeholder_of("x", DType::F32, dims![_]), g.placeholder_of("x", DType::F32, dims![HUGE, HUGE]);
        "Graph::log_uniform_candidates", g.log_uniform_candidates(3, 9, true), g.log_uniform_candidates(3, 2, true);
        "Graph::placeholder_with_default", g.placeholder_with_default("x", 1.0f32), g.placeholder_with_default("x", op::<f32>(g));
        "Graph::variable", g.variable::<f32>("w", zeros(dims![2])), g.variable::<f32>("w", zeros(dims![_]));
        "Graph::state", g.state::<f32>("w", zeros(dims![2])), g.state::<f32>("w", zeros(dims![_]));
        "Graph::fill", g.fill(dims![2], 1.0f32), g.fill(dims![_], 1.0f32);
        "Graph::zeros", g.zeros::<f32>(dims![2]), g.zeros::<f32>(dims![_]);
        "Graph::ones", g.ones::<f32>(dims![2]), g.ones::<f32>(dims![HUGE, HUGE]);
    };
    rows.extend(never_wrong! { g:
        "Graph::constant", g.constant(1.0f32);
        "Graph::constant_of", g.constant_of(Array::scalar(DType::F64, 1.0));
        "Graph::constant_array", g.constant_array(&array![1.0f32]);
        "Graph::no_op", g.no_op();
    });
    rows
}

fn made_of_tensors() -> Vec<Row> {
    calls! { g:
        "Graph::einsum", g.einsum("ij,kj->ik", [f(g), f(g)]), g.einsum("ij,jk->ik", [f(g), f(g)]);
        "Graph::einsum#2", g.einsum("ij->j", [f(g)]), g.einsum("ij,jk->ik", [f(g)]);
        "Graph::concat", g.concat([f(g), f(g)], 0), g.concat([f(g), four(g)], 0);
        "Graph::stack", g.stack([f(g), f(g)], 0), g.stack([g.zeros::<f32>(dims![7]), four(g)], 0);
        "Graph::stack#2", g.stack([f(g), f(g)], -1), g.stack([f(g), f(g)], 5);
        "Graph::stack#3", g.stack([f(g)], 0), g.stack(std::iter::empty::<Tensor<f32>>(), 0);
        "Graph::group", g.group([f(g)]), g.group([foreign(g)]);
        "Graph::after", g.after([f(g)]), g.after([foreign(g)]);
        "Graph::from_fn", g.from_fn("double", f(g), dims![2, 3], |x| Ok(&x * 2.0)), g.from_fn("", f(g), dims![2, 3], |x| Ok(&x * 2.0));
        "Graph::from_fn#2", g.from_fn("double", f(g), dims![2, 3], |x| Ok(&x * 2.0)), g.from_fn("double", f(g), dims![_, 3], |x| Ok(&x * 2.0));
        "Graph::call", { let _call = g.call("call"); f(g) + 1.0 }, { let _call = g.call("call"); f(g) + four(g) };
    }
}

fn summaries() -> Vec<Row> {
    calls! { g:
        "Summaries::scalar", g.summaries().scalar("loss", loss(g)), g.summaries().scalar("loss", f(g));
        "Summaries::scalar#2", g.summaries().scalar("loss", loss(g)), g.summaries().scalar("loss", foreign(g));
        "Summaries::histogram", g.summaries().histogram("w", f(g)), g.summaries().histogram("w", b(g));
        "Summaries::histogram#2", g.summaries().histogram("w", [f(g), four(g)]), g.summaries().histogram("", [f(g), four(g)]);
        "Summaries::image", g.summaries().image("digits", images(g)), g.summaries().image("digits", f(g));
        "Summaries::variables", { v(g); g.summaries().variables() }, { g.variable::<f32>("abeyance/a", zeros(dims![2, 2])); v(g); g.summaries().variables() };
    }
}

fn bodies() -> Vec<Row> {
    calls! { g:
        "Graph::cond", g.cond(true, f(g), |x| x * 2.0, |x| x), g.cond(b(g), f(g), |x| x * 2.0, |x| x);
        "Graph::cond#2", g.cond(true, f(g), |x| x * 2.0, |x| x), g.cond(true, f(g), |x| x * 2.0, |x| x.reshape(dims![6]));
        "Graph::while_loop", g.while_loop(f(g), |x| x.reduce_sum(..).less(3.0), |x| x + 1.0), g.while_loop(f(g), |x| x.reduce_sum(..).less(3.0), |x| x.reshape(dims![6]));
        "Graph::while_loop_at_most", g.while_loop_at_most(3, f(g), |x| x.reduce_sum(..).less(3.0), |x| x + 1.0), g.while_loop_at_most(3, f(g), |x| x.less(3.0), |x| x + 1.0);
        "Graph::scan", g.scan(g.constant(0.0f32), four(g), |sum, x| (Scalar::from(sum.tensor() + x), x)), g.scan(f(g), (four(g), f(g)), |sum, (x, y)| (sum, x + y));
        "Graph::scan_reverse", g.scan_reverse(g.constant(0.0f32), four(g), |sum, x| (Scalar::from(sum.tensor() + x), x)), g.scan_reverse(f(g), (four(g), f(g)), |sum, (x, y)| (sum, x + y));
        "Graph::custom_gradient", g.custom_gradient(f(g), |x| x * 2.0, |_, _, dy| dy), g.custom_gradient(f(g), |x| x * 2.0, |_, _, dy| dy.reshape(dims![6]));
    }
}
