use std::sync::Arc;
use crate::app::App;
pub(crate) fn routes(_app: Arc<App>) -> tonic::service::Routes { tonic::service::Routes::default() }
