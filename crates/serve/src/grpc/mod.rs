//! gRPC: the Open Inference Protocol's service, and gRPC's own for health.

mod contents;
mod health;
mod infer;
mod service;

/// The protocol's messages, generated from `proto/inference.proto` (`tests/generated.rs` writes
/// them anew).
#[allow(missing_docs, dead_code, unused_imports, clippy::all)]
#[rustfmt::skip]
pub(crate) mod inference {
    include!("inference.rs");
}

/// The messages of gRPC's health protocol, generated from `proto/health.proto`.
#[allow(missing_docs, dead_code, unused_imports, clippy::all)]
#[rustfmt::skip]
pub(crate) mod health_v1 {
    include!("grpc.health.v1.rs");
}

use std::sync::Arc;

use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic::{Code, Status};

use crate::app::App;
use crate::request_error::{ErrorKind, RequestError};

/// Everything that is answered.
pub(crate) fn routes(app: Arc<App>) -> Routes {
    let most = app.options.max_body;
    let service = inference::grpc_inference_service_server::GrpcInferenceServiceServer::new(
        service::Service { app: app.clone() },
    )
    .max_decoding_message_size(most)
    .max_encoding_message_size(usize::MAX)
    .accept_compressed(CompressionEncoding::Gzip)
    .accept_compressed(CompressionEncoding::Deflate)
    .send_compressed(CompressionEncoding::Gzip)
    .send_compressed(CompressionEncoding::Deflate);
    let health = health_v1::health_server::HealthServer::new(health::Health { app });
    Routes::new(service).add_service(health).prepare()
}

impl RequestError {
    /// gRPC's code.
    pub(crate) fn code(&self) -> Code {
        match self.kind {
            ErrorKind::Invalid | ErrorKind::Unsupported => Code::InvalidArgument,
            ErrorKind::NotFound => Code::NotFound,
            ErrorKind::MethodNotAllowed => Code::Unimplemented,
            ErrorKind::Unauthenticated => Code::Unauthenticated,
            ErrorKind::Forbidden => Code::PermissionDenied,
            ErrorKind::TooLarge => Code::ResourceExhausted,
            ErrorKind::Busy | ErrorKind::Unavailable => Code::Unavailable,
            ErrorKind::BodyTimeout | ErrorKind::DeadlineExceeded => Code::DeadlineExceeded,
            ErrorKind::Internal => Code::Internal,
        }
    }
}

impl From<RequestError> for Status {
    fn from(error: RequestError) -> Self {
        Status::new(error.code(), error.message)
    }
}
