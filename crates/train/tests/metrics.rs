//! Metrics on a few examples counted by hand.

use abeyance_graph::{Graph, dims};
use abeyance_session::{Session, feeds};
use abeyance_train::metrics::{accuracy, confusion_matrix, sparse_accuracy};
use ndarray::{Array2, arr1, arr2};

#[test]
fn accuracy_of_one_hot_and_of_sparse_labels() {
    let g = Graph::new();
    let logits = g.placeholder::<f64>("logits", dims![_, 3]);
    let labels = g.placeholder::<f64>("labels", dims![_, 3]);
    let wide = g.placeholder::<i64>("wide", dims![_]);
    let narrow = g.placeholder::<i32>("narrow", dims![_]);
    let metrics = (
        accuracy(logits, labels),
        accuracy(logits.softmax(), labels),
        sparse_accuracy(logits, wide),
        sparse_accuracy(logits, narrow),
    );
    assert_eq!(metrics.0.name(), "accuracy");
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    let scores = arr2(&[[0.1, 2.0, -1.0], [5.0, 1.0, 0.0], [0.0, 1.0, 3.0], [-3.0, -1.0, -2.0]]);
    let one_hot = arr2(&[[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]);
    let feeds = feeds![
        logits => &scores, labels => &one_hot,
        wide => &[1i64, 1, 2, 1], narrow => &[1i32, 1, 2, 7]
    ];
    assert_eq!(session.run(metrics, feeds).unwrap(), (0.75, 0.75, 0.75, 0.5));
}

#[test]
fn accuracy_of_nothing_is_nan() {
    let g = Graph::new();
    let logits = g.placeholder::<f32>("logits", dims![_, 3]);
    let accuracy = accuracy(logits, logits);
    let session = Session::new(&g).unwrap();
    let nothing = Array2::<f32>::zeros((0, 3));
    let found = session.run(accuracy, feeds![logits => &nothing]).unwrap();
    assert!(found.is_nan());
}

#[test]
fn a_confusion_matrix_has_a_row_for_each_label() {
    let g = Graph::new();
    let labels = g.placeholder::<i32>("labels", dims![_]);
    let predictions = g.placeholder::<i64>("predictions", dims![_]);
    let matrix = confusion_matrix(labels, predictions, 3);
    assert_eq!(matrix.to_string(), "confusion_matrix : i64[3, 3]");
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    let (truth, guesses) = (arr1(&[0, 0, 1, 2, 2, 2]), arr1(&[0i64, 1, 1, 2, 2, 0]));
    let found = session.run(matrix, feeds![labels => &truth, predictions => &guesses]);
    let wanted = arr2(&[[1i64, 1, 0], [0, 1, 0], [1, 0, 2]]);
    assert_eq!(found.unwrap(), wanted.into_dyn());
}

#[test]
fn labels_of_the_other_kind_are_a_mistake_with_the_line() {
    let g = Graph::new();
    let logits = g.placeholder::<f32>("logits", dims![_, 3]);
    let sparse = g.placeholder::<i64>("sparse", dims![_, 1]);
    let dense = g.placeholder::<f32>("dense", dims![_]);
    let line = line!() + 1;
    sparse_accuracy(logits, sparse);
    accuracy(logits, dense);
    let mistakes = g.check().unwrap_err();
    let told: Vec<&str> = mistakes.iter().map(|told| &*told.message).collect();
    assert_eq!(told.len(), 2, "{mistakes}");
    assert!(told[0].starts_with("sparse_accuracy: the labels `sparse : i64["), "{mistakes}");
    assert!(told[1].starts_with("accuracy: the labels `dense : f32["), "{mistakes}");
    for (index, mistake) in mistakes.iter().enumerate() {
        let place = format!("metrics.rs:{}:", line + index as u32);
        assert!(mistake.location.to_string().contains(&place), "{mistake}");
    }
}
