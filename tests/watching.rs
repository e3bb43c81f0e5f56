//! Values looked at while a graph runs: `check_numerics` and `print`.

use std::process::{Command, Stdio};

use abeyance::prelude::*;
use ndarray::{ArrayD, arr1};

#[test]
fn finite_values_pass_a_check() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let checked = x.check_numerics("x");
    assert_eq!(checked.to_string(), "check_numerics : f32[N]");
    let session = Session::new(&g).unwrap();
    let values = arr1(&[f32::MAX, -0.0, f32::MIN_POSITIVE]);
    let found = session.run(checked, feeds![x => &values]).unwrap();
    assert_eq!(found, values.into_dyn());
    assert_eq!(session.run(checked, feeds![x => &[0.0f32; 0]]).unwrap().len(), 0);
}

#[test]
fn what_is_not_finite_is_counted_and_the_node_named() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let checked = x.log().check_numerics("the loss \"now\"").named("guard");
    let unused = x + 1.0;
    let session = Session::new(&g).unwrap();
    let hostile = arr1(&[1.0f32, 0.0, -1.0, -2.0]);
    let error = session.run(checked, feeds![x => &hostile]).unwrap_err();
    let message = error.to_string();
    for part in [
        "check_numerics: the loss \"now\": 2 NaN and 1 infinite of 4 elements",
        "guard = check_numerics(log) message=\"the loss \\\"now\\\"\"",
        "tests/watching.rs",
    ] {
        assert!(message.contains(part), "{message}");
    }
    // Who does not need it is not held up.
    session.run(unused, feeds![x => &hostile]).unwrap();
}

#[test]
fn a_failed_check_is_the_same_on_any_number_of_threads() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_]);
    let checked = x.check_numerics("x");
    let mut values = ArrayD::<f64>::zeros(vec![300_000]);
    for at in [7, 150_000, 299_999] {
        values[at] = f64::NAN;
    }
    for threads in [1, 4] {
        let options = SessionOptions::new().threads(threads);
        let session = Session::with_options(&g, options).unwrap();
        let error = session.run(checked, feeds![x => &values]).unwrap_err();
        assert!(error.to_string().contains("x: 3 NaN of 300000 elements"));
    }
}

#[test]
fn a_gradient_is_checked_as_well() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![]);
    let [slope] = gradients(x.check_numerics("root").sqrt(), [x]);
    let session = Session::new(&g).unwrap();
    assert_eq!(session.run(slope.scalar(), feeds![x => 4.0]).unwrap(), 0.25);
    let error = session.run(slope, feeds![x => 0.0]).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("check_numerics: gradient: root: 1 infinite of 1 element"),
        "{message}"
    );
}

#[test]
fn a_message_stands_in_quotes_in_the_text() {
    let g = Graph::new();
    g.placeholder::<f32>("x", dims![2]).check_numerics("a # \\ \"b\"\n:");
    let text = g.to_text();
    assert!(text.contains(r#"check_numerics(x) message="a # \\ \"b\"\u{a}:""#), "{text}");
    assert_eq!(Graph::parse(&text).unwrap().to_string(), text);
    let quoted = r#" message="a # \\ \"b\"\u{a}:""#;
    let bare = text.replace(quoted, " message=loss");
    let message = Graph::parse(&bare).err().unwrap().to_string();
    assert!(message.contains("expected a text in quotes, found `loss`"), "{message}");
    // An empty one need not be said.
    let silent = text.replace(quoted, "");
    assert!(Graph::parse(&silent).is_ok());
}

#[test]
fn a_failed_check_leaves_variables_alone() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    let x = g.placeholder::<f32>("x", dims![]);
    let loss = (w * x).check_numerics("loss").scalar();
    let step = GradientDescent::new(0.5).minimize(loss);
    let session = Session::new(&g).unwrap();
    // The step alone needs the gradient, not the loss.
    assert!(session.run((step, loss), feeds![x => f32::INFINITY]).is_err());
    assert_eq!(session.run(w.scalar(), []).unwrap(), 1.0);
    session.run(step, feeds![x => 1.0]).unwrap();
    assert_eq!(session.run(w.scalar(), []).unwrap(), 0.5);
}

/// The name of the variable that makes [`prints`] print.
const CHILD: &str = "ABEYANCE_TEST_PRINTS";

/// Run in a process of its own by [`lines_are_written_once_a_run`], and does nothing else.
#[test]
fn prints() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let shown = x.print("the input").named("shown");
    let flags = x.greater(1.5).print("");
    let unused = x.print("never");
    let y = (shown * 2.0 + shown).reduce_sum(..);
    let [slope] = gradients(y, [x]);
    let session = Session::with_options(&g, SessionOptions::new().threads(3)).unwrap();
    let values = ArrayD::from_shape_fn(vec![4, 3], |at| (at[0] * 3 + at[1]) as f32);
    assert_eq!(session.run(y, feeds![x => &values]).unwrap(), 198.0);
    session.run((y, flags), feeds![x => &values]).unwrap();
    session.run(slope, feeds![x => &values]).unwrap();
    session.run(y, feeds![x => &ArrayD::zeros(vec![0, 3])]).unwrap();
    let large = ArrayD::<f32>::zeros(vec![200_000, 3]);
    session.run(shown, feeds![x => &large]).unwrap();
    let _ = unused;
}

#[test]
fn lines_are_written_once_a_run() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "prints", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert!(child.status.success());
    let text = String::from_utf8(child.stderr).unwrap();
    let mut lines: Vec<&str> = text.lines().filter(|line| line.contains("[")).collect();
    let small = "the input: f32[4, 3] min 0.0 mean 5.5 max 11.0 [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, ... 4 more]";
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "print_1: bool[4, 3] 10 true [false, false, true, true, true, true, true, true, ... 4 more]",
            "the input: f32[0, 3] []",
            "the input: f32[200000, 3] min 0.0 mean 0.0 max 0.0 [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ... 599992 more]",
            small,
            small,
        ],
        "{text}"
    );
}
