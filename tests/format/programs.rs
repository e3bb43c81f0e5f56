//! Small programs that together have every kind of record, and compute the same bits on every
//! processor: whole numbers, halves, random numbers that are compared.

use abeyance::prelude::*;
use ndarray::{Array1, Array2, Array4, array};

/// A program, by the name of its files.
pub type Program = (&'static str, fn() -> Graph);

/// All of them.
pub const ALL: [Program; 7] = [
    ("branches_and_loops", branches_and_loops),
    ("element_types", element_types),
    ("images", images),
    ("line", line),
    ("names", names),
    ("ports", ports),
    ("watched", watched),
];

/// Forward, backward and update nodes, a counter, a seed, first values that are drawn, dropout, a
/// signature with feeds.
fn line() -> Graph {
    let g = Graph::named("line");
    g.set_seed(7);
    let x = g.placeholder::<f32>("x", dims!["N", 2]);
    let y_ = g.placeholder::<f32>("y_", dims!["N", 1]);
    let keep = g.placeholder_with_default("keep", 1.0f32);
    let w = g.variable("layer/w", random_uniform(dims![2, 1], -1.0, 1.0));
    let b = g.variable("layer/b", zeros(dims![1]));
    let drawn = w.greater(0.0).cast::<f32>() - 0.5;
    let y = x.dropout_keeping(keep).matmul(w * 0.0 + drawn) + b;
    let loss = (y - y_).square().reduce_sum(..);
    let step = GradientDescent::new(0.5).minimize_counting(loss, global_step(&g));
    g.signature("train")
        .input("points", x)
        .input("labels", y_)
        .feed(keep, 0.5)
        .output("loss", loss)
        .step(step);
    g.signature("predict").input("points", x).output("values", y);
    g
}

/// Convolution and pooling, an array for a first value.
fn images() -> Graph {
    let g = Graph::named("images");
    let x = g.placeholder::<f32>("images", dims![_, 4, 4, 1]);
    let filter = Array4::from_shape_fn((2, 2, 1, 2), |(i, j, _, k)| (i + 2 * j + k) as f32 - 2.0);
    let filter = g.variable("filter", &filter);
    let y = x.conv2d(filter, ConvOptions::same()).relu().max_pool(PoolOptions::same(2));
    let total = y.reduce_sum(..);
    let [gradient] = gradients(total, [filter]);
    g.signature("predict").input("images", x).output("features", y).output("slopes", gradient);
    g
}

/// Bodies: a branch in a loop, a loop over the parts of a tensor, and their derivatives.
fn branches_and_loops() -> Graph {
    let g = Graph::named("branches_and_loops");
    let x = g.placeholder::<f64>("x", dims!["T"]);
    let n = g.placeholder::<i32>("n", dims![]);
    let w = g.variable("w", 0.5f64);
    let (_, y) = g.while_loop(
        (g.constant(0i32), x),
        |(i, _)| i.less(n),
        |(i, x)| {
            let x = g.cond(i.equal(1), x, |x| x * w, |x| x + 1.0);
            (i + 1, x)
        },
    );
    let (last, all) = g.scan(w, y, |h, y| (h * 0.5 + y, h));
    let [dx, dw] = gradients(last.reduce_sum(..) + all.reduce_sum(..), [x, w]);
    g.signature("run")
        .input("x", x)
        .input("n", n)
        .output("last", last)
        .output("all", all)
        .output("dx", dx)
        .output("dw", dw);
    g
}

/// Constants and variables of every element type, with the numbers that are easily lost.
fn element_types() -> Graph {
    let g = Graph::named("element_types");
    let run = g.signature("run");
    let f32s = [0.0, -0.0, f32::MIN_POSITIVE / 8.0, f32::INFINITY, f32::from_bits(0x7fc0_1234)];
    let f64s = [-0.0, 5e-324, f64::NEG_INFINITY, f64::from_bits(0xfff8_0000_dead_beef)];
    run.output("f32", g.variable("f32", Array1::from(f32s.to_vec())))
        .output("f64", g.constant_array(&Array1::from(f64s.to_vec())).named("f64"))
        .output("i32", g.state("i32", &array![i32::MIN, -1, 0, i32::MAX]))
        .output("i64", g.constant_array(&array![i64::MIN, i64::MAX]).named("i64"))
        .output("u8", g.constant_array(&array![0u8, 1, 128, 255]).named("u8"))
        .output("bool", g.constant_array(&array![[true], [false]]).named("bool"))
        .output("empty", g.constant_array(&Array2::<f32>::zeros((0, 3))).named("empty"))
        .output("filled", g.variable("filled", fill(dims![2, 3], -0.0f64)))
        .output("ones", g.variable::<i64>("ones", ones(dims![3])));
    // Their digits depend on the processor's arithmetic: they are in the file, and not among the
    // outputs.
    g.variable::<f32>("normal", random_normal(dims![2], 0.25, f64::MIN_POSITIVE));
    g.variable::<f64>("truncated", truncated_normal(dims![2], 0.0, 0.1));
    g
}

/// Names of signatures, inputs and outputs that no node could have, some of them alike, and swapped
/// with nodes' names.
fn ports() -> Graph {
    let g = Graph::named("ports");
    let a = g.placeholder::<i64>("x", dims!["N"]);
    let b = g.placeholder::<i64>("y", dims!["N"]);
    g.signature("serving default: 1")
        .input("y", a)
        .input("/x", b)
        .output("y:0", a - b)
        .output("y_0", b - a)
        .output("größe = \"1\" # {\n\u{1f980}", a * b);
    g.signature("plain").input("x", a).output(" ", a + 1);
    g
}

/// Summaries of every kind, of tags that no node could have, of nodes that nothing else needs.
fn watched() -> Graph {
    let g = Graph::named("watched");
    let x = g.placeholder::<f32>("x", dims![_, 2, 2, 1]);
    let (w, b) = (g.variable("w", ones(dims![4, 2])), g.variable("b", zeros(dims![2])));
    let w2 = g.variable("w2", fill(dims![2, 1], 0.5));
    let y = (x.reshape(dims![_, 4]).matmul(w) + b).relu().matmul(w2);
    let loss = y.square().reduce_sum(..);
    let count = global_step(&g);
    let step = GradientDescent::new(0.125).minimize_counting(loss, count);
    g.summaries()
        .scalar("loss", loss)
        .scalar("Schritte: \"größer\" # {\n\u{1f980}", count)
        .variables()
        .histogram("both = all", [y.erase(), g.constant(7u8).erase()])
        .image("pictures", (x + 1.0) * 0.5);
    g.signature("train").input("x", x).output("loss", loss).step(step);
    g
}

/// Names in the graph's name and the symbols', orders by control, a feed that is an array.
fn names() -> Graph {
    let g = Graph::named("Übung: \"{名前}\" #1\n\u{1f980}");
    let x = g.placeholder::<i64>("x", dims!["größe \"1\"", "N"]);
    let y = g.placeholder::<i64>("layer.1/y_", dims!["N"]);
    let sum = (x + y).named("0/sum");
    let count = g.state::<i64>("count", 0i64);
    let step = {
        let _after = g.after([g.no_op()]);
        g.group([count.assign_add(1)])
    };
    g.signature("run")
        .input("x", x)
        .feed_array(y, &array![1i64, -2, 0])
        .output("sum", sum)
        .step(step);
    g
}
