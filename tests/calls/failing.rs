//! Calls that only values or fed sizes show to be wrong.

use abeyance::ndarray::{Array1, Array2, array};
use abeyance::prelude::*;
use abeyance::session::Error;

type Run = fn() -> Result<(), Error>;

/// A run that fetches a tensor made from fed numbers and a fed matrix `[_, 3]`.
macro_rules! fails {
    ($(|$g:ident, $n:ident, $x:ident| $key:literal, $numbers:expr, $rows:literal, $make:expr;)*) => {
        vec![$(($key, || {
            let $g = &Graph::new();
            let $n = $g.placeholder::<i64>("n", dims![_]);
            let $x = $g.placeholder::<f32>("x", dims![_, 3]);
            let made = $make;
            let session = Session::with_options($g, SessionOptions::new().threads(1))?;
            let (numbers, matrix): (Array1<i64>, _) = ($numbers, Array2::from_elem(($rows, 3), 0.5f32));
            session.run(made, feeds![$n => &numbers, $x => &matrix]).map(drop)
        })),*]
    };
}

pub fn rows() -> Vec<(&'static str, Run)> {
    fails! {
        |g, n, x| "gather", array![5], 2, x.gather(n);
        |g, n, x| "gather_along", array![5], 2, x.gather_along(n, 1);
        |g, n, x| "embedding_lookup", array![-1], 2, x.embedding_lookup(n);
        |g, n, x| "gather_nd", array![1, 5], 2, x.gather_nd(n.reshape(dims![2]));
        |g, n, x| "scatter_nd", array![7], 1, x.scatter_nd(n.reshape(dims![_, 1]), dims![4, 3]);
        |g, n, x| "scatter_add", array![7], 1, x.scatter_add(n, dims![4, 3]);
        |g, n, x| "take_along_axis", array![7, 7, 7], 1, x.take_along_axis(n.reshape(dims![1, 3]), 1);
        |g, n, x| "segment_sum", array![1, 0], 2, x.segment_sum(n, 2);
        |g, n, x| "unsorted_segment_sum", array![1, 9], 2, x.unsorted_segment_sum(n, 2);
        |g, n, x| "in_top_k", array![1, 9], 2, x.in_top_k(n, 1);
        |g, n, x| "sparse_softmax_cross_entropy", array![1, 9], 2, x.sparse_softmax_cross_entropy(n);
        |g, n, x| "check_numerics", array![1], 2, (x / 0.0).check_numerics("x");
        |g, n, x| "split", array![1], 5, x.split(2, 0)[1];
        |g, n, x| "split_sizes", array![1], 2, x.split_sizes(&[2, -1, 2], 0)[1];
        |g, n, x| "pad_reflect", array![1], 2, x.pad_reflect([[0, 3], [0, 0]]);
        |g, n, x| "pad_symmetric", array![1], 2, x.pad_symmetric([[4, 0], [0, 0]]);
        |g, n, x| "reshape", array![1], 2, x.reshape(dims![_, 4]);
        |g, n, x| "top_k", array![1], 2, x.transpose().top_k(3).0;
        |g, n, x| "floor_div", array![1, 0], 2, n.floor_div(n);
        |g, n, x| "div", array![1, 0], 2, n / (n * 1);
        |g, n, x| "from_fn", array![1], 2, g.from_fn("f", x, dims![2, 3], |_| Err::<Array2<f32>, _>("no".to_owned()).map(|a| a.into_dyn()));
        |g, n, x| "argmax", array![1], 0, x.argmax(0);
        |g, n, x| "reduce_max", array![1], 0, x.reduce_max(0);
        |g, n, x| "while_loop_at_most", array![1], 1, g.while_loop_at_most(2, x, |x| x.reduce_sum(..).less(100.0), |x| x + 1.0);
    }
}

/// An error in a gradient names the call that it is the gradient of.
#[test]
fn a_failing_gradient_is_told_as_what_it_is_the_gradient_of() {
    let g = Graph::new();
    let labels = g.placeholder::<i64>("labels", dims![_]);
    let w = g.variable("w", zeros(dims![1, 3]));
    let x = g.placeholder::<f32>("x", dims![_, 1]);
    let (loss, line) = (x.matmul(w).sparse_softmax_cross_entropy(labels).reduce_mean(..), line!());
    let train_step = GradientDescent::new(0.1).minimize(loss);
    let session = Session::new(&g).unwrap();
    let error = session.run(train_step, feeds![x => &array![[1.0f32]], labels => &[7i64]]);
    let message = error.unwrap_err().to_string();
    assert!(message.starts_with("error: sparse_softmax_cross_entropy: "), "{message}");
    assert!(message.contains(&format!("  --> tests/calls/failing.rs:{line}:")), "{message}");
    assert!(message.contains("labels : i64[N]"), "{message}");
    assert!(
        !message.starts_with("error: sparse_softmax_cross_entropy: in its gradient"),
        "{message}"
    );
}

/// A graph that was read keeps lines and the names of parts.
#[test]
fn a_graph_that_was_saved_tells_the_line_and_the_whole() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let (padded, line) = (x.pad_reflect([[0, 3], [0, 0]]).named("padded"), line!());
    assert_eq!(padded.name(), "padded");
    let folder = std::env::temp_dir().join(format!("abeyance-calls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("g.graph");
    let whole = x.pad_symmetric([[4, 0], [0, 0]]);
    assert_eq!(whole.name(), "pad_symmetric");
    g.save(&file).unwrap();
    let read = Graph::load(&file).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let session = Session::new(&read).unwrap();
    let run = |name: &str| {
        let y = read.tensor::<f32>(name).unwrap();
        let x = read.tensor::<f32>("x").unwrap();
        session.run(y, feeds![x => &Array2::<f32>::zeros((2, 3))]).unwrap_err().to_string()
    };
    let message = run("padded");
    assert!(message.contains(&format!("  --> tests/calls/failing.rs:{line}:")), "{message}");
    let message = run("pad_symmetric");
    assert!(message.contains("a part of `pad_symmetric : "), "{message}");
}
