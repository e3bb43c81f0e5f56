//! gRPC.

use std::sync::Arc;

use tonic::service::Routes;

use crate::app::App;

/// Everything that is answered.
pub(crate) fn routes(_app: Arc<App>) -> Routes {
    Routes::default()
}
