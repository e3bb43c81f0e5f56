//! gRPC's own protocol for health: of the server, by the empty name, and of models, by theirs.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::health_v1::health_check_response::ServingStatus;
use super::health_v1::health_server;
use super::health_v1::{HealthCheckRequest, HealthCheckResponse};
use crate::app::App;

/// The time between two looks at a status that is watched.
const LOOK: Duration = Duration::from_millis(500);

pub(super) struct Health {
    pub(super) app: Arc<App>,
}

/// The status of a name; `None` if nothing is called so.
fn status(app: &App, service: &str) -> Option<ServingStatus> {
    let serves = match service {
        "" | "inference.GRPCInferenceService" => app.is_ready(),
        model => {
            app.registry.model(model).ok()?;
            app.registry.version(model, None).is_ok()
        }
    };
    Some(if serves { ServingStatus::Serving } else { ServingStatus::NotServing })
}

#[tonic::async_trait]
impl health_server::Health for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        match status(&self.app, service) {
            Some(status) => Ok(Response::new(HealthCheckResponse { status: status.into() })),
            None => Err(Status::not_found(format!(
                "nothing here is called `{}`",
                crate::model::shortened(service)
            ))),
        }
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (app, service) = (self.app.clone(), request.into_inner().service);
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            let mut last = None;
            loop {
                let status = status(&app, &service).unwrap_or(ServingStatus::ServiceUnknown);
                if last != Some(status) {
                    last = Some(status);
                    let answer = HealthCheckResponse { status: status.into() };
                    if sender.send(Ok(answer)).await.is_err() {
                        return;
                    }
                }
                let is_stopping = app.stopping.load(std::sync::atomic::Ordering::Relaxed);
                if is_stopping || sender.is_closed() {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        Ok(Response::new(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver))))
    }
}
