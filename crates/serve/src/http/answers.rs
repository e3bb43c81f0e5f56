//! Answers: JSON, and refusals as JSON.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::request_error::{ErrorKind, RETRY_AFTER, RequestError};

/// Exactly this: clients compare it, and read an error's message only under it.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl RequestError {
    /// HTTP's status.
    pub(crate) fn status(&self) -> StatusCode {
        match self.kind {
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorKind::Busy | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = json(status, &serde_json::json!({ "error": self.message }));
        let headers = response.headers_mut();
        match self.kind {
            ErrorKind::Busy | ErrorKind::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER.as_secs()));
            }
            ErrorKind::Unauthenticated => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            // What is left of a body that is not read would be taken for the next request.
            ErrorKind::TooLarge | ErrorKind::BodyTimeout => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

/// Something as JSON.
pub(crate) fn json(status: StatusCode, answer: &impl Serialize) -> Response {
    match serde_json::to_vec(answer) {
        Ok(text) => bytes(status, JSON, text),
        Err(error) => {
            let message = format!("{{\"error\":\"internal: {error}\"}}");
            bytes(StatusCode::INTERNAL_SERVER_ERROR, JSON, message.into_bytes())
        }
    }
}

/// An answer of this kind.
pub(crate) fn bytes(status: StatusCode, kind: HeaderValue, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Writes an array's elements as lists of lists, or one flat list; a number alone for an array
/// without dimensions. JSON has no word for NaN and the infinities: the one is null, the others are
/// the texts `Infinity` and `-Infinity`, which is what clients read as such.
pub(crate) struct Numbers<'v> {
    pub(crate) value: &'v abeyance_session::Value,
    pub(crate) flat: bool,
    /// Only this place of the first dimension, if it says so.
    pub(crate) row: Option<usize>,
}

impl Serialize for Numbers<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use abeyance_session::Value;
        macro_rules! each {
            ($($variant:ident),*) => {
                match self.value {
                    $(Value::$variant(array) => {
                        let elements = array.as_slice().unwrap_or_default();
                        let mut dims = array.shape();
                        let mut part = elements;
                        if let Some(row) = self.row {
                            dims = dims.get(1..).unwrap_or_default();
                            let width: usize = dims.iter().product();
                            part = elements.get(row * width..(row + 1) * width).unwrap_or_default();
                        }
                        if self.flat {
                            serializer.collect_seq(part.iter().map(|&element| Element(element)))
                        } else {
                            Nested { elements: part, dims }.serialize(serializer)
                        }
                    })*
                }
            };
        }
        each!(F32, F64, I32, I64, U8, Bool)
    }
}

struct Nested<'e, T> {
    elements: &'e [T],
    dims: &'e [usize],
}

/// One element.
struct Element<T>(T);

macro_rules! floats {
    ($($type:ty),*) => {$(
        impl Serialize for Element<$type> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0 {
                    <$type>::INFINITY => serializer.serialize_str("Infinity"),
                    <$type>::NEG_INFINITY => serializer.serialize_str("-Infinity"),
                    // NaN is null.
                    number => number.serialize(serializer),
                }
            }
        }
    )*};
}
floats!(f32, f64);

macro_rules! others {
    ($($type:ty),*) => {$(
        impl Serialize for Element<$type> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }
    )*};
}
others!(i32, i64, u8, bool);

impl<T: Copy> Serialize for Nested<'_, T>
where
    Element<T>: Serialize,
{
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.dims {
            [] => self.elements.first().map(|&element| Element(element)).serialize(serializer),
            [_] => serializer.collect_seq(self.elements.iter().map(|&element| Element(element))),
            [count, rest @ ..] => {
                let width: usize = rest.iter().product();
                let part = |place: usize| Nested {
                    elements: self
                        .elements
                        .get(place * width..(place + 1) * width)
                        .unwrap_or_default(),
                    dims: rest,
                };
                serializer.collect_seq((0..*count).map(part))
            }
        }
    }
}
