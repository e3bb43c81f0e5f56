//! Protocols over HTTP: the request of each, and the reader of its answers.

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::images::Image;

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Protocol {
    /// Open Inference Protocol over HTTP, tensors as bytes both ways, as tritonclient sends it
    OipBinary,
    /// Open Inference Protocol over HTTP, all in JSON, the data flat
    OipJson,
    /// Open Inference Protocol over gRPC, tensors as bytes
    OipGrpc,
    /// TensorFlow Serving's REST, row form
    TfRest,
    /// A service written by hand: {"images": [[[[..]]]]} in, {"digit": [..], "probabilities":
    /// [[..]]} out
    Json,
    /// A service written by hand: the image's bytes in, the probabilities' bytes out
    Raw,
}

/// The model as requests name it.
pub struct Target {
    pub host: String,
    pub model: String,
    pub input: String,
    /// The path of `json` and `raw`.
    pub path: String,
    pub token: Option<String>,
}

impl Protocol {
    /// The name as the command line has it.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// A request for one image, head and body.
    pub fn request(self, target: &Target, image: &Image) -> Vec<u8> {
        let Target { model, input, .. } = target;
        let shape = [1, 28, 28, 1];
        let raw = || image.iter().flat_map(|pixel| pixel.to_le_bytes());
        let (path, header, body) = match self {
            Self::OipBinary => {
                let mut body = serde_json::to_vec(&json!({
                    "inputs": [{"name": input, "shape": shape, "datatype": "FP32",
                        "parameters": {"binary_data_size": 4 * image.len()}}],
                    "parameters": {"binary_data_output": true},
                }))
                .unwrap_or_default();
                let header = format!("Inference-Header-Content-Length: {}\r\n", body.len());
                body.extend(raw());
                (format!("/v2/models/{model}/infer"), header, body)
            }
            Self::OipJson | Self::OipGrpc => {
                let body = json!({"inputs": [
                    {"name": input, "shape": shape, "datatype": "FP32", "data": shortest(image)}]});
                (format!("/v2/models/{model}/infer"), json_type(), body.to_string().into())
            }
            Self::TfRest => {
                let body = json!({"instances": [nested(image)]});
                (format!("/v1/models/{model}:predict"), json_type(), body.to_string().into())
            }
            Self::Json => {
                let body = json!({"images": [nested(image)]});
                (target.path.clone(), json_type(), body.to_string().into())
            }
            Self::Raw => {
                let header = "Content-Type: application/octet-stream\r\n".to_owned();
                (target.path.clone(), header, raw().collect())
            }
        };
        let token = target.token.as_ref();
        let token =
            token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{token}{header}Content-Length: {}\r\n\r\n",
            target.host,
            body.len()
        )
        .into_bytes();
        request.extend(body);
        request
    }

    /// The outputs in the body of an answer, whose JSON is `json_length` bytes where the header
    /// `Inference-Header-Content-Length` said so.
    pub fn answer(self, body: &[u8], json_length: Option<usize>) -> Result<Answer, String> {
        if self == Self::Raw {
            let bits = answer::raw("FP32", body)?;
            return Ok(Answer([("probabilities".to_owned(), bits)].into()));
        }
        let (text, rest) = body
            .split_at_checked(json_length.unwrap_or(body.len()))
            .ok_or("Inference-Header-Content-Length is more than the body")?;
        let json: Value = serde_json::from_slice(text)
            .map_err(|error| format!("the answer is no JSON: {error}"))?;
        match self {
            Self::OipBinary | Self::OipJson | Self::OipGrpc => tensors(&json, rest),
            Self::TfRest => predictions(&json["predictions"]),
            Self::Json | Self::Raw => by_name(&json),
        }
    }
}

fn json_type() -> String {
    "Content-Type: application/json\r\n".to_owned()
}

/// The pixels as numbers with as few digits as tell them apart.
fn shortest(pixels: &[f32]) -> Value {
    let number = |pixel: &f32| {
        let text = if *pixel == 0.0 { "0.0".to_owned() } else { pixel.to_string() };
        serde_json::from_str::<Value>(&text).unwrap_or(Value::Null)
    };
    Value::Array(pixels.iter().map(number).collect())
}

/// An image as `[28][28][1]`.
fn nested(image: &Image) -> Value {
    let row = |row: &[f32]| Value::Array(row.chunks(1).map(shortest).collect());
    Value::Array(image.chunks(28).map(row).collect())
}

/// The outputs of Open Inference Protocol: each in JSON or in the bytes behind it.
fn tensors(json: &Value, mut rest: &[u8]) -> Result<Answer, String> {
    let outputs = json["outputs"].as_array().ok_or("the answer has no `outputs`")?;
    let mut found = Answer::default();
    for output in outputs {
        let name = output["name"].as_str().ok_or("an output has no `name`")?;
        let bits = match output["parameters"]["binary_data_size"].as_u64() {
            Some(size) => {
                let (mine, behind) = usize::try_from(size)
                    .ok()
                    .and_then(|size| rest.split_at_checked(size))
                    .ok_or_else(|| format!("the bytes of output `{name}` are not all there"))?;
                rest = behind;
                answer::raw(output["datatype"].as_str().unwrap_or_default(), mine)?
            }
            None => {
                let mut bits = Vec::new();
                answer::numbers(&output["data"], &mut bits)?;
                bits
            }
        };
        found.0.insert(name.to_owned(), bits);
    }
    if rest.is_empty() { Ok(found) } else { Err(format!("{} bytes are left over", rest.len())) }
}

/// The one row of `predictions`: an object, or the only output's values.
fn predictions(rows: &Value) -> Result<Answer, String> {
    let rows = rows.as_array().ok_or("the answer has no `predictions`")?;
    let [row] = rows.as_slice() else {
        return Err(format!("{} predictions for one image", rows.len()));
    };
    if row.is_object() {
        return by_name(row);
    }
    let mut bits = Vec::new();
    answer::numbers(row, &mut bits)?;
    Ok(Answer([("probabilities".to_owned(), bits)].into()))
}

fn by_name(object: &Value) -> Result<Answer, String> {
    let members = object.as_object().ok_or("the answer is no JSON object")?;
    let mut found = Answer::default();
    for (name, value) in members {
        let mut bits = Vec::new();
        answer::numbers(value, &mut bits).map_err(|error| format!("output `{name}`: {error}"))?;
        found.0.insert(name.clone(), bits);
    }
    Ok(found)
}
