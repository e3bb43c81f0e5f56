//! TensorFlow Serving's REST: status, metadata, predict.

use std::sync::Arc;

use abeyance_ir::DType;
use abeyance_session::Value;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::json;

use super::answers::{Numbers, json as answer};
use super::body::{self, LONG};
use super::elements::byte_count;
use super::tensorflow_request::{self as request, Request};
use super::{ModelPath, offload_if};
use crate::app::App;
use crate::model::{ServedSignature, TensorSpec, shortened};
use crate::repository::{Slot, State as Stage};
use crate::request_error::{ErrorKind, RequestError};

type Answer = Result<Response, RequestError>;

pub(super) async fn status(State(app): State<Arc<App>>, named: ModelPath) -> Answer {
    let last = named.version.as_deref().unwrap_or(&named.model);
    if last.ends_with(":predict") && app.registry.model(&named.model).is_err() {
        return Err(RequestError::new(ErrorKind::MethodNotAllowed, "`:predict` takes a POST"));
    }
    let model = app.registry.model(&named.model)?;
    let told = |(number, slot): (&u64, &Slot)| {
        let (state, code) = match (slot.live.is_some(), slot.state) {
            (true, _) => ("AVAILABLE", "OK"),
            (false, Stage::Loading) => ("LOADING", "OK"),
            (false, Stage::Retired) => ("END", "OK"),
            (false, _) => ("END", "FAILED_PRECONDITION"),
        };
        json!({
            "version": number.to_string(),
            "state": state,
            "status": { "error_code": code, "error_message": slot.error.as_deref().unwrap_or_default() },
        })
    };
    let all: Vec<serde_json::Value> = match &named.version {
        None => model.iter().rev().map(told).collect(),
        Some(version) => {
            let number = version.parse::<u64>().ok().filter(|n| n.to_string() == *version);
            let found = number.and_then(|number| model.get_key_value(&number));
            vec![told(found.ok_or_else(|| {
                let version = shortened(version);
                let message = format!("model `{}` has no version `{version}`", named.model);
                RequestError::new(ErrorKind::NotFound, message)
            })?)]
        }
    };
    Ok(answer(StatusCode::OK, &json!({ "model_version_status": all })))
}

pub(super) async fn metadata(State(app): State<Arc<App>>, named: ModelPath) -> Answer {
    let version = app.registry.version(&named.model, named.version.as_deref())?;
    let specs = |specs: &[TensorSpec]| {
        let told = |spec: &TensorSpec| (spec.name.to_string(), tensor_info(spec));
        specs.iter().map(told).collect::<serde_json::Map<_, _>>()
    };
    let def = |served: &ServedSignature| {
        json!({
            "inputs": specs(&served.inputs),
            "outputs": specs(&served.outputs),
            "method_name": "tensorflow/serving/predict",
            "defaults": {},
        })
    };
    let mut defs = serde_json::Map::new();
    for (place, served) in version.signatures.iter().enumerate() {
        if place == version.default {
            defs.insert("serving_default".to_owned(), def(served));
        }
        defs.insert(served.name.to_string(), def(served));
    }
    Ok(answer(
        StatusCode::OK,
        &json!({
            "model_spec": { "name": &*version.model, "signature_name": "", "version": version.number.to_string() },
            "metadata": { "signature_def": { "signature_def": defs } },
        }),
    ))
}

fn tensor_info(spec: &TensorSpec) -> serde_json::Value {
    let dtype = match spec.dtype {
        DType::F32 => "DT_FLOAT",
        DType::F64 => "DT_DOUBLE",
        DType::I32 => "DT_INT32",
        DType::I64 => "DT_INT64",
        DType::U8 => "DT_UINT8",
        DType::Bool => "DT_BOOL",
    };
    let dims: Vec<_> =
        spec.sizes().iter().map(|size| json!({ "size": size.to_string(), "name": "" })).collect();
    json!({
        "dtype": dtype,
        "tensor_shape": { "dim": dims, "unknown_rank": false },
        "name": spec.name,
    })
}

/// `NAME:predict`, which is one segment of the path.
pub(super) async fn predict(
    State(app): State<Arc<App>>,
    named: ModelPath,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let last = named.version.as_deref().unwrap_or(&named.model);
    let Some((before, action)) = last.rsplit_once(':') else {
        return Err(RequestError::new(
            ErrorKind::MethodNotAllowed,
            "a POST to a model says what it wants: `/v1/models/NAME:predict`",
        ));
    };
    let (model, version) = match &named.version {
        Some(_) => (named.model.as_str(), Some(before)),
        None => (before, None),
    };
    let version = app.registry.version(model, version)?;
    if action != "predict" {
        let action = shortened(action);
        return Err(RequestError::invalid(format!(
            "`:{action}` is not done here: `:predict` is, and gives what the model gives"
        )));
    }
    let whole = body::read(&app, &headers, body).await?;
    let is_long = whole.bytes.len() > LONG;
    let asked = version.clone();
    let asked = offload_if(is_long, move || request::read(&whole.bytes, &asked)).await?;
    let Request { signature, values, by_rows } = asked;
    let outputs = app.infer(version.clone(), signature, values, None).await?;
    let is_long = outputs.iter().map(byte_count).sum::<usize>() > LONG;
    offload_if(is_long, move || {
        let specs = version.signatures.get(signature).map_or(&[][..], |served| &served.outputs);
        if by_rows {
            rows(specs, &outputs)
        } else {
            Ok(answer(
                StatusCode::OK,
                &Columns { outputs: OutputValues { specs, values: &outputs, row: None } },
            ))
        }
    })
    .await
}

#[derive(Serialize)]
struct Columns<'a> {
    outputs: OutputValues<'a>,
}

#[derive(Serialize)]
struct Rows<'a> {
    predictions: Vec<OutputValues<'a>>,
}

/// OutputValues outputs: the only one alone, several by their names.
struct OutputValues<'a> {
    specs: &'a [TensorSpec],
    values: &'a [Value],
    row: Option<usize>,
}

impl Serialize for OutputValues<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let numbers = |value| Numbers { value, flat: false, row: self.row };
        if let [only] = self.values {
            return numbers(only).serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for (spec, value) in self.specs.iter().zip(self.values) {
            map.serialize_entry(&spec.name, &numbers(value))?;
        }
        map.end()
    }
}

fn rows(specs: &[TensorSpec], values: &[Value]) -> Answer {
    let count = |value: &Value| value.shape().first().copied();
    let first = values.first().and_then(count);
    let odd = values.iter().position(|value| count(value).is_none() || count(value) != first);
    if let Some(spec) = odd.and_then(|odd| specs.get(odd)) {
        return Err(RequestError::invalid(format!(
            "output `{}` has no value for each row, so that there are no predictions by rows: ask by columns, with `inputs`",
            spec.name
        )));
    }
    let all = (0..first.unwrap_or(0)).map(|row| OutputValues { specs, values, row: Some(row) });
    Ok(answer(StatusCode::OK, &Rows { predictions: all.collect() }))
}
