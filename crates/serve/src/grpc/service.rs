//! The service's calls.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::infer::{self, deadline};
use super::inference::grpc_inference_service_server::GrpcInferenceService;
use super::inference::model_metadata_response::TensorMetadata;
use super::inference::repository_index_response::ModelIndex;
use super::inference::{
    InferBatchStatistics, InferStatistics, ModelInferRequest, ModelInferResponse,
    ModelMetadataRequest, ModelMetadataResponse, ModelReadyRequest, ModelReadyResponse,
    ModelStatistics, ModelStatisticsRequest, ModelStatisticsResponse, ModelStreamInferResponse,
    RepositoryIndexRequest, RepositoryIndexResponse, ServerLiveRequest, ServerLiveResponse,
    ServerMetadataRequest, ServerMetadataResponse, ServerReadyRequest, ServerReadyResponse,
    StatisticDuration,
};
use crate::access::{Access, is_allowed};
use crate::app::App;
use crate::model::{TensorSpec, Version, datatype};
use crate::request_error::RequestError;
use crate::statistics;

pub(super) struct Service {
    pub(super) app: Arc<App>,
}

impl Service {
    /// True if a call may be made, and what it comes to, counted.
    fn counted<T>(
        &self,
        call: &'static str,
        began: Instant,
        result: Result<T, RequestError>,
    ) -> Result<Response<T>, Status> {
        let result = result.map_err(Status::from);
        let code = result.as_ref().err().map_or(tonic::Code::Ok, Status::code);
        self.app.metrics.request("grpc", call, &format!("{code:?}"));
        if self.app.options.access_log {
            tracing::info!(
                target: "access",
                method = "grpc",
                path = call,
                status = ?code,
                us = began.elapsed().as_micros() as u64,
                "answered"
            );
        }
        result.map(Response::new)
    }

    fn allowed<T>(&self, request: &Request<T>) -> Result<(), RequestError> {
        let headers = request.metadata().clone().into_headers();
        let access = Access { names: None, ..self.app.access.clone() };
        is_allowed(&access, &headers)
    }

    fn answer<T>(
        &self,
        call: &'static str,
        access: Result<(), RequestError>,
        answer: impl FnOnce() -> Result<T, RequestError>,
    ) -> Result<Response<T>, Status> {
        let began = Instant::now();
        self.counted(call, began, access.and_then(|()| answer()))
    }
}

#[tonic::async_trait]
impl GrpcInferenceService for Service {
    async fn server_live(
        &self,
        _request: Request<ServerLiveRequest>,
    ) -> Result<Response<ServerLiveResponse>, Status> {
        self.answer("ServerLive", Ok(()), || Ok(ServerLiveResponse { live: true }))
    }

    async fn server_ready(
        &self,
        _request: Request<ServerReadyRequest>,
    ) -> Result<Response<ServerReadyResponse>, Status> {
        let ready = self.app.is_ready();
        self.answer("ServerReady", Ok(()), || Ok(ServerReadyResponse { ready }))
    }

    async fn model_ready(
        &self,
        request: Request<ModelReadyRequest>,
    ) -> Result<Response<ModelReadyResponse>, Status> {
        self.answer("ModelReady", self.allowed(&request), || {
            let asked = request.get_ref();
            let found = self.app.registry.version(&asked.name, Some(&asked.version));
            match found {
                Err(error) if error.kind != crate::request_error::ErrorKind::Unavailable => {
                    Err(error)
                }
                found => Ok(ModelReadyResponse { ready: found.is_ok() }),
            }
        })
    }

    async fn server_metadata(
        &self,
        request: Request<ServerMetadataRequest>,
    ) -> Result<Response<ServerMetadataResponse>, Status> {
        self.answer("ServerMetadata", self.allowed(&request), || {
            Ok(ServerMetadataResponse {
                name: "abeyance".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                extensions: statistics::EXTENSIONS.map(str::to_owned).to_vec(),
            })
        })
    }

