//! Errors like a compiler's: what is wrong, on which line, with which shapes, and how to mend it.
//!
//! In the snapshots a place in this file stands as its line of source, with `>>` before the column,
//! so that a reader sees which call is meant and an edit above it changes nothing. Two tests hold
//! the numbers themselves against `line!()`.

use std::fmt::Display;

use abeyance::graph::raw::{AnyTensorExt, GraphExt};
use abeyance::prelude::*;
use abeyance::session::Error;
use abeyance::session::{Feed, TensorRef};
use insta::assert_snapshot;
use ndarray::{Array2, array};

/// The message with lines of source in place of their numbers.
fn readable(message: &impl Display) -> String {
    let source: Vec<&str> = include_str!("diagnostics.rs").lines().collect();
    let message = message.to_string();
    let mut pieces = message.split("tests/diagnostics.rs:");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).count();
        let (line, rest) = piece.split_at(digits(piece));
        let (column, rest) = rest[1..].split_at(digits(&rest[1..]));
        let line = source[line.parse::<usize>().unwrap() - 1];
        // Without the snapshot that the line may go on with.
        let line = line.split(", @").next().unwrap_or_default();
        let (before, after) = line.split_at(column.parse::<usize>().unwrap() - 1);
        text += &format!("`{}>>{}`{rest}", before.trim_start(), after.trim_end());
    }
    text
}

/// All mistakes of a program, as making a session reports them.
fn mistakes(graph: &Graph) -> String {
    let error = Session::new(graph).unwrap_err();
    assert_eq!(
        error.to_string(),
        graph.check().unwrap_err().to_string(),
        "a session and `check` report the same"
    );
    assert!(matches!(error, Error::Program(_)), "{error:?}");
    readable(&error)
}

/// Why a request was refused.
fn refusal<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("the request is wrong and was not refused"),
        Err(error @ Error::Request(_)) => readable(&error),
        Err(error) => panic!("not an error of the request: {error:?}"),
    }
}

/// Why a node could not be computed.
fn failure<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("the values are wrong and the run did not fail"),
        Err(error @ Error::Node(_)) => readable(&error),
        Err(error) => panic!("not an error of a node: {error:?}"),
    }
}

fn session(graph: &Graph) -> Session {
    let options = SessionOptions::new().threads(1);
    Session::with_options(graph, options).unwrap_or_else(|error| panic!("{error}"))
}

// ---- shapes that do not fit ---------------------------------------------------------------------

#[test]
fn a_wrong_matmul_names_both_shapes_and_the_line() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 784]);
    let w = g.variable("w", zeros(dims![10, 784]));
    let (_, line) = (x.matmul(w), line!());
    let message = g.check().unwrap_err().to_string();
    assert!(message.contains(&format!("  --> tests/diagnostics.rs:{line}:24\n")), "{message}");
    assert_snapshot!(mistakes(&g), @r#"
    error: matmul: [N, 784] times [10, 784]: the inner dimensions 784 and 10 differ
      --> `let (_, line) = (x.>>matmul(w), line!());`
       | matmul = matmul(x, w)
       | x : f32[N, 784]  (`let x = g.>>placeholder::<f32>("x", dims![_, 784]);`)
       | w : f32[10, 784]  (`let w = g.>>variable("w", zeros(dims![10, 784]));`)
       = help: the second operand fits transposed: `a.matmul_with(b, MatMulOptions::new().transpose_b(true))` or `a.matmul(b.transpose())`
    "#);
}

#[test]
fn shapes_that_do_not_broadcast() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let b = g.variable("b", zeros(dims![5, 4]));
    let _ = x + b;
    assert_snapshot!(mistakes(&g), @r#"
    error: add: the shapes [N, 3] and [5, 4] do not broadcast: 3 against 4 in dimension 1 of the result
      --> `let _ = >>x + b;`
       | add = add(x, b)
       | x : f32[N, 3]  (`let x = g.>>placeholder::<f32>("x", dims![_, 3]);`)
       | b : f32[5, 4]  (`let b = g.>>variable("b", zeros(dims![5, 4]));`)
       = help: sizes are aligned at the last dimension and must be equal or 1
    "#);
}

#[test]
fn a_reshape_to_another_number_of_elements() {
    let g = Graph::new();
    let images = g.placeholder::<f32>("images", dims![_, 28, 28, 1]);
    let _ = images.reshape(dims![images.dim(0), 748]);
    assert_snapshot!(mistakes(&g), @r#"
    error: reshape: the 784·N elements of [N, 28, 28, 1] do not fill the 748·N of [N, 748]
      --> `let _ = images.>>reshape(dims![images.dim(0), 748]);`
       | reshape = reshape(images) to=[N, 748]
       | images : f32[N, 28, 28, 1]  (`let images = g.>>placeholder::<f32>("images", dims![_, 28, 28, 1]);`)
       = help: leave one dimension open with `_` to have it worked out
    "#);
}

#[test]
fn a_reshape_with_two_open_dimensions() {
    let g = Graph::new();
    let images = g.placeholder::<f32>("images", dims![_, 28, 28, 1]);
    let _ = images.reshape(dims![_, 28, _]);
    assert_snapshot!(mistakes(&g), @r#"
    error: reshape: 2 dimensions are `_`, and at most one can be worked out
      --> `let _ = images.>>reshape(dims![_, 28, _]);`
       | images : f32[N, 28, 28, 1]  (`let images = g.>>placeholder::<f32>("images", dims![_, 28, 28, 1]);`)
       = help: take the others from a tensor: `dims![x.dim(0), _]`
    "#);
}

#[test]
fn concatenated_tensors_of_unequal_shapes() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let y = g.placeholder::<f32>("y", dims![2, 4]);
    let _ = g.concat([x, y], 0);
    assert_snapshot!(mistakes(&g), @r#"
    error: concat: operand 1 of shape [2, 4] does not fit behind one of shape [N, 3] along axis 0
      --> `let _ = g.>>concat([x, y], 0);`
       | concat = concat(x, y) axis=0
       | x : f32[N, 3]  (`let x = g.>>placeholder::<f32>("x", dims![_, 3]);`)
       | y : f32[2, 4]  (`let y = g.>>placeholder::<f32>("y", dims![2, 4]);`)
       = help: all sizes have to be equal but those along the axis
    "#);
}

#[test]
fn an_axis_out_of_range() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let _ = x.reduce_mean(2);
    assert_snapshot!(mistakes(&g), @r#"
    error: reduce_mean: axis 2 is out of range: a tensor with 2 dimensions has axes -2 to 1
      --> `let _ = x.>>reduce_mean(2);`
       | reduce_mean = reduce_mean(x) axes=[2]
       | x : f32[N, 3]  (`let x = g.>>placeholder::<f32>("x", dims![_, 3]);`)
    "#);
}

#[test]
fn an_axis_of_a_scalar() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![]);
    let _ = x.argmax(-1);
    assert_snapshot!(mistakes(&g), @r#"
    error: argmax: axis -1 is out of range: a scalar has no dimensions
      --> `let _ = x.>>argmax(-1);`
       | argmax = argmax(x) axis=-1
       | x : f32[]  (`let x = g.>>placeholder::<f32>("x", dims![]);`)
    "#);
}

#[test]
fn a_slice_beyond_the_end() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 10]);
    let _ = x.slice([0, 8], [-1, 3]);
    assert_snapshot!(mistakes(&g), @r#"
    error: slice: 3 elements from 8 on reach beyond the end of dimension 1 of [N, 10]
      --> `let _ = x.>>slice([0, 8], [-1, 3]);`
       | slice = slice(x) begin=[0, 8] size=[-1, 3]
       | x : f32[N, 10]  (`let x = g.>>placeholder::<f32>("x", dims![_, 10]);`)
    "#);
}

#[test]
fn a_slice_without_a_number_for_each_dimension() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 10]);
    let _ = x.slice([8], [2]);
    assert_snapshot!(mistakes(&g), @r#"
    error: slice: begin = [8] is not a number for each of 2 dimensions
      --> `let _ = x.>>slice([8], [2]);`
       | slice = slice(x) begin=[8] size=[2]
       | x : f32[N, 10]  (`let x = g.>>placeholder::<f32>("x", dims![_, 10]);`)
    "#);
}

