//! Files that are in order, small, and hold one of everything: what damage starts from.

use abeyance::prelude::*;

/// Placeholders, variables, constants, a loop, branches, a tuple, gradients, updates, summaries,
/// signatures, a seed, unknown sizes.
pub fn graph() -> Graph {
    let g = Graph::named("small");
    g.set_seed(7);
    let x = g.placeholder::<f32>("x", dims!["batch", 3]);
    let keep = g.placeholder::<f32>("keep", []);
    let w = g.variable("layer/w", truncated_normal(dims![3, 2], 0.0, 0.5));
    let b = g.variable("layer/b", 0.25);
    let y = (x.matmul(w) + b).relu().dropout_keeping(keep);
    let grown = g.while_loop(y.reduce_sum(..), |sum| sum.less(100.0), |sum| sum * 2.0 + 1.0);
    let loss = g.cond(grown.greater(50.0), grown, |x| x.square(), |x| x.sqrt());
    let (top, _) = y.top_k(1);
    let step = GradientDescent::new(0.1).minimize(loss);
    g.summaries().scalar("loss", loss).variables().histogram("all", [w, b, top]);
    g.signature("train").input("x", x).feed(keep, 0.5).output("loss", loss).step(step);
    g.signature("look").input("x", x).input("keep", keep).output("top", top);
    g.check().unwrap();
    g
}

/// Values of another program, which have no checksum.
pub fn foreign() -> Vec<u8> {
    let header = concat!(
        r#"{"__metadata__":{"format":"pt"},"#,
        r#""b":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"#,
        r#""w":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]}}"#
    );
    crate::checkpoints::file(header, &[0; 16])
}
