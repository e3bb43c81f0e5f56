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
use crate::refusal::{Kind, Refusal};

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

impl Refusal {
    /// gRPC's code.
    pub(crate) fn code(&self) -> Code {
        match self.kind {
            Kind::Invalid | Kind::Unsupported => Code::InvalidArgument,
            Kind::NotFound => Code::NotFound,
            Kind::Method => Code::Unimplemented,
            Kind::Unauthenticated => Code::Unauthenticated,
            Kind::Forbidden => Code::PermissionDenied,
            Kind::TooLarge => Code::ResourceExhausted,
            Kind::Busy | Kind::Unready => Code::Unavailable,
            Kind::Slow | Kind::Late => Code::DeadlineExceeded,
            Kind::Failed => Code::Internal,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Status::new(refusal.code(), refusal.message)
    }
}
