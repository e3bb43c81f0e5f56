//! ONNX's node tests: models of one operator each, with inputs and the outputs that belong to them.
//!
//! The tests of the release 1.22.0 are run where they are found: in the folder that
//! `ABEYANCE_ONNX_TESTS` names (`.../onnx/backend/test/data/node`), or in that of the Python
//! package `onnx`. A few of them are in `tests/data`, and are run always.

mod case;
mod folder;
mod light;
mod report;
#[path = "../export/runtime.rs"]
mod runtime;

/// The messages as the library has them, to look into models with.
#[allow(clippy::all, dead_code, missing_docs)]
mod proto {
    include!("../../src/proto/onnx.rs");
}

use std::path::Path;

use case::{Case, Verdict};
use report::Report;

#[test]
fn the_node_tests_in_the_repository_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/node");
    let cases = Case::all(&folder);
    assert!(cases.len() >= 40, "only {} cases in {}", cases.len(), folder.display());
    for case in cases {
        match case.run() {
            Verdict::Passed => {}
            other => panic!("{}: {other:?}", case.name),
        }
    }
}

#[test]
fn the_node_tests_of_onnx_pass_or_are_left_out_for_a_reason() {
    let Some(folder) = folder::node_tests() else {
        eprintln!(
            "SKIPPED: ONNX's node tests were not found; set ABEYANCE_ONNX_TESTS or install the Python package onnx==1.22.0"
        );
        return;
    };
    let mut report = Report::default();
    for case in Case::all(&folder) {
        let verdict = case.run();
        report.add(&case, verdict);
    }
    println!("{report}");
    println!(
        "{} went through an export too",
        case::EXPORTED.load(std::sync::atomic::Ordering::Relaxed)
    );
    assert!(
        report.failures.is_empty(),
        "{} failed:\n{}",
        report.failures.len(),
        report.failures.join("\n")
    );
    insta::assert_snapshot!("node_tests", report);
}
