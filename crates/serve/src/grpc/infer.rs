//! Inference over gRPC.

use std::sync::Arc;
use std::time::Duration;

use abeyance_session::Value;
use bytes::Bytes;
use tonic::metadata::MetadataMap;

use super::contents;
use super::inference::infer_parameter::ParameterChoice;
use super::inference::model_infer_request::InferInputTensor;
use super::inference::model_infer_response::InferOutputTensor;
use super::inference::{InferParameter, ModelInferRequest, ModelInferResponse};
use crate::app::App;
use crate::http::{byte_count, from_bytes, shape, to_bytes};
use crate::model::{Inputs, ServedSignature, Version, datatype, dtype_of, shortened};
use crate::request_error::{ErrorKind, RequestError};

/// The most inputs, and the most outputs, that a request may name.
const MOST_TENSORS: usize = 1024;
/// Tensors that are longer are copied on a thread where that may take its time.
const LONG: usize = 1 << 20;

/// Answers a request.
pub(super) async fn infer(
    app: &App,
    request: ModelInferRequest,
    timeout: Option<Duration>,
) -> Result<ModelInferResponse, RequestError> {
    let version = app.registry.version(&request.model_name, Some(&request.model_version))?;
    let named = text(&request, "signature")?;
    let signature = version.signature(named.as_deref())?;
    let own = micros(&request)?;
    let timeout = match (timeout, own) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    let size: usize = request.raw_input_contents.iter().map(Bytes::len).sum();
    let asked = version.clone();
    let read = move || {
        let served = asked
            .signatures
            .get(signature)
            .ok_or_else(|| RequestError::invalid("the model has no signature"))?;
        let outputs = wanted(&request, served)?;
        Ok((values(&request, served)?, outputs, request.id))
    };
    let (values, outputs, id) = if size > LONG {
        tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| {
            Err(RequestError::new(ErrorKind::Internal, "internal: the request panicked"))
        })?
    } else {
        read()?
    };
    let results = app.infer(version.clone(), signature, values, timeout).await?;
    Ok(answer(&version, signature, id, &outputs, &results))
}

fn parameter<'r>(request: &'r ModelInferRequest, name: &str) -> Option<&'r ParameterChoice> {
    let parameter: Option<&InferParameter> = request.parameters.get(name);
    parameter.and_then(|parameter| parameter.parameter_choice.as_ref())
}

fn text(request: &ModelInferRequest, name: &str) -> Result<Option<String>, RequestError> {
    match parameter(request, name) {
        None => Ok(None),
        Some(ParameterChoice::StringParam(text)) => Ok((!text.is_empty()).then(|| text.clone())),
        Some(_) => Err(RequestError::invalid(format!("parameter `{name}` is to be a text"))),
    }
}

/// The time that a request gives itself, in its own parameter.
fn micros(request: &ModelInferRequest) -> Result<Option<Duration>, RequestError> {
    let wrong =
        || RequestError::invalid("parameter `timeout` is to be a whole number of microseconds");
    let micros = match parameter(request, "timeout") {
        None => return Ok(None),
        Some(ParameterChoice::Int64Param(micros)) => u64::try_from(*micros).map_err(|_| wrong())?,
        Some(ParameterChoice::Uint64Param(micros)) => *micros,
        Some(_) => return Err(wrong()),
    };
    Ok((micros > 0).then(|| Duration::from_micros(micros)))
}

