//! The mistakes that layers report, and that they name the line of the call.

use abeyance_graph::{Graph, dims, glorot_uniform, ones};
use abeyance_ir::Location;
use abeyance_layers::{Dense, dense, dropout, flatten};

#[test]
fn inputs_that_do_not_fit_are_named_with_the_line() {
    let g = Graph::new();
    let scalar = g.placeholder::<f32>("scalar", dims![]);
    let open = g.placeholder::<f32>("open", dims![_, _]);
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let flags = g.placeholder::<bool>("flags", dims![3]);
    let first = line!() + 1;
    dense(scalar, 10, glorot_uniform);
    dense(open, 10, glorot_uniform);
    Dense::new(10).name("hidden").apply(open);
    flatten(scalar);
    dropout(x, 1.0, true);
    dropout(x, f64::NAN, true);
    dropout(x, 0.5, flags);
    Dense::new(usize::MAX).without_bias().apply(x);
    Dense::new(10).name("a b").apply(x);
    Dense::new(10).kernel(|_| ones(dims![4, 4])).apply(x);
    let mistakes = g.check().unwrap_err();
    let told = mistakes.iter().map(|told| (line_of(told), &*told.message));
    let told: Vec<_> = told.map(|(line, message)| (line - first, message)).collect();
    let wanted = [
        (0, "dense: `scalar : f32[]` has no dimension to take weighted sums over"),
        (1, "dense: the last dimension of `open : f32[N, N2]` has to be known"),
        (2, "Dense: the last dimension of `open : f32[N, N2]` has to be known"),
        (3, "flatten: `scalar : f32[]` has no dimensions"),
        (4, "dropout: 1 is not a fraction of elements to drop"),
        (5, "dropout: NaN is not a fraction of elements to drop"),
        (6, "has to be a scalar"),
        (7, "Dense: "),
        (8, "a b"),
        (9, "the inner dimensions 3 and 4 differ"),
    ];
    for (told, wanted) in told.iter().zip(wanted) {
        assert_eq!(told.0, wanted.0, "{mistakes}");
        assert!(told.1.contains(wanted.1), "{} for {}", told.1, wanted.1);
    }
    assert_eq!(told.len(), wanted.len(), "{mistakes}");
}

fn line_of(mistake: &abeyance_ir::Diagnostic) -> u32 {
    match mistake.location {
        Location::Source(at) if at.file().ends_with("mistakes.rs") => at.line(),
        other => panic!("{other}"),
    }
}

#[test]
fn what_follows_from_a_mistake_is_not_told_again() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let wrong = x.matmul(x).matmul(g.zeros(dims![4, 4])).matmul(x);
    let h = dense(flatten(wrong), 10, glorot_uniform).relu();
    dense(dropout(h, 0.5, true), 10, glorot_uniform);
    assert_eq!(g.check().unwrap_err().0.len(), 1, "{}", g.check().unwrap_err());
}

#[test]
fn every_node_of_a_layer_points_at_the_call() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let first = g.ir().len();
    let line = line!() + 1;
    dropout(dense(flatten(x), 10, glorot_uniform), 0.5, true);
    let ir = g.ir();
    for (id, node) in ir.iter().skip(first) {
        let Location::Source(at) = node.location else {
            panic!("{} comes from nowhere", ir.describe(id));
        };
        assert_eq!((at.line(), at.file().ends_with("mistakes.rs")), (line, true));
    }
}
