//! Bodies of requests: read whole, bounded in size and time, decompressed.

use std::io::Write;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt;

use crate::app::App;
use crate::budget::BudgetShare;
use crate::request_error::{ErrorKind, RequestError};

/// Bodies that are longer are decompressed and parsed on a thread where that may take its time.
pub(crate) const LONG: usize = 128 << 10;

/// A body that has come whole. Its memory is counted as long as it lives.
#[derive(Debug)]
pub(crate) struct RequestBody {
    pub(crate) bytes: Bytes,
    _share: BudgetShare,
}

fn too_large(most: usize) -> RequestError {
    RequestError::new(
        ErrorKind::TooLarge,
        format!("the body has more than {most} bytes, which is the limit (`--max-body`)"),
    )
}

/// The compression of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    /// Deflate in zlib's form.
    Deflate,
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, RequestError> {
    let Some(named) = headers.get(header::CONTENT_ENCODING) else {
        return Ok(Encoding::Identity);
    };
    match named.to_str().unwrap_or("?").trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Encoding::Identity),
        "gzip" | "x-gzip" => Ok(Encoding::Gzip),
        "deflate" => Ok(Encoding::Deflate),
        other => Err(RequestError::new(
            ErrorKind::Unsupported,
            format!(
                "Content-Encoding `{}` is not understood: gzip and deflate are",
                crate::model::shortened(other)
            ),
        )),
    }
}

/// Reads a body to its end.
///
/// # Errors
/// It is longer than allowed, also once decompressed, or does not come in time, or breaks off, or
/// is not compressed as it says.
pub(crate) async fn read(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<RequestBody, RequestError> {
    let most = app.options.max_body;
    let encoding = encoding(headers)?;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|l| l > most as u64) {
        return Err(too_large(most));
    }
    let share = BudgetShare::new(app.budget.clone());
    let slow = app.options.slow;
    let (bytes, mut share) =
        tokio::time::timeout(slow, collect(body, share, most)).await.map_err(|_| {
            RequestError::new(
                ErrorKind::BodyTimeout,
                format!("the body did not come within {} seconds", slow.as_secs_f64()),
            )
        })??;
    let bytes = match encoding {
        Encoding::Identity => bytes,
        _ if bytes.len() <= LONG / 8 => inflate(encoding, &bytes, most, &mut share)?,
        _ => {
            let work = move || {
                let inflated = inflate(encoding, &bytes, most, &mut share);
                inflated.map(|bytes| (bytes, share))
            };
            let done = tokio::task::spawn_blocking(work).await;
            let (bytes, given) = done.map_err(|_| {
                RequestError::new(ErrorKind::Internal, "internal: decompression failed")
            })??;
            share = given;
            bytes
        }
    };
    Ok(RequestBody { bytes, _share: share })
}

/// Reads the bytes of a body, with the part of the budget that they take.
async fn collect(
    mut body: Body,
    mut share: BudgetShare,
    most: usize,
) -> Result<(Bytes, BudgetShare), RequestError> {
    let mut first: Option<Bytes> = None;
    let mut all: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            RequestError::invalid(format!("the body broke off: {}", innermost_cause(&error)))
        })?;
        let Ok(chunk) = frame.into_data() else { continue };
        share.take(chunk.len())?;
        if share.taken() > most {
            return Err(too_large(most));
        }
        // Most bodies come in one piece, which needs no copy.
        match first.take() {
            None if all.is_empty() => first = Some(chunk),
            None => all.extend_from_slice(&chunk),
            Some(before) => {
                all.extend_from_slice(&before);
                all.extend_from_slice(&chunk);
            }
        }
    }
    Ok((first.unwrap_or_else(|| all.into()), share))
}

/// An error with its cause, where that says more.
fn innermost_cause(error: &axum::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Takes no more than so many bytes.
struct BoundedWriter<'s> {
    bytes: Vec<u8>,
    most: usize,
    share: &'s mut BudgetShare,
    error: Option<RequestError>,
}

impl Write for BoundedWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = if bytes.len() > self.most - self.bytes.len() {
            Err(too_large(self.most))
        } else {
            self.share.take(bytes.len())
        };
        match taken {
            Ok(()) => {
                self.bytes.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            Err(error) => {
                self.error = Some(error);
                Err(std::io::Error::other("too large"))
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn inflate(
    encoding: Encoding,
    bytes: &[u8],
    most: usize,
    share: &mut BudgetShare,
) -> Result<Bytes, RequestError> {
    let mut bounded = BoundedWriter { bytes: Vec::new(), most, share, error: None };
    let done = match encoding {
        Encoding::Gzip => {
            let mut decoder = MultiGzDecoder::new(&mut bounded);
            decoder.write_all(bytes).and_then(|()| decoder.try_finish())
        }
        _ => {
            let mut decoder = ZlibDecoder::new(&mut bounded);
            decoder.write_all(bytes).and_then(|()| decoder.try_finish())
        }
    };
    match (done, bounded.error) {
        (_, Some(error)) => Err(error),
        (Err(error), None) => Err(RequestError::invalid(format!(
            "the body is not compressed as its Content-Encoding says: {error}"
        ))),
        (Ok(()), None) => Ok(bounded.bytes.into()),
    }
}
