//! Branches and loops in the graph.

use abeyance::prelude::*;
use abeyance::session::Feed;
use ndarray::{Array1, Array2, ArrayD, array};

fn session(graph: &Graph) -> Session {
    Session::new(graph).unwrap_or_else(|error| panic!("{graph}\n{error}"))
}

#[test]
fn a_branch_is_taken_by_a_predicate_and_captures_what_it_uses() {
    let g = Graph::new();
    let p = g.placeholder::<bool>("p", dims![]);
    let x = g.placeholder::<f64>("x", dims![_]);
    let w = g.variable("w", 3.0f64);
    let (y, z) = g.cond(
        p,
        (x, w),
        |(x, w)| (x * w, w + 1.0),
        |(x, _)| (x - w, x.reduce_sum(..).tensor()),
    );
    let [dw] = gradients((y * y).reduce_sum(..) + z, [w]);
    let session = session(&g);
    let x_ = [1.0, 2.0];
    let (y1, z1, dw1) = session
        .run((y, z.scalar(), dw.scalar()), feeds![p => true, x => &x_])
        .unwrap_or_else(|e| panic!("{g}\n{e}"));
    assert_eq!(y1.as_slice().unwrap(), [3.0, 6.0]);
    assert_eq!(z1, 4.0);
    assert_eq!(dw1, 2.0 * (3.0 + 12.0) + 1.0);
    let (y1, z1, dw1) = session
        .run((y, z.scalar(), dw.scalar()), feeds![p => false, x => &x_])
        .unwrap();
    assert_eq!(y1.as_slice().unwrap(), [-2.0, -1.0]);
    assert_eq!(z1, 3.0);
    assert_eq!(dw1, -2.0 * (-2.0 - 1.0));
    println!("{g}");
    assert_eq!(
        Graph::parse(&g.to_string())
            .unwrap_or_else(|e| panic!("{g}\n{e}"))
            .to_string(),
        g.to_string()
    );
}

#[test]
fn a_loop() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims!["N", 2]);
    let w = g.variable("w", &array![[0.5, 0.25], [-0.5, 1.0]]);
    let n = g.placeholder::<i64>("n", dims![]);
    let (_, y) = g.while_loop(
        (g.constant(0i64), x),
        |(i, _)| i.less(n),
        |(i, x)| (i + 1, x.matmul(w).tanh()),
    );
    let [dx, dw] = gradients(y.square().reduce_sum(..), [x, w]);
    let mut z = x;
    for _ in 0..3 {
        z = z.matmul(w).tanh();
    }
    let [ex, ew] = gradients(z.square().reduce_sum(..), [x, w]);
    let session = session(&g);
    let x_ = array![[1.0, 2.0], [0.5, -1.0], [0.25, 0.75]];
    let (a, b) = session
        .run(((y, dx, dw), (z, ex, ew)), feeds![x => &x_, n => 3])
        .unwrap_or_else(|e| panic!("{g}\n{e}"));
    println!("{g}");
    assert_eq!(a, b);
    assert_eq!(
        Graph::parse(&g.to_string())
            .unwrap_or_else(|e| panic!("{g}\n{e}"))
            .to_string(),
        g.to_string()
    );
}

#[test]
fn a_scan() {
    let g = Graph::new();
    let xs = g.placeholder::<f64>("xs", dims!["T", "N", 2]);
    let w = g.variable("w", &array![[0.5, 0.25], [-0.5, 1.0]]);
    let h0 = g.zeros::<f64>(dims![xs.dim(1), 2]);
    let (last, all) = g.scan(h0, xs, |h, x| {
        let h = (x + h.matmul(w)).tanh();
        (h, h)
    });
    let [dxs, dw] = gradients(last.square().reduce_sum(..) + all.reduce_sum(..), [xs, w]);
    println!("{g}");
    let session = session(&g);
    let x_ = ndarray::Array3::from_shape_fn((4, 3, 2), |(t, n, i)| {
        (t as f64 - n as f64 + 0.5 * i as f64).sin()
    });
    let a = session
        .run((last, all, dxs, dw), feeds![xs => &x_])
        .unwrap_or_else(|e| panic!("{g}\n{e}"));
    println!("{a:?}");
    assert_eq!(
        Graph::parse(&g.to_string())
            .unwrap_or_else(|e| panic!("{g}\n{e}"))
            .to_string(),
        g.to_string()
    );
}
