//! The Open Inference Protocol, version 2, over HTTP.

use std::sync::Arc;

use abeyance_session::Value;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

use super::answers::{Numbers, bytes, json as answer};
use super::body::{self, LONG, RequestBody};
use super::elements::{byte_count, to_bytes};
use super::oip_request::{self, Request, RequestedOutput};
use super::{ModelPath, offload_if};
use crate::app::App;
use crate::model::{Inputs, TensorSpec, Version, datatype};
use crate::request_error::RequestError;
use crate::statistics;

type Answer = Result<Response, RequestError>;

/// The header with the length of the JSON before raw bytes, in requests and answers. Counted before
/// compression.
pub(crate) const HEADER_LENGTH: HeaderName =
    HeaderName::from_static("inference-header-content-length");
const BINARY: HeaderValue = HeaderValue::from_static("application/octet-stream");

pub(super) async fn server() -> Response {
    answer(
        StatusCode::OK,
        &json!({ "name": "abeyance", "version": env!("CARGO_PKG_VERSION"), "extensions": statistics::EXTENSIONS }),
    )
}

pub(super) async fn live() -> Response {
    answer(StatusCode::OK, &json!({ "live": true }))
}

pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    let ready = app.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, &json!({ "ready": ready }))
}

pub(super) async fn model_ready(State(app): State<Arc<App>>, named: ModelPath) -> Answer {
    let version = app.registry.version(&named.model, named.version.as_deref())?;
    Ok(answer(StatusCode::OK, &json!({ "name": &*version.model, "ready": true })))
}

pub(super) async fn model(State(app): State<Arc<App>>, named: ModelPath) -> Answer {
    let version = app.registry.version(&named.model, named.version.as_deref())?;
    let specs = |specs: &[TensorSpec]| -> Vec<serde_json::Value> {
        specs.iter().map(TensorSpec::metadata).collect()
    };
    let Some(signature) = version.signatures.get(version.default) else {
        return Err(RequestError::invalid("the model has no signature"));
    };
    let versions: Vec<String> = app.registry.live_versions(&named.model);
    Ok(answer(
        StatusCode::OK,
        &json!({
            "name": &*version.model,
            "versions": versions,
            "platform": "abeyance",
            "inputs": specs(&signature.inputs),
            "outputs": specs(&signature.outputs),
        }),
    ))
}

pub(super) async fn statistics(State(app): State<Arc<App>>, named: ModelPath) -> Answer {
    let versions = app.registry.versions(&named.model, named.version.as_deref())?;
    let all: Vec<_> = versions.iter().map(|version| statistics::of(version)).collect();
    Ok(answer(StatusCode::OK, &json!({ "model_stats": all })))
}

pub(super) async fn all_statistics(State(app): State<Arc<App>>) -> Response {
    let all: Vec<_> = app.registry.live().iter().map(|version| statistics::of(version)).collect();
    answer(StatusCode::OK, &json!({ "model_stats": all }))
}

pub(super) async fn index(State(app): State<Arc<App>>) -> Response {
    answer(StatusCode::OK, &statistics::index(&app.registry))
}

/// A request with what it asks of which version.
struct ParsedRequest {
    request: Request,
    version: Arc<Version>,
    signature: usize,
    values: Vec<Value>,
}

pub(super) async fn infer(
    State(app): State<Arc<App>>,
    named: ModelPath,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    // Before the body, which may be long: is there anything to ask?
    let version = app.registry.version(&named.model, named.version.as_deref())?;
    let whole = body::read(&app, &headers, body).await?;
    let head = head_length(&headers, whole.bytes.len())?;
    let is_long = whole.bytes.len() > LONG;
    let asked = offload_if(is_long, move || parse(&whole, head, version)).await?;
    let ParsedRequest { request, version, signature, values } = asked;
    let timeout = request.timeout;
    let outputs = app.infer(version.clone(), signature, values, timeout).await?;
    let is_long = outputs.iter().map(byte_count).sum::<usize>() > LONG;
    offload_if(is_long, move || response(&version, signature, &request, &outputs)).await
}

