//! Answers to the page, as JSON.

use axum::Json;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use abeyance_record::{Overview, Run};

use crate::runs::{Runs, ShownRun};

pub(crate) type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

/// An error, in the form that all have.
pub(crate) fn failure(status: StatusCode, why: impl Into<String>) -> (StatusCode, Json<Value>) {
    (status, Json(json!({ "error": why.into() })))
}

/// The JSON of an answer. Numbers of 32 bits have no more digits than they need.
pub(crate) fn text(answer: &impl Serialize) -> Option<String> {
    serde_json::to_string(answer).ok()
}

/// All runs.
pub(crate) fn runs(runs: &Runs, boot: &str, controls: bool) -> Value {
    #[derive(Serialize)]
    struct Row {
        #[serde(flatten)]
        overview: Overview,
        draw: bool,
        controls: bool,
    }
    let seq = abeyance_record::clock();
    let row = |shown: ShownRun| Row {
        overview: shown.run.overview(),
        draw: shown.predictor.is_some(),
        controls: shown.controls.is_some(),
    };
    let rows: Vec<Row> = runs.list().into_iter().map(row).collect();
    json!({ "boot": boot, "seq": seq, "controls": controls, "runs": rows })
}

/// A picture as text.
pub(crate) fn data_url(png: &[u8]) -> String {
    format!("data:{};base64,{}", kind(png), STANDARD.encode(png))
}

/// The kind of an image by its first bytes.
pub(crate) fn kind(image: &[u8]) -> &'static str {
    match image {
        [0xff, 0xd8, ..] => "image/jpeg",
        [b'G', b'I', b'F', ..] => "image/gif",
        _ => "image/png",
    }
}

fn packed(classes: &[u16]) -> String {
    let bytes: Vec<u8> = classes.iter().flat_map(|class| class.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

/// The newest training batch at a step or before.
pub(crate) fn batch(run: &Run, step: i64) -> Option<Value> {
    let batch = run.batch(step)?;
    Some(json!({
        "step": batch.step,
        "width": batch.width,
        "height": batch.height,
        "columns": batch.columns,
        "count": batch.count,
        "image": data_url(&batch.png),
        "labels": batch.labels,
        "predictions": batch.predictions,
    }))
}

/// The test images' steps, sizes and classes.
pub(crate) fn tests(run: &Run) -> Option<Value> {
    let tests = run.tests()?;
    let classes = tests.labels.iter().max().map_or(0, |greatest| greatest + 1);
    Some(json!({
        "steps": tests.steps,
        "count": tests.count,
        "width": tests.width,
        "height": tests.height,
        "columns": tests.columns,
        "classes": classes,
        "labels": packed(&tests.labels),
    }))
}

/// The classes predicted for the test images at a step, or at the last one before it.
pub(crate) fn test(run: &Run, step: i64) -> Option<Value> {
    let test = run.test(step)?;
    Some(json!({ "step": test.step, "predictions": packed(&test.predictions) }))
}