#[test]
fn a_squeezed_dimension_that_is_not_1() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 28, 1]);
    let _ = x.squeeze(&[1, 2]);
    assert_snapshot!(mistakes(&g), @r#"
    error: squeeze: dimension 1 of [N, 28, 1] is not 1
      --> `let _ = x.>>squeeze(&[1, 2]);`
       | squeeze = squeeze(x) axes=[1, 2]
       | x : f32[N, 28, 1]  (`let x = g.>>placeholder::<f32>("x", dims![_, 28, 1]);`)
       = help: only dimensions of size 1 can be left out; `reshape` merges others
    "#);
}

#[test]
fn labels_that_do_not_fit_logits() {
    let g = Graph::new();
    let logits = g.placeholder::<f32>("logits", dims![_, 10]);
    let classes = g.placeholder::<f32>("classes", dims![_, 11]);
    let labels = g.placeholder::<i64>("labels", dims![_, 1]);
    let _ = logits.softmax_cross_entropy(classes);
    let _ = logits.sparse_softmax_cross_entropy(labels);
    assert_snapshot!(mistakes(&g), @r#"
    error: softmax_cross_entropy: labels of shape [N2, 11] do not fit logits of shape [N, 10]
      --> `let _ = logits.>>softmax_cross_entropy(classes);`
       | softmax_cross_entropy = softmax_cross_entropy(classes, logits)
       | classes : f32[N2, 11]  (`let classes = g.>>placeholder::<f32>("classes", dims![_, 11]);`)
       | logits : f32[N, 10]  (`let logits = g.>>placeholder::<f32>("logits", dims![_, 10]);`)
       = help: there has to be a label, from 0 to 1, for each of the logits

    error: sparse_softmax_cross_entropy: labels of shape [N3, 1] do not fit logits of shape [N, 10]
      --> `let _ = logits.>>sparse_softmax_cross_entropy(labels);`
       | sparse_softmax_cross_entropy = sparse_softmax_cross_entropy(labels, logits)
       | labels : i64[N3, 1]  (`let labels = g.>>placeholder::<i64>("labels", dims![_, 1]);`)
       | logits : f32[N, 10]  (`let logits = g.>>placeholder::<f32>("logits", dims![_, 10]);`)
       = help: the number of one class is wanted for each row: leave out the last dimension, of size 1, with `labels.squeeze(&[-1])`

    2 errors
    "#);
}

#[test]
fn a_matrix_taken_for_a_scalar() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let _ = x.exp().scalar();
    assert_snapshot!(mistakes(&g), @r"
    error: scalar: a scalar has no dimensions, and `exp : f32[N, 3]` has 2
      --> `let _ = x.exp().>>scalar();`
       | exp : f32[N, 3]  (`let _ = x.>>exp().scalar();`)
       = help: reduce it first: `x.reduce_sum(..)`
    ");
}

#[test]
fn a_matrix_turned_into_a_scalar_without_asking() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let _: Scalar<f32> = x.into();
    assert_snapshot!(mistakes(&g), @r#"
    error: scalar: a scalar has no dimensions, and `x : f32[N, 3]` has 2
      --> `let _: Scalar<f32> = x.>>into();`
       | x : f32[N, 3]  (`let x = g.>>placeholder::<f32>("x", dims![_, 3]);`)
       = help: reduce it first: `x.reduce_sum(..)`
    "#);
}

#[test]
fn sizes_that_multiply_beyond_all_bounds_though_one_of_them_is_0() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let huge = g.zeros::<f32>(dims![1 << 40, 1 << 40, x.dim(0)]);
    let y = huge + 1.0;
    let empty: [f32; 0] = [];
    let result = session(&g).run(y, feeds![x => &empty]);
    assert_snapshot!(refusal(result), @r"
    error: zeros: its result of sizes [1099511627776, 1099511627776, 0] is larger than any memory
      --> `let huge = g.>>zeros::<f32>(dims![1 << 40, 1 << 40, x.dim(0)]);`
       | fill = fill value=0.0
    ");
    let _ = g.zeros::<f32>(dims![1 << 40, 1 << 40, 0]) + 1.0;
    assert_snapshot!(mistakes(&g), @r"
    error: zeros: a tensor of 1099511627776 x 1099511627776 x 0 elements is larger than any memory
      --> `let _ = g.>>zeros::<f32>(dims![1 << 40, 1 << 40, 0]) + 1.0;`
       | fill_1 = fill value=f32[] 0.0 shape=[1099511627776, 1099511627776, 0]
    ");
}

#[test]
fn a_size_named_by_the_user_is_not_one_that_was_named_for_the_user() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let y = g.placeholder::<f32>("y", dims!["N", 3]);
    let z = g.placeholder::<f32>("z", dims!["N", _]);
    assert_ne!(x.dim(0), y.dim(0));
    assert_eq!(y.dim(0), z.dim(0));
    let shown = [x, y, z].map(|tensor| tensor.to_string());
    assert_eq!(shown, ["x : f32[N2, 3]", "y : f32[N, 3]", "z : f32[N, N3]"]);
    let sums = (x.reduce_sum(..), y.reduce_sum(..));
    let (two, one) = (Array2::ones((2, 3)), Array2::ones((1, 3)));
    let feeds = feeds![x => &two, y => &one];
    assert_eq!(session(&g).run(sums, feeds).unwrap(), (6.0, 3.0));
    let read = Graph::parse(&g.to_text()).unwrap();
    assert_eq!(read.to_text(), g.to_text());
}

#[test]
fn a_variable_of_unknown_size() {
    let g = Graph::new();
    let _ = g.variable::<f32>("w", zeros(dims![_, 10]));
    assert_snapshot!(mistakes(&g), @r#"
    error: variable: the shape [N, 10] is not known in full
      --> `let _ = g.>>variable::<f32>("w", zeros(dims![_, 10]));`
       | w = variable initial=zeros dtype=f32 shape=[N, 10]
       = help: a variable's first value is made before anything is fed: give every dimension a number
    "#);
}

#[test]
fn an_assigned_value_of_another_shape() {
    let g = Graph::new();
    let w = g.variable::<f32>("w", zeros(dims![3, 2]));
    let _ = w.assign_sub(0.1);
    assert_snapshot!(mistakes(&g), @r#"
    error: assign_sub: a variable of shape [3, 2] cannot take a value of shape []
      --> `let _ = w.>>assign_sub(0.1);`
       | assign_sub = assign_sub(w, constant)
       | w : f32[3, 2]  (`let w = g.>>variable::<f32>("w", zeros(dims![3, 2]));`)
       | constant : f32[]  (`let _ = w.>>assign_sub(0.1);`)
       = help: one number for all: `x.broadcast_to(variable.shape())`
    "#);
}

#[test]
fn an_assignment_to_what_is_no_variable() {
    let g = Graph::new();
    let w = g.variable::<f32>("w", zeros(dims![3]));
    let _ = (w * 2.0).assign(w);
    assert_snapshot!(mistakes(&g), @r#"
    error: assign: `mul` is not a variable
      --> `let _ = (w * 2.0).>>assign(w);`
       | assign = assign(mul, w)
       | mul : f32[3]  (`let _ = >>(w * 2.0).assign(w);`)
       | w : f32[3]  (`let w = g.>>variable::<f32>("w", zeros(dims![3]));`)
       = help: only variables can be assigned to; make one with `g.variable(name, initial)`
    "#);
}

// ---- names and graphs ---------------------------------------------------------------------------

#[test]
fn a_name_that_is_taken() {
    let g = Graph::new();
    let first = g.placeholder::<f32>("x", dims![_, 3]);
    let second = g.placeholder::<f32>("x", dims![_, 4]);
    let _ = (first.exp(), second.exp());
    assert_snapshot!(mistakes(&g), @r#"
    error: the name `x` is taken
      --> `let second = g.>>placeholder::<f32>("x", dims![_, 4]);`
       | x : f32[N, 3]  (`let first = g.>>placeholder::<f32>("x", dims![_, 3]);`)
       = help: give it another name, or put each in a scope of its own: `let _scope = g.scope("layer1");`
    "#);
}

#[test]
fn a_name_that_is_none() {
    let g = Graph::new();
    let _ = g.placeholder::<f32>("batch size", dims![]);
    assert_snapshot!(mistakes(&g), @r#"
    error: "batch size" is not a name
      --> `let _ = g.>>placeholder::<f32>("batch size", dims![]);`
       = help: names are letters, digits, `_`, `.` and `/`, and begin with a letter, a digit or `_`
    "#);
}

#[test]
fn a_tensor_of_another_graph() {
    let (g, other) = (Graph::named("generator"), Graph::named("critic"));
    let image = g.placeholder::<f32>("image", dims![_, 784]);
    let w = other.variable("w", zeros(dims![784, 1]));
    let _ = image.matmul(w);
    assert_snapshot!(mistakes(&g), @r#"
    error: matmul: a tensor of graph `critic` is used in graph `generator`
      --> `let _ = image.>>matmul(w);`
       | w : f32[784, 1]  (`let w = other.>>variable("w", zeros(dims![784, 1]));`)
       = help: build both in one graph, or feed the value of the one to a placeholder of the other
    "#);
    // The other graph is none the worse.
    other.check().unwrap();
}

#[test]
fn a_tensor_of_another_graph_where_neither_has_a_name() {
    let (g, other) = (Graph::new(), Graph::new());
    let x = other.placeholder::<f32>("x", dims![]);
    let _ = g.constant(1.0f32) + x;
    assert_snapshot!(mistakes(&g), @r#"
    error: a tensor of one graph is used in another
      --> `let _ = >>g.constant(1.0f32) + x;`
       | x : f32[]  (`let x = other.>>placeholder::<f32>("x", dims![]);`)
       = help: build both in one graph, or feed the value of the one to a placeholder of the other
    "#);
}

#[test]
fn an_unknown_size_of_another_graph() {
    let (g, other) = (Graph::new(), Graph::new());
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let rows = other.placeholder::<f32>("rows", dims![_]).dim(0);
    let bias = g.ones::<f32>(dims![rows, 3]);
    let _ = x + bias;
    assert_snapshot!(mistakes(&g), @r#"
    error: ones: dimension 0 of the shape [?, 3] is an unknown size of another graph
      --> `let bias = g.>>ones::<f32>(dims![rows, 3]);`
       | fill = fill value=f32[] 1.0 shape=["?", 3]
       = help: take it from a tensor of this graph: `dims![x.dim(0), 10]`
    "#);
}

// ---- gradients ----------------------------------------------------------------------------------

#[test]
fn a_gradient_through_argmax() {
    let g = Graph::new();
    let w = g.variable::<f32>("w", zeros(dims![3]));
    let best = w.argmax(0).cast::<f32>();
    let _ = gradients(best * 2.0, [w]);
    assert_snapshot!(mistakes(&g), @r#"
    error: gradients: `mul` has no derivative with respect to `w`
      --> `let _ = >>gradients(best * 2.0, [w]);`
       | mul : f32[]  (`let _ = gradients(>>best * 2.0, [w]);`)
       | w : f32[3]  (`let w = g.>>variable::<f32>("w", zeros(dims![3]));`)
       | the path ends at `argmax = argmax(w) axis=0`, which gives positions  (`let best = w.>>argmax(0).cast::<f32>();`)
       = help: leave it out, or ask for zeros with `gradients_or_zeros`
    "#);
}

#[test]
fn a_gradient_through_a_cast_to_integers() {
    let g = Graph::new();
    let w = g.variable::<f32>("w", zeros(dims![3]));
    let steps = w.cast::<i32>();
    let loss = steps.cast::<f32>().reduce_sum(..);
    let _ = gradients(loss, [w]);
    assert_snapshot!(mistakes(&g), @r#"
    error: gradients: `reduce_sum` has no derivative with respect to `w`
      --> `let _ = >>gradients(loss, [w]);`
       | reduce_sum : f32[]  (`let loss = steps.cast::<f32>().>>reduce_sum(..);`)
       | w : f32[3]  (`let w = g.>>variable::<f32>("w", zeros(dims![3]));`)
       | the path ends at `cast = cast(w)`, which gives elements of i32, which have no derivatives  (`let steps = w.>>cast::<i32>();`)
       = help: leave it out, or ask for zeros with `gradients_or_zeros`
    "#);
}

#[test]
fn a_gradient_through_stop_gradient() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    let target = (w * 2.0).stop_gradient();
    let _ = gradients(target.square(), [w]);
    assert_snapshot!(mistakes(&g), @r#"
    error: gradients: `square` has no derivative with respect to `w`
      --> `let _ = >>gradients(target.square(), [w]);`
       | square : f32[]  (`let _ = gradients(target.>>square(), [w]);`)
       | w : f32[]  (`let w = g.>>variable("w", 1.0f32);`)
       | the path ends at `stop_gradient = stop_gradient(mul)`, which stops gradients on purpose  (`let target = (w * 2.0).>>stop_gradient();`)
       = help: leave it out, or ask for zeros with `gradients_or_zeros`
    "#);
}

#[test]
fn a_gradient_with_respect_to_something_else() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    let b = g.variable("b", 0.0f32);
    let loss = w.square();
    let _ = gradients(loss, [w, b]);
    assert_snapshot!(mistakes(&g), @r#"
    error: gradients: `square` has no derivative with respect to `b`
      --> `let _ = >>gradients(loss, [w, b]);`
       | square : f32[]  (`let loss = w.>>square();`)
       | b : f32[]  (`let b = g.>>variable("b", 0.0f32);`)
       | `square` does not depend on `b`
       = help: leave it out, or ask for zeros with `gradients_or_zeros`
    "#);
}

#[test]
fn a_loss_that_teaches_nothing() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let w = g.state("w", 1.0f32);
    let loss = (x * w).reduce_sum(..);
    let _ = GradientDescent::new(0.1).minimize(loss);
    assert_snapshot!(mistakes(&g), @r#"
    error: minimize: the loss `reduce_sum` depends on no trainable variable
      --> `let _ = GradientDescent::new(0.1).>>minimize(loss);`
       | reduce_sum = reduce_sum(mul) axes=[0]  (`let loss = (x * w).>>reduce_sum(..);`)
       | w : f32[]  (`let w = g.>>state("w", 1.0f32);`)
       = help: `g.state` makes variables that optimizers leave alone; `g.variable` makes those they change
    "#);
}

#[test]
fn a_loss_that_is_not_one_number() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let w = g.variable("w", 1.0f32);
    let _ = GradientDescent::new(0.1).minimize((x * w).square());
    assert_snapshot!(mistakes(&g), @r"
    error: minimize: the loss `square : f32[N]` is not one number
      --> `let _ = GradientDescent::new(0.1).>>minimize((x * w).square());`
       | square = square(mul)  (`let _ = GradientDescent::new(0.1).minimize((x * w).>>square());`)
       = help: reduce it first, with `reduce_mean(..)` or `reduce_sum(..)`
    ");
}

// ---- several mistakes ---------------------------------------------------------------------------

#[test]
fn several_mistakes_are_reported_together_and_their_consequences_are_not() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 784]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);
    let w = g.variable("w", zeros(dims![748, 10]));
    let b = g.variable("b", zeros(dims![10]));
    let logits = x.matmul(w) + b;
    // All of this depends on the wrong product and says nothing of its own.
    let rows = logits.dim(0);
    let noise = g.random_normal::<f32>(dims![rows, 10], 0.0, 1.0);
    let y = (logits + noise).softmax().transpose().transpose();
    let y = y.dropout_keeping(0.5).slice([0, 0], [-1, 10]).reshape(dims![_, 10]);
    let loss = y.softmax_cross_entropy(y_).reduce_mean(0).scalar();
    let _ = gradients(loss, [w, b]);
    let train_step = Adam::new(0.01).minimize(loss);
    let _ = g.group([train_step]);
    let _after = g.after([train_step]);
    // This does not, and is a mistake of its own.
    let _ = y_.argmax(2);
    assert_snapshot!(mistakes(&g), @r#"
    error: matmul: [N, 784] times [748, 10]: the inner dimensions 784 and 748 differ
      --> `let logits = x.>>matmul(w) + b;`
       | matmul = matmul(x, w)
       | x : f32[N, 784]  (`let x = g.>>placeholder::<f32>("x", dims![_, 784]);`)
       | w : f32[748, 10]  (`let w = g.>>variable("w", zeros(dims![748, 10]));`)

    error: argmax: axis 2 is out of range: a tensor with 2 dimensions has axes -2 to 1
      --> `let _ = y_.>>argmax(2);`
       | argmax = argmax(y_) axis=2
       | y_ : f32[N2, 10]  (`let y_ = g.>>placeholder::<f32>("y_", dims![_, 10]);`)

    2 errors
    "#);
}

#[test]
fn what_a_wrong_node_seemed_to_say_about_sizes_is_forgotten() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, _]);
    let wrong = g.variable("wrong", zeros(dims![5, 4, 3]));
    // Rows of `x` against 4, columns against 3, and then the ranks.
    let _ = x.softmax_cross_entropy(wrong.reshape(dims![20, 3]).reshape(dims![60]));
    let _ = g.concat([x, g.zeros(dims![7, 3]), g.zeros(dims![7, 4])], 0);
    assert_eq!(x.to_string(), "x : f32[N, N2]");
    let _ = x.matmul(g.zeros(dims![8, 2])) + g.zeros::<f32>(dims![9, 2]);
    assert_eq!(x.to_string(), "x : f32[9, 8]");
    assert_eq!(g.check().unwrap_err().iter().count(), 2);
}

/// A layer, as a user's own library may have it.
#[track_caller]
fn dense<'g>(x: Tensor<'g, f32>, inputs: usize, outputs: usize) -> Tensor<'g, f32> {
    let g = x.graph();
    let _pin = g.pin_location();
    let _scope = g.scope("dense");
    let w = g.variable("w", zeros(dims![inputs, outputs]));
    let b = g.variable("b", zeros(dims![outputs]));
    (x.matmul(w) + b).relu()
}

#[test]
fn a_mistake_inside_a_function_names_the_line_of_its_caller() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 784]);
    let hidden = dense(x, 784, 100);
    let (_, line) = (dense(hidden, 200, 10), line!());
    let message = g.check().unwrap_err().to_string();
    assert!(message.contains(&format!("  --> tests/diagnostics.rs:{line}:22\n")), "{message}");
    assert_snapshot!(mistakes(&g), @r"
    error: matmul: [N, 100] times [200, 10]: the inner dimensions 100 and 200 differ
      --> `let (_, line) = (>>dense(hidden, 200, 10), line!());`
       | dense_1/matmul = matmul(dense/relu, dense_1/w)
       | dense/relu : f32[N, 100]  (`let hidden = >>dense(x, 784, 100);`)
       | dense_1/w : f32[200, 10]  (`let (_, line) = (>>dense(hidden, 200, 10), line!());`)
    ");
}

/// Another, which makes mistakes that no operator reports.
fn summary<'g>(x: Tensor<'g, f32>) -> Scalar<'g, f32> {
    let noise = x.graph().random_uniform(dims![_], 0.0, 1.0);
    (x + noise + x.graph().zeros(dims![_])).dropout_keeping(2.0);
    x.scalar()
}

