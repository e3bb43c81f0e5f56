//! A model is trained further.

use abeyance_session::{Feed, Session};
use abeyance_train::{GradientDescent, Optimizer};
use ndarray::Array2;

use crate::model::{bytes, floats, int, model, node, port};

#[test]
fn an_imported_model_is_trained_further() {
    let weights: Vec<f32> = (0..12).map(|place| (place % 5) as f32 * 0.2 - 0.4).collect();
    let model = model(
        vec![port("x", &["batch", "4"])],
        vec![floats("fc.weight", &[3, 4], &weights), floats("fc.bias", &[3], &[0.0; 3])],
        vec![node("Gemm", &["x", "fc.weight", "fc.bias"], &["logits"], vec![int("transB", 1)])],
        vec![port("logits", &["batch", "3"])],
    );
    let g = abeyance_onnx::import(&bytes(&model)).expect("an import");
    let logits = g.tensor::<f32>("logits").expect("the output");
    let labels = g.placeholder::<i64>("labels", abeyance_graph::dims!["batch"]);
    let loss = logits.sparse_softmax_cross_entropy(labels).reduce_mean(..);
    let train_step = GradientDescent::new(0.5).minimize(loss);

    let session = Session::new(&g).expect("a session");
    assert_eq!(
        session.variable::<f32>("fc.weight").expect("the weights").as_slice(),
        Some(&weights[..])
    );
    let x = g.tensor::<f32>("x").expect("the input");
    // Each class is where one coordinate is largest.
    let points =
        Array2::from_shape_fn((30, 4), |(row, column)| if row % 3 == column { 1.0 } else { 0.1 });
    let classes: Vec<i64> = (0..30).map(|row| row % 3).collect();
    let run = |step: bool| {
        let feeds = [Feed::new(x, &points), Feed::new(labels, &classes)];
        if step { session.run(train_step, feeds).map(|()| 0.0) } else { session.run(loss, feeds) }
            .expect("a run")
    };
    let before = run(false);
    for _ in 0..50 {
        run(true);
    }
    let after = run(false);
    assert!(after < before / 3.0, "the loss went from {before} to {after}");
}