    async fn model_metadata(
        &self,
        request: Request<ModelMetadataRequest>,
    ) -> Result<Response<ModelMetadataResponse>, Status> {
        self.answer("ModelMetadata", self.allowed(&request), || {
            let asked = request.get_ref();
            let version = self.app.registry.version(&asked.name, Some(&asked.version))?;
            let specs = |specs: &[TensorSpec]| -> Vec<TensorMetadata> {
                let told = |spec: &TensorSpec| TensorMetadata {
                    name: spec.name.to_string(),
                    datatype: datatype(spec.dtype).to_owned(),
                    shape: spec.sizes(),
                };
                specs.iter().map(told).collect()
            };
            let served = version.signatures.get(version.default);
            Ok(ModelMetadataResponse {
                name: version.model.to_string(),
                versions: self.app.registry.live_versions(&asked.name),
                platform: "abeyance".to_owned(),
                inputs: served.map(|served| specs(&served.inputs)).unwrap_or_default(),
                outputs: served.map(|served| specs(&served.outputs)).unwrap_or_default(),
            })
        })
    }

    async fn model_infer(
        &self,
        request: Request<ModelInferRequest>,
    ) -> Result<Response<ModelInferResponse>, Status> {
        let began = Instant::now();
        let (access, timeout) = (self.allowed(&request), deadline(request.metadata()));
        let result = match access {
            Err(error) => Err(error),
            Ok(()) => infer::infer(&self.app, request.into_inner(), timeout).await,
        };
        self.counted("ModelInfer", began, result)
    }

    type ModelStreamInferStream =
        Pin<Box<dyn Stream<Item = Result<ModelStreamInferResponse, Status>> + Send>>;

    async fn model_stream_infer(
        &self,
        request: Request<Streaming<ModelInferRequest>>,
    ) -> Result<Response<Self::ModelStreamInferStream>, Status> {
        self.allowed(&request)?;
        let (app, timeout) = (self.app.clone(), deadline(request.metadata()));
        // A request that is refused is told so in its place, and the stream goes on.
        let answers = request.into_inner().then(move |request| {
            let app = app.clone();
            async move {
                let request = request?;
                let id = request.id.clone();
                Ok(match infer::infer(&app, request, timeout).await {
                    Ok(answer) => ModelStreamInferResponse {
                        error_message: String::new(),
                        infer_response: Some(answer),
                    },
                    Err(error) => ModelStreamInferResponse {
                        error_message: error.message,
                        infer_response: Some(ModelInferResponse {
                            id,
                            ..ModelInferResponse::default()
                        }),
                    },
                })
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn model_statistics(
        &self,
        request: Request<ModelStatisticsRequest>,
    ) -> Result<Response<ModelStatisticsResponse>, Status> {
        self.answer("ModelStatistics", self.allowed(&request), || {
            let asked = request.get_ref();
            let versions = if asked.name.is_empty() {
                self.app.registry.live()
            } else {
                self.app.registry.versions(&asked.name, Some(&asked.version))?
            };
            let model_stats = versions.iter().map(|version| of_version(version)).collect();
            Ok(ModelStatisticsResponse { model_stats })
        })
    }

    async fn repository_index(
        &self,
        request: Request<RepositoryIndexRequest>,
    ) -> Result<Response<RepositoryIndexResponse>, Status> {
        self.answer("RepositoryIndex", self.allowed(&request), || {
            let index = statistics::index(&self.app.registry).into_iter();
            let wanted = index.filter(|entry| !request.get_ref().ready || entry.state == "READY");
            let told = |entry: statistics::Entry| ModelIndex {
                name: entry.name,
                version: entry.version,
                state: entry.state.to_owned(),
                reason: entry.reason,
            };
            Ok(RepositoryIndexResponse { models: wanted.map(told).collect() })
        })
    }
}

fn of_version(version: &Version) -> ModelStatistics {
    let measured = version.statistics.measured();
    let took = |count: u64, ns: u64| Some(StatisticDuration { count, ns });
    let succeeded = measured.requests.saturating_sub(measured.failures);
    let batch = |&(rows, count, ns): &(usize, u64, u64)| InferBatchStatistics {
        batch_size: rows as u64,
        compute_input: took(0, 0),
        compute_infer: took(count, ns),
        compute_output: took(0, 0),
    };
    ModelStatistics {
        name: version.model.to_string(),
        version: version.number.to_string(),
        last_inference: statistics::last_ms(version),
        inference_count: measured.rows,
        execution_count: measured.batches,
        inference_stats: Some(InferStatistics {
            success: took(succeeded, measured.success_ns),
            fail: took(measured.failures, measured.fail_ns),
            queue: took(measured.requests, measured.queue_ns),
            compute_input: took(0, 0),
            compute_infer: took(measured.batches, measured.compute_ns),
            compute_output: took(0, 0),
            cache_hit: took(0, 0),
            cache_miss: took(0, 0),
        }),
        batch_stats: measured.sizes.iter().map(batch).collect(),
    }
}