#[test]
fn a_pinned_place_is_that_of_every_mistake() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let (_pin, line) = (g.pin_location(), line!());
    let _ = summary(x);
    let _ = x.dim(1);
    let mistakes = g.check().unwrap_err();
    assert_eq!(mistakes.iter().count(), 5);
    for mistake in mistakes.iter() {
        let message = mistake.to_string();
        let place = format!("--> tests/diagnostics.rs:{line}:");
        assert!(message.contains(&place), "{message}");
    }
}

// ---- requests -----------------------------------------------------------------------------------

#[test]
fn a_placeholder_that_is_not_fed() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let keep = g.placeholder::<f32>("layer/keep", dims![]);
    let loss = (x * keep).reduce_sum(..);
    let session = session(&g);
    assert_snapshot!(refusal(session.run(loss, [])), @r#"
    error: the placeholder `x` is not fed, which `reduce_sum` needs
      --> `assert_snapshot!(refusal(session.>>run(loss, []))`
       | x : f32[N, 3]  (`let x = g.>>placeholder::<f32>("x", dims![_, 3]);`)
       = help: add it to the feeds: `feeds![x => &value]`

    error: the placeholder `layer/keep` is not fed, which `reduce_sum` needs
      --> `assert_snapshot!(refusal(session.>>run(loss, []))`
       | layer/keep : f32[]  (`let keep = g.>>placeholder::<f32>("layer/keep", dims![]);`)
       = help: add it to the feeds: `feeds![keep => &value]`

    2 errors
    "#);
}