/// The number of bytes of the body that are JSON.
fn head_length(headers: &HeaderMap, body: usize) -> Result<usize, RequestError> {
    let mut all = headers.get_all(&HEADER_LENGTH).iter();
    let Some(length) = all.next() else { return Ok(body) };
    if all.any(|other| other != length) {
        return Err(RequestError::invalid("Inference-Header-Content-Length is given twice"));
    }
    let digits = length.to_str().ok().filter(|length| !length.starts_with('+'));
    let Some(length) = digits.and_then(|length| length.trim().parse::<usize>().ok()) else {
        return Err(RequestError::invalid(
            "Inference-Header-Content-Length is to be a number of bytes",
        ));
    };
    if length <= body {
        Ok(length)
    } else {
        Err(RequestError::invalid(format!(
            "Inference-Header-Content-Length is {length}, and the body has {body} bytes"
        )))
    }
}

fn parse(
    whole: &RequestBody,
    head: usize,
    version: Arc<Version>,
) -> Result<ParsedRequest, RequestError> {
    let (json, raw) = whole.bytes.split_at_checked(head).unwrap_or((&whole.bytes, &[]));
    let mut request = oip_request::read(json, raw)?;
    let signature = version.signature(request.signature.as_deref())?;
    let Some(served) = version.signatures.get(signature) else {
        return Err(RequestError::invalid("the model has no signature"));
    };
    let mut inputs = Inputs::new(served);
    for (name, value) in request.inputs.drain(..) {
        inputs.put(&name, value)?;
    }
    for wanted in request.outputs.iter().flatten() {
        served.output(&wanted.name)?;
    }
    let values = inputs.finish()?;
    Ok(ParsedRequest { request, version, signature, values })
}

#[derive(Serialize)]
struct Head<'a> {
    model_name: &'a str,
    model_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: Vec<Output<'a>>,
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: &'a [usize],
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BinarySize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Numbers<'a>>,
}

#[derive(Serialize)]
struct BinarySize {
    binary_data_size: usize,
}

fn response(version: &Version, signature: usize, request: &Request, outputs: &[Value]) -> Answer {
    let specs = version.signatures.get(signature).map_or(&[][..], |served| &served.outputs);
    let all = || -> Vec<RequestedOutput> {
        let wanted =
            |spec: &TensorSpec| RequestedOutput { name: spec.name.to_string(), binary: None };
        specs.iter().map(wanted).collect()
    };
    let everything;
    let wanted = match &request.outputs {
        Some(wanted) => wanted,
        None => {
            everything = all();
            &everything
        }
    };
    let mut head = Head {
        model_name: &version.model,
        model_version: version.number.to_string(),
        id: request.id.as_deref(),
        outputs: Vec::with_capacity(wanted.len()),
    };
    let mut raw: Vec<&Value> = Vec::new();
    for wanted in wanted {
        let place = specs.iter().position(|spec| *spec.name == *wanted.name);
        let Some((spec, value)) = place.and_then(|place| specs.get(place).zip(outputs.get(place)))
        else {
            continue;
        };
        let binary = wanted.binary.unwrap_or(request.binary_output);
        head.outputs.push(Output {
            name: &spec.name,
            datatype: datatype(value.dtype()),
            shape: value.shape(),
            parameters: binary.then(|| BinarySize { binary_data_size: byte_count(value) }),
            data: (!binary).then_some(Numbers { value, flat: true, row: None }),
        });
        if binary {
            raw.push(value);
        }
    }
    if raw.is_empty() {
        return Ok(answer(StatusCode::OK, &head));
    }
    let size = raw.iter().map(|value| byte_count(value)).sum::<usize>();
    let mut whole = Vec::with_capacity(256 + size);
    serde_json::to_writer(&mut whole, &head).map_err(|error| {
        RequestError::new(crate::request_error::ErrorKind::Internal, format!("internal: {error}"))
    })?;
    let length = whole.len();
    raw.into_iter().for_each(|value| to_bytes(value, &mut whole));
    let mut response = bytes(StatusCode::OK, BINARY, whole);
    response.headers_mut().insert(HEADER_LENGTH, HeaderValue::from(length));
    Ok(response)
}