/// The time that gRPC's own header leaves: a number of at most eight digits and a unit.
pub(super) fn deadline(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = (digits.len() <= 8).then(|| digits.parse().ok())??;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// The outputs that are asked for, by their places: all if none is named.
fn wanted(
    request: &ModelInferRequest,
    served: &ServedSignature,
) -> Result<Vec<usize>, RequestError> {
    if request.outputs.is_empty() {
        return Ok((0..served.outputs.len()).collect());
    }
    if request.outputs.len() > MOST_TENSORS {
        return Err(RequestError::invalid(format!("`outputs` has more than {MOST_TENSORS}")));
    }
    let place = |(place, output): (
        usize,
        &super::inference::model_infer_request::InferRequestedOutputTensor,
    )| {
        if output.parameters.contains_key("classification") {
            return Err(RequestError::invalid(
                "`classification` is not done here: take the output itself",
            ));
        }
        served.output(&output.name).map_err(|error| error.within(&format!("outputs[{place}]")))
    };
    let places: Vec<usize> =
        request.outputs.iter().enumerate().map(place).collect::<Result<_, RequestError>>()?;
    let mut once = std::collections::BTreeSet::new();
    match places.iter().find(|place| !once.insert(**place)) {
        Some(twice) => {
            let name = served.outputs.get(*twice).map_or("", |spec| &spec.name);
            Err(RequestError::invalid(format!("output `{name}` is asked for twice")))
        }
        None => Ok(places),
    }
}

fn values(
    request: &ModelInferRequest,
    served: &ServedSignature,
) -> Result<Vec<Value>, RequestError> {
    let raw = &request.raw_input_contents;
    if request.inputs.len() > MOST_TENSORS {
        return Err(RequestError::invalid(format!("`inputs` has more than {MOST_TENSORS}")));
    }
    if !raw.is_empty() && raw.len() != request.inputs.len() {
        return Err(RequestError::invalid(format!(
            "`raw_input_contents` has {} elements and `inputs` has {}: they must be as many",
            raw.len(),
            request.inputs.len()
        )));
    }
    let mut inputs = Inputs::new(served);
    for (place, input) in request.inputs.iter().enumerate() {
        let value = value(input, raw.get(place)).map_err(|error| {
            error.within(&format!("inputs[{place}] `{}`", shortened(&input.name)))
        })?;
        inputs.put(&input.name, value)?;
    }
    inputs.finish()
}

fn value(input: &InferInputTensor, raw: Option<&Bytes>) -> Result<Value, RequestError> {
    if input.parameters.contains_key("shared_memory_region") {
        return Err(RequestError::invalid("there is no shared memory here: send the data"));
    }
    let dtype = dtype_of(&input.datatype)?;
    let dims = shape(&input.shape)?;
    match (raw, &input.contents) {
        (Some(_), Some(_)) => Err(RequestError::invalid(
            "there are both `contents` and `raw_input_contents`: its elements come as the one or as the other",
        )),
        (Some(bytes), None) => from_bytes(bytes, dtype, &dims),
        (None, Some(list)) => contents::value(list, dtype, &dims),
        // No elements are no bytes, which a message does not tell from none.
        (None, None) if dims.contains(&0) => from_bytes(&[], dtype, &dims),
        (None, None) => Err(RequestError::invalid(
            "`contents` is missing, and so is an element of `raw_input_contents`",
        )),
    }
}

fn answer(
    version: &Arc<Version>,
    signature: usize,
    id: String,
    outputs: &[usize],
    results: &[Value],
) -> ModelInferResponse {
    let specs = version.signatures.get(signature).map_or(&[][..], |served| &served.outputs);
    let mut response = ModelInferResponse {
        model_name: version.model.to_string(),
        model_version: version.number.to_string(),
        id,
        ..ModelInferResponse::default()
    };
    for &place in outputs {
        let Some((spec, value)) = specs.get(place).zip(results.get(place)) else { continue };
        let mut bytes = Vec::with_capacity(byte_count(value));
        to_bytes(value, &mut bytes);
        response.raw_output_contents.push(bytes.into());
        response.outputs.push(InferOutputTensor {
            name: spec.name.to_string(),
            datatype: datatype(value.dtype()).to_owned(),
            shape: value.shape().iter().map(|&size| size as i64).collect(),
            ..InferOutputTensor::default()
        });
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_as_grpc_writes_it() {
        let of = |text: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            deadline(&metadata)
        };
        assert_eq!(of("2S"), Some(Duration::from_secs(2)));
        assert_eq!(of("150m"), Some(Duration::from_millis(150)));
        assert_eq!(of("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for wrong in ["", "S", "-1S", "1x", "100000000S", "1.5S"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        assert_eq!(deadline(&MetadataMap::new()), None);
    }
}