#[test]
fn feeds_of_wrong_shapes() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let loss = x.reduce_sum(..);
    let session = session(&g);
    let wide = array![[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]];
    assert_snapshot!(refusal(session.run(loss, feeds![x => &wide])), @r#"
    error: `x` was fed an array of shape [2, 4]: dimension 1 is 3, not 4
      --> `assert_snapshot!(refusal(session.>>run(loss, feeds![x => &wide]))`
       | x : f32[N, 3]  (`let x = g.>>placeholder::<f32>("x", dims![_, 3]);`)
    "#);
    assert_snapshot!(refusal(session.run(loss, feeds![x => &[1.0, 2.0, 3.0]])), @r#"
    error: `x` has 2 dimensions and was fed an array of shape [3]
      --> `assert_snapshot!(refusal(session.>>run(loss, feeds![x => &[1.0, 2.0, 3.0]]))`
       | x : f32[N, 3]  (`let x = g.>>placeholder::<f32>("x", dims![_, 3]);`)
    "#);
    assert_snapshot!(refusal(session.run(loss, feeds![x => 1.0])), @r#"
    error: `x` has 2 dimensions and was fed an array of shape []
      --> `assert_snapshot!(refusal(session.>>run(loss, feeds![x => 1.0]))`
       | x : f32[N, 3]  (`let x = g.>>placeholder::<f32>("x", dims![_, 3]);`)
    "#);
}

#[test]
fn batches_of_different_sizes() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 2]);
    let y_ = g.placeholder::<f32>("y_", dims![_]);
    let loss = (x.reduce_sum(1) - y_).square().reduce_mean(..);
    let session = session(&g);
    let images = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
    let result = session.run(loss, feeds![x => &images, y_ => &[1.0, 2.0]]);
    assert_snapshot!(refusal(result), @r#"
    error: the dimension N is 3 in what was fed to `x` and 2 in what was fed to `y_`
      --> `let result = session.>>run(loss, feeds![x => &images, y_ => &[1.0, 2.0]]);`
       | x : f32[N, 2]  (`let x = g.>>placeholder::<f32>("x", dims![_, 2]);`)
       | y_ : f32[N]  (`let y_ = g.>>placeholder::<f32>("y_", dims![_]);`)
       | `sub = sub(reduce_sum, y_)` needs the two to be equal, N  (`let loss = >>(x.reduce_sum(1) - y_).square().reduce_mean(..);`)
       = help: both must have the same size: feed batches that belong together
    "#);
}

#[test]
fn one_array_with_two_sizes_for_one_dimension() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims!["n", "n"]);
    let sum = x.reduce_sum(..);
    let session = session(&g);
    let result = session.run(sum, feeds![x => &array![[1.0, 2.0, 3.0]]]);
    assert_snapshot!(refusal(result), @r#"
    error: `x` was fed an array of shape [1, 3]: dimension 1 is 3 where another n is 1
      --> `let result = session.>>run(sum, feeds![x => &array![[1.0, 2.0, 3.0]]]);`
       | x : f32[n, n]  (`let x = g.>>placeholder::<f32>("x", dims!["n", "n"]);`)
    "#);
}

#[test]
fn feeds_and_fetches_of_another_graph() {
    let (g, other) = (Graph::new(), Graph::new());
    let x = g.placeholder::<f32>("x", dims![]);
    let stranger = other.placeholder::<f32>("stranger", dims![]);
    let session = session(&g);
    assert_snapshot!(refusal(session.run(x, feeds![stranger => 1.0, x => 1.0])), @r#"
    error: a fed tensor belongs to another graph than the session's
      --> `assert_snapshot!(refusal(session.>>run(x, feeds![stranger => 1.0, x => 1.0]))`
       | the tensor  (`let stranger = other.>>placeholder::<f32>("stranger", dims![]);`)
       = help: make a session for each graph
    "#);
    assert_snapshot!(refusal(session.run((x, stranger), feeds![x => 1.0])), @r#"
    error: the fetched `stranger` belongs to another graph than the session's
      --> `assert_snapshot!(refusal(session.>>run((x, stranger), feeds![x => 1.0]))`
       | stranger : f32[]  (`let stranger = other.>>placeholder::<f32>("stranger", dims![]);`)
       = help: make a session for each graph
    "#);
    assert_snapshot!(refusal(session.prepare(stranger).map(drop)), @r#"
    error: the fetched `stranger` belongs to another graph than the session's
      --> `assert_snapshot!(refusal(session.>>prepare(stranger).map(drop))`
       | stranger : f32[]  (`let stranger = other.>>placeholder::<f32>("stranger", dims![]);`)
       = help: make a session for each graph
    "#);
    // A prepared call looks as closely, though the other graph's node has the number of one of this
    // graph's.
    let call = session.prepare(x).unwrap();
    assert_eq!(call.run(feeds![x => 1.0]).unwrap()[[]], 1.0);
    assert_snapshot!(refusal(call.run(feeds![stranger => 1.0])), @r#"
    error: a fed tensor belongs to another graph than the session's
      --> `assert_snapshot!(refusal(call.>>run(feeds![stranger => 1.0]))`
       | the tensor  (`let stranger = other.>>placeholder::<f32>("stranger", dims![]);`)
       = help: make a session for each graph
    "#);
}

#[test]
fn a_tensor_of_another_graph_and_names_that_are_not_there() {
    let (g, other) = (Graph::named("net"), Graph::new());
    let x = g.placeholder::<f32>("scope/x", dims![]);
    let stranger = TensorRef::from(other.placeholder::<f32>("stranger", dims![]));
    let session = session(&g);
    assert_snapshot!(refusal(session.run(stranger, feeds![x => 1.0])), @r#"
    error: a fetched tensor belongs to another graph than the session's
      --> `assert_snapshot!(refusal(session.>>run(stranger, feeds![x => 1.0]))`
       | the tensor  (`let stranger = TensorRef::from(other.>>placeholder::<f32>("stranger", dims![]));`)
       = help: make a session for each graph
    "#);
    assert_snapshot!(refusal(session.run(x, feeds![stranger => 1.0])), @r#"
    error: a fed tensor belongs to another graph than the session's
      --> `assert_snapshot!(refusal(session.>>run(x, feeds![stranger => 1.0]))`
       | the tensor  (`let stranger = TensorRef::from(other.>>placeholder::<f32>("stranger", dims![]));`)
       = help: make a session for each graph
    "#);
    assert_snapshot!(refusal(session.tensor_ref::<f32>("x")), @r#"
    error: graph `net` has no node `x`
      --> `assert_snapshot!(refusal(session.>>tensor_ref::<f32>("x"))`
       = help: did you mean `scope/x`?
    "#);
    assert_snapshot!(refusal(session.tensor_ref::<i32>("scope/x")), @r#"
    error: `scope/x` is not a tensor of i32
      --> `assert_snapshot!(refusal(session.>>tensor_ref::<i32>("scope/x"))`
       | scope/x : f32[]  (`let x = g.>>placeholder::<f32>("scope/x", dims![]);`)
    "#);
}

#[test]
fn a_tensor_that_is_fed_twice() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![]);
    let session = session(&g);
    assert_snapshot!(refusal(session.run(x, feeds![x => 1.0, x => 2.0])), @r#"
    error: `x` is fed twice
      --> `assert_snapshot!(refusal(session.>>run(x, feeds![x => 1.0, x => 2.0]))`
       | x : f32[]  (`let x = g.>>placeholder::<f32>("x", dims![]);`)
    "#);
}

#[test]
fn a_fetch_made_after_the_session() {
    let g = Graph::new();
    let x = g.variable("x", 1.0f32);
    let session = session(&g);
    let later = x + 1.0;
    assert_snapshot!(refusal(session.run((x, later), [])), @r"
    error: the fetched `add` was made after the session, whose graph is frozen
      --> `assert_snapshot!(refusal(session.>>run((x, later), []))`
       | add : f32[]  (`let later = >>x + 1.0;`)
       = help: make the session last, when the graph is complete
    ");
    assert_snapshot!(refusal(session.run(x, feeds![later => 1.0])), @r"
    error: a fed tensor was made after the session, whose graph is frozen
      --> `assert_snapshot!(refusal(session.>>run(x, feeds![later => 1.0]))`
       | the tensor  (`let later = >>x + 1.0;`)
       = help: make the session last, when the graph is complete
    ");
}

#[test]
fn a_handle_with_another_element_type() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![2]);
    let session = session(&g);
    let wrong = x.erase().assume::<i32>();
    let wide = x.erase().assume::<f64>();
    assert_snapshot!(refusal(session.run((x, wide), feeds![x => &[1.0, 2.0]])), @r#"
    error: the fetched `x` is not an array of f64
      --> `assert_snapshot!(refusal(session.>>run((x, wide), feeds![x => &[1.0, 2.0]]))`
       | x : f32[2]  (`let x = g.>>placeholder::<f32>("x", dims![2]);`)
    "#);
    // The plan for floats is there by now, and integers have the same number of bytes.
    session.run(x, feeds![x => &[1.0, 2.0]]).unwrap();
    assert_snapshot!(refusal(session.run(x, feeds![wrong => &[1, 2]])), @r#"
    error: `x` cannot hold the i32 it is fed
      --> `assert_snapshot!(refusal(session.>>run(x, feeds![wrong => &[1, 2]]))`
       | x : f32[2]  (`let x = g.>>placeholder::<f32>("x", dims![2]);`)
    "#);
    let _ = wide + 1.0;
    assert_snapshot!(mistakes(&g), @r#"
    error: add: operand `y` is f64 where another is f32
      --> `let _ = >>wide + 1.0;`
       | add = add(x, constant)
       | x : f32[2]  (`let x = g.>>placeholder::<f32>("x", dims![2]);`)
       | constant : f64[]  (`let _ = >>wide + 1.0;`)
       = help: convert one of them with `cast`
    "#);
}

#[test]
fn two_writes_of_one_variable_without_an_order() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    let double = w.assign(w * 2.0);
    let more = w.assign_add(1.0);
    let session = session(&g);
    assert_snapshot!(refusal(session.run((double, more), [])), @r#"
    error: this run writes the variable `w` twice, and nothing says which write comes first
      --> `assert_snapshot!(refusal(session.>>run((double, more), []))`
       | w : f32[]  (`let w = g.>>variable("w", 1.0f32);`)
       | assign = assign(w, mul)  (`let double = w.>>assign(w * 2.0);`)
       | assign_add = assign_add(w, constant_1)  (`let more = w.>>assign_add(1.0);`)
       = help: make the second in the scope of `let _after = g.after([first]);`, or run them one after the other
    "#);
}

#[test]
fn a_size_that_does_not_fit_when_it_is_fed() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let pairs = x.reshape(dims![_, 2]);
    let session = session(&g);
    let x_ = array![[1.0, 2.0, 3.0]];
    assert_snapshot!(refusal(session.run(pairs, feeds![x => &x_])), @r#"
    error: reshape: the 3 elements of [1, 3] do not fill the 2·D of [D, 2]
      --> `let pairs = x.>>reshape(dims![_, 2]);`
       | reshape = reshape(x) to=[D, 2]
       | x : f32[N, 3]  (`let x = g.>>placeholder::<f32>("x", dims![_, 3]);`)
    "#);
}

#[test]
fn variables_that_are_not_there() {
    let g = Graph::new();
    let _layer = g.scope("layer1");
    let w = g.variable("weights", 1.0f32);
    let _ = (w + 1.0).named("sum");
    let session = session(&g);
    let value = array![1.0f32];
    assert_snapshot!(refusal(session.set_variable("layer1/weight", &value)), @r#"
    error: there is no variable `layer1/weight`
      --> `assert_snapshot!(refusal(session.>>set_variable("layer1/weight", &value))`
       = help: did you mean `layer1/weights`?
    "#);
    assert_snapshot!(refusal(session.set_variable("weights", &value)), @r#"
    error: there is no variable `weights`
      --> `assert_snapshot!(refusal(session.>>set_variable("weights", &value))`
       = help: did you mean `layer1/weights`?
    "#);
    assert_snapshot!(refusal(session.variable::<f32>("bias")), @r#"
    error: there is no variable `bias`
      --> `assert_snapshot!(refusal(session.>>variable::<f32>("bias"))`
       = help: the variables are: layer1/weights
    "#);
    assert_snapshot!(refusal(session.variable::<f32>("layer1/sum")), @r#"
    error: there is no variable `layer1/sum`
      --> `assert_snapshot!(refusal(session.>>variable::<f32>("layer1/sum"))`
       | layer1/sum = add(layer1/weights, layer1/constant)  (`let _ = >>(w + 1.0).named("sum");`)
       = help: that is no variable: `g.variable` and `g.state` make those
    "#);
    assert_snapshot!(refusal(session.set_variable("layer1/weights", &value)), @r#"
    error: the variable `layer1/weights` cannot take a value of shape [1]
      --> `assert_snapshot!(refusal(session.>>set_variable("layer1/weights", &value))`
       | layer1/weights : f32[]  (`let w = g.>>variable("weights", 1.0f32);`)
    "#);
    assert_snapshot!(refusal(session.variable::<f64>("layer1/weights")), @r#"
    error: the variable `layer1/weights` does not hold f64
      --> `assert_snapshot!(refusal(session.>>variable::<f64>("layer1/weights"))`
       | layer1/weights : f32[]  (`let w = g.>>variable("weights", 1.0f32);`)
    "#);
}

#[test]
fn a_variable_of_a_graph_without_any_and_of_one_with_many() {
    let g = Graph::new();
    assert_snapshot!(refusal(session(&g).variable::<f32>("w")), @r#"
    error: there is no variable `w`
      --> `assert_snapshot!(refusal(session(&g).>>variable::<f32>("w"))`
       = help: the graph has no variables
    "#);
    for index in 0..11 {
        g.variable(&format!("layer{index}/w"), 0.0f32);
    }
    assert_snapshot!(refusal(session(&g).variable::<f32>("momentum")), @r#"
    error: there is no variable `momentum`
      --> `assert_snapshot!(refusal(session(&g).>>variable::<f32>("momentum"))`
       = help: the variables are: layer0/w, layer1/w, layer2/w, layer3/w, layer4/w, layer5/w, layer6/w, layer7/w and 3 more
    "#);
}

#[test]
fn nodes_that_are_not_there() {
    let g = Graph::named("net");
    let _layer = g.scope("layer1");
    let w = g.variable("weights", 1.0f32);
    let _ = g.group([w]);
    let wrong = |name: &str| readable(&g.tensor::<f32>(name).unwrap_err());
    assert_snapshot!(wrong("layer1/wieghts"), @r"
    error: graph `net` has no node `layer1/wieghts`
      --> `let wrong = |name: &str| readable(&g.>>tensor::<f32>(name).unwrap_err());`
       = help: did you mean `layer1/weights`?
    ");
    assert_snapshot!(wrong("weights"), @r"
    error: graph `net` has no node `weights`
      --> `let wrong = |name: &str| readable(&g.>>tensor::<f32>(name).unwrap_err());`
       = help: did you mean `layer1/weights`?
    ");
    assert_snapshot!(wrong("accuracy"), @r"
    error: graph `net` has no node `accuracy`
      --> `let wrong = |name: &str| readable(&g.>>tensor::<f32>(name).unwrap_err());`
    ");
    assert_snapshot!(wrong("layer1/group"), @r"
    error: `layer1/group` is not a tensor of f32
      --> `let wrong = |name: &str| readable(&g.>>tensor::<f32>(name).unwrap_err());`
       | layer1/group : operation  (`let _ = g.>>group([w]);`)
    ");
}

// ---- values -------------------------------------------------------------------------------------

#[test]
fn an_index_out_of_range() {
    let g = Graph::new();
    let table = g.variable("embedding", zeros::<f32>(dims![100, 8]));
    let words = g.placeholder::<i64>("words", dims![_, _]);
    let rows = table.gather(words);
    let session = session(&g);
    let sentence = array![[1, 2, 99], [3, 100, 5]];
    assert_snapshot!(failure(session.run(rows, feeds![words => &sentence])), @r#"
    error: gather: index 100 at position 4 is not below 100
      --> `let rows = table.>>gather(words);`
       | gather = gather(embedding, words)
       | embedding : f32[100, 8]  (`let table = g.>>variable("embedding", zeros::<f32>(dims![100, 8]));`)
       | words : i64[N, N2]  (`let words = g.>>placeholder::<i64>("words", dims![_, _]);`)
    "#);
}

#[test]
fn a_label_out_of_range() {
    let g = Graph::new();
    let logits = g.variable("logits", zeros::<f32>(dims![2, 10]));
    let labels = g.placeholder::<i32>("labels", dims![_]);
    let loss = logits.sparse_softmax_cross_entropy(labels);
    let session = session(&g);
    assert_snapshot!(failure(session.run(loss, feeds![labels => &[9, -1]])), @r#"
    error: sparse_softmax_cross_entropy: label -1 of row 1 is not one of 10 classes
      --> `let loss = logits.>>sparse_softmax_cross_entropy(labels);`
       | sparse_softmax_cross_entropy = sparse_softmax_cross_entropy(labels, logits)
       | labels : i32[2]  (`let labels = g.>>placeholder::<i32>("labels", dims![_]);`)
       | logits : f32[2, 10]  (`let logits = g.>>variable("logits", zeros::<f32>(dims![2, 10]));`)
    "#);
}

#[test]
fn a_division_of_integers_by_zero() {
    let g = Graph::new();
    let total = g.placeholder::<i64>("total", dims![_]);
    let count = g.placeholder::<i64>("count", dims![_]);
    let mean = total / count;
    let session = session(&g);
    let feeds = feeds![total => &[1, 2, 3], count => &[1, 0, 3]];
    assert_snapshot!(failure(session.run(mean, feeds)), @r#"
    error: div: division of an integer by zero, at element 1 of the result
      --> `let mean = >>total / count;`
       | div = div(total, count)
       | total : i64[N]  (`let total = g.>>placeholder::<i64>("total", dims![_]);`)
       | count : i64[N]  (`let count = g.>>placeholder::<i64>("count", dims![_]);`)
    "#);
}

#[test]
fn the_largest_of_nothing() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let largest = x.reduce_max(..);
    let session = session(&g);
    let nothing: [f32; 0] = [];
    assert_snapshot!(refusal(session.run(largest, feeds![x => &nothing])), @r#"
    error: reduce_max: of no elements none is the largest: a reduced dimension of [0] is 0
      --> `let largest = x.>>reduce_max(..);`
       | reduce_max = reduce_max(x) axes=[0]
       | x : f32[N]  (`let x = g.>>placeholder::<f32>("x", dims![_]);`)
    "#);
}

// ---- what stands in for wrong nodes -------------------------------------------------------------

#[test]
fn the_invalid_operator_stands_in_for_what_is_wrong_and_is_not_reported_again() {
    let (g, other) = (Graph::new(), Graph::new());
    let stranger = other.variable("stranger", 1.0f32);
    let x = g.variable("x", 1.0f32);
    let sum = x + stranger;
    let further = (sum * 2.0).exp();
    assert_eq!(further.to_string(), "exp : invalid");
    let invalid = g.ir().find("invalid").unwrap();
    assert_eq!(g.any(invalid).to_string(), "invalid : invalid");
    assert_eq!(g.check().unwrap_err().iter().count(), 1);
    // Data of any size stay out of messages.
    let table = g.constant_array(&Array2::<f32>::from_elem((64, 64), 0.125));
    let _ = table.matmul(g.zeros(dims![3, 3]));
    let message = g.check().unwrap_err().to_string();
    assert!(!message.contains("0.125"), "{message}");
    assert!(message.lines().count() < 16, "{message}");
}

/// Whatever is said says where.
#[test]
fn a_message_that_shows_only_with_feeds_names_the_run() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![2]);
    let session = session(&g);
    let feeds: [Feed<'_>; 0] = [];
    let mut into = array![0.0, 0.0].into_dyn();
    let (results, line) = (
        [
            session.run(x, &feeds).map(drop),
            session.run_into(x, &feeds, &mut into),
            session.prepare(x).unwrap().run(&feeds).map(drop),
            session.prepare(x).unwrap().run_into(&feeds, &mut into),
        ],
        line!() - 5,
    );
    for (index, result) in results.into_iter().enumerate() {
        let message = result.unwrap_err().to_string();
        let place = format!("--> tests/diagnostics.rs:{}:", line + index as u32);
        assert!(message.contains(&place), "{place} is not in {message}");
    }
}

// ---- sizes and labels that are fed --------------------------------------------------------------

#[test]
fn a_fed_size_that_an_operator_settled() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let y = g.stack([x, g.zeros(dims![4, 3])], 0);
    let result = session(&g).run(y, feeds![x => &Array2::ones((5, 3))]);
    assert_snapshot!(refusal(result), @r#"
    error: `x` was fed an array of shape [5, 3]: dimension 0 is 4, not 5
      --> `let result = session(&g).>>run(y, feeds![x => &Array2::ones((5, 3))]);`
       | x : f32[4, 3]  (`let x = g.>>placeholder::<f32>("x", dims![_, 3]);`)
       | `stack` made dimension 0 of `x` 4  (`let y = g.>>stack([x, g.zeros(dims![4, 3])], 0);`)
    "#);
    let x = g.placeholder::<f32>("x2", dims![_, 3]);
    let y = g.einsum("ij,ij->j", [x, g.zeros(dims![4, 3])]);
    let result = session(&g).run(y, feeds![x => &Array2::ones((5, 3))]);
    assert_snapshot!(refusal(result), @r#"
    error: `x2` was fed an array of shape [5, 3]: dimension 0 is 4, not 5
      --> `let result = session(&g).>>run(y, feeds![x => &Array2::ones((5, 3))]);`
       | x2 : f32[4, 3]  (`let x = g.>>placeholder::<f32>("x2", dims![_, 3]);`)
       | `einsum` made dimension 0 of `x2` 4  (`let y = g.>>einsum("ij,ij->j", [x, g.zeros(dims![4, 3])]);`)
    "#);
}

#[test]
fn class_numbers_and_one_hot_labels_taken_for_each_other() {
    let g = Graph::new();
    let logits = g.placeholder::<f32>("logits", dims![_, 3]);
    let one_hot = g.placeholder::<f32>("one_hot", dims![_, 3]);
    let numbers = g.placeholder::<i64>("numbers", dims![_]);
    let dense = logits.softmax_cross_entropy(one_hot);
    let sparse = logits.sparse_softmax_cross_entropy(numbers);
    let session = session(&g);
    let batch = Array2::zeros((2, 3));
    let result = session.run(dense, feeds![logits => &batch, one_hot => &[0.0, 2.0]]);
    assert_snapshot!(refusal(result), @r#"
    error: `one_hot` has 2 dimensions and was fed an array of shape [2]
      --> `let result = session.>>run(dense, feeds![logits => &batch, one_hot => &[0.0, 2.0]]);`
       | one_hot : f32[N, 3]  (`let one_hot = g.>>placeholder::<f32>("one_hot", dims![_, 3]);`)
       | goes to softmax_cross_entropy = softmax_cross_entropy(one_hot, logits)  (`let dense = logits.>>softmax_cross_entropy(one_hot);`)
       = help: a label is wanted for each class of each row, from 0 to 1, one-hot for instance; the numbers of classes, one a row, are taken by `sparse_softmax_cross_entropy`, or made one-hot with `labels.one_hot(classes)`
    "#);
    let labels = array![[1i64, 0, 0], [0, 0, 1]];
    let result = session.run(sparse, feeds![logits => &batch, numbers => &labels]);
    assert_snapshot!(refusal(result), @r#"
    error: `numbers` has 1 dimension and was fed an array of shape [2, 3]
      --> `let result = session.>>run(sparse, feeds![logits => &batch, numbers => &labels]);`
       | numbers : i64[N]  (`let numbers = g.>>placeholder::<i64>("numbers", dims![_]);`)
       | goes to sparse_softmax_cross_entropy = sparse_softmax_cross_entropy(numbers, logits)  (`let sparse = logits.>>sparse_softmax_cross_entropy(numbers);`)
       = help: the number of one class is wanted for each row; labels for each class, one-hot for instance, are taken by `softmax_cross_entropy`, or turned into numbers with `labels.argmax(-1)`
    "#);
    let labels = array![[0i64], [2]];
    let result = session.run(sparse, feeds![logits => &batch, numbers => &labels]);
    assert_snapshot!(refusal(result), @r#"
    error: `numbers` has 1 dimension and was fed an array of shape [2, 1]
      --> `let result = session.>>run(sparse, feeds![logits => &batch, numbers => &labels]);`
       | numbers : i64[N]  (`let numbers = g.>>placeholder::<i64>("numbers", dims![_]);`)
       | goes to sparse_softmax_cross_entropy = sparse_softmax_cross_entropy(numbers, logits)  (`let sparse = logits.>>sparse_softmax_cross_entropy(numbers);`)
       = help: the number of one class is wanted for each row: leave out the last dimension, of size 1, with `labels.squeeze(&[-1])`
    "#);
    let _ = logits.softmax_cross_entropy(numbers.cast::<f32>());
    assert_snapshot!(mistakes(&g), @r#"
    error: softmax_cross_entropy: labels of shape [N] do not fit logits of shape [N, 3]
      --> `let _ = logits.>>softmax_cross_entropy(numbers.cast::<f32>());`
       | softmax_cross_entropy_1 = softmax_cross_entropy(cast, logits)
       | cast : f32[N]  (`let _ = logits.softmax_cross_entropy(numbers.>>cast::<f32>());`)
       | logits : f32[N, 3]  (`let logits = g.>>placeholder::<f32>("logits", dims![_, 3]);`)
       = help: a label is wanted for each class of each row, from 0 to 1, one-hot for instance; the numbers of classes, one a row, are taken by `sparse_softmax_cross_entropy`, or made one-hot with `labels.one_hot(classes)`
    "#);
}

#[test]
fn a_label_that_is_no_class_blames_the_loss_and_not_its_gradient() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 2]);
    let labels = g.placeholder::<i64>("labels", dims![_]);
    let logits = x.matmul(g.variable("w", zeros(dims![2, 3])));
    let loss = logits.sparse_softmax_cross_entropy(labels).reduce_mean(..);
    let train_step = GradientDescent::new(0.1).minimize(loss);
    let result = session(&g).run(train_step, feeds![x => &Array2::ones((1, 2)), labels => &[3i64]]);
    assert_snapshot!(failure(result), @r#"
    error: sparse_softmax_cross_entropy: label 3 of row 0 is not one of 3 classes
      --> `let loss = logits.>>sparse_softmax_cross_entropy(labels).reduce_mean(..);`
       | sparse_softmax_cross_entropy = sparse_softmax_cross_entropy(labels, matmul)
       | labels : i64[N]  (`let labels = g.>>placeholder::<i64>("labels", dims![_]);`)
       | matmul : f32[N, 3]  (`let logits = x.>>matmul(g.variable("w", zeros(dims![2, 3])));`)
       | its gradient: grad/sparse_softmax_cross_entropy/sparse_softmax_cross_entropy_gradient = sparse_softmax_cross_entropy_gradient(labels, matmul, grad/reduce_mean/broadcast_to)  (`let train_step = GradientDescent::new(0.1).>>minimize(loss);`)
    "#);
}

#[test]
fn a_loop_with_many_captures_is_told_in_a_few_lines() {
    let g = Graph::new();
    let captured: Vec<Tensor<f32>> =
        (0..17).map(|i| g.placeholder::<f32>(&format!("c{i}"), dims![])).collect();
    let first = g.zeros::<f32>(dims![2]);
    let total = captured.iter().fold(first, |sum, &x| sum + x);
    let _ = g.while_loop(
        total,
        |x| x.reduce_sum(..).less(10.0),
        |x| g.concat([captured.iter().fold(x, |sum, &x| sum + x), first], 0),
    );
    assert_snapshot!(mistakes(&g), @r#"
    error: while_loop: the carried value 0, `add_16`, is f32[2] at first and f32[4] after an iteration
      --> `let _ = g.>>while_loop(`
       | while_loop = while_loop(add_16, c0, c1, c2, ... 15 more)
       | add_16 : f32[2]  (`let total = captured.iter().fold(first, |sum, &x| >>sum + x);`)
       | c0 : f32[]  (`(0..17).map(|i| g.>>placeholder::<f32>(&format!("c{i}"), dims![])).collect();`)
       | c1 : f32[]  (`(0..17).map(|i| g.>>placeholder::<f32>(&format!("c{i}"), dims![])).collect();`)
       | c2 : f32[]  (`(0..17).map(|i| g.>>placeholder::<f32>(&format!("c{i}"), dims![])).collect();`)
       | and 15 more operands
       = help: what a loop carries keeps its element type and shape: pad it to the largest, or collect it with `scan`
    "#);
    let g = Graph::new();
    let captured: Vec<Tensor<i32>> =
        (0..17).map(|i| g.placeholder::<i32>(&format!("c{i}"), dims![])).collect();
    let total = g.while_loop(
        g.constant(1i32),
        |x| x.tensor().less(10),
        |x| captured.iter().fold(x.tensor() / 0, |sum, &x| sum + x).into(),
    );
    let feeds: Vec<Feed> = captured.iter().map(|&x| Feed::new(x, 0)).collect();
    let result = session(&g).run(total, feeds);
    assert_snapshot!(failure(result), @r#"
    error: while_loop: in iteration 0, in the body `while_loop/body`, div: division of an integer by zero, at element 0 of the result (`div`, `|x| captured.iter().fold(>>x.tensor() / 0, |sum, &x| sum + x).into(),`)
      --> `let total = g.>>while_loop(`
       | while_loop = while_loop(constant, c0, c1, c2, ... 14 more)
       | constant : i32[]  (`g.>>constant(1i32),`)
       | c0 : i32[]  (`(0..17).map(|i| g.>>placeholder::<i32>(&format!("c{i}"), dims![])).collect();`)
       | c1 : i32[]  (`(0..17).map(|i| g.>>placeholder::<i32>(&format!("c{i}"), dims![])).collect();`)
       | c2 : i32[]  (`(0..17).map(|i| g.>>placeholder::<i32>(&format!("c{i}"), dims![])).collect();`)
       | and 14 more operands
    "#);
}

// ---- what is no mistake, and seldom meant -------------------------------------------------------

#[test]
fn two_unknown_sizes_that_stretch_each_other_are_warned_of() {
    let g = Graph::new();
    let predicted = g.placeholder::<f32>("predicted", dims![_, 1]);
    let wanted = g.placeholder::<f32>("wanted", dims![_]);
    let _ = (predicted - wanted).square().reduce_mean(..);
    g.check().unwrap();
    let warnings: Vec<String> = g.warnings().iter().map(readable).collect();
    assert_snapshot!(warnings.join("\n\n"), @r#"
    warning: sub: each of N meets each of N2, which gives f32[N, N2]: two unknown sizes stretch each other
      --> `let _ = >>(predicted - wanted).square().reduce_mean(..);`
       | sub = sub(predicted, wanted)
       | predicted : f32[N, 1]  (`let predicted = g.>>placeholder::<f32>("predicted", dims![_, 1]);`)
       | wanted : f32[N2]  (`let wanted = g.>>placeholder::<f32>("wanted", dims![_]);`)
       = help: if one of each is meant, give both one shape: `x.squeeze(&[-1])`, or `y.expand_dims(-1)`; if all pairs are, say so: `y.expand_dims(0)`
    "#);
    // A graph that was read is inferred again, and warned of again.
    let read = Graph::parse(&g.to_string()).unwrap();
    assert_eq!(read.warnings().len(), 1);
    let warning = read.warnings()[0].to_string();
    assert!(
        warning.contains("  --> line ") && warning.contains("of the graph's text"),
        "{warning}"
    );
}

#[test]
fn a_warning_of_a_body_is_told_once() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 1]);
    let y = g.placeholder::<f32>("y", dims![_]);
    let w = g.variable("w", 1.0f32);
    let loss =
        g.cond(true, (x, y), |(x, y)| (x * w - y).reduce_mean(..), |(x, _)| x.reduce_sum(..));
    let _ = GradientDescent::new(0.1).minimize(loss);
    g.check().unwrap();
    assert_eq!(g.warnings().len(), 1, "{:?}", g.warnings());
}

#[test]
fn ordinary_broadcasts_are_not_warned_of() {
    let g = Graph::new();
    let f = |name: &str, shape| g.placeholder::<f32>(name, shape);
    // A column and a row of known size, biases, masks of attention, positions.
    let column = f("column", dims![_, 1]);
    let _ = column + g.zeros(dims![10]);
    let _ = f("images", dims![_, _, _, 3]) + f("bias", dims![3]);
    let scores = f("scores", dims!["batch", 8, "from", "to"]);
    let _ = scores + f("mask", dims!["batch", 1, 1, "to"]);
    let _ = f("scores2", dims![_, 8, _, _]) + f("mask2", dims![_, 1, 1, _]);
    let _ = f("causal", dims![_, _]) + f("scores3", dims![_, 8, _, _]);
    let _ = f("positions", dims![_, 64]) + f("tokens", dims![_, _, 64]);
    let _ = f("weights", dims![_, 1]) * f("rows", dims![_, 5]);
    let x = f("x", dims![_, 5]);
    let _ = x / x.reduce_sum(keep_dims(1));
    let _ = (x - x.reduce_mean(0)) / x.reduce_max(..).tensor();
    // Both have the dimension that the other lacks: all pairs are asked for.
    let (a, b) = (f("a", dims![_]), f("b", dims![_]));
    let _ = a.expand_dims(1) - b.expand_dims(0);
    let _ = a.expand_dims(1) - a;
    let _ = g.einsum("i,j->ij", [a, b]);
    // Sizes that turned out to be equal, or numbers.
    let (c, d) = (f("c", dims![_, 1]), f("d", dims![_]));
    let _ = (c - d, c.squeeze(&[1]) + d);
    let (c, d) = (f("c2", dims![_, 1]), f("d2", dims![_]));
    let _ = (c - d, d + g.zeros(dims![1]) + g.zeros(dims![7]));
    let model = BatchNorm::new().apply(x, true).output.layer_norm(1.0, g.zeros(dims![5]), 1e-3);
    let loss = model.softmax_cross_entropy(x).reduce_mean(..);
    let _ = loss;
    assert_eq!(g.warnings(), []);
}
