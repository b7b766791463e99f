//! `healthPolicy=connected`: the probe follows the sources.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::error;

use crate::{
    context::{SetContext, SourceContext},
    telemetry::SourceState,
};

/// Follows until it is dropped.
pub(super) struct Following(JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Declares the set healthy while every source is connected, and unhealthy otherwise.
pub(super) fn follow(context: &Arc<SetContext>, sources: Vec<Arc<SourceContext>>) -> Following {
    let context = Arc::clone(context);
    Following(tokio::spawn(async move {
        loop {
            declare(&context, &sources).await;
            context.state_changed.notified().await;
        }
    }))
}

async fn declare(context: &SetContext, sources: &[Arc<SourceContext>]) {
    let connected = |source: &Arc<SourceContext>| *source.state.borrow() == SourceState::Connected;
    if context.stop.is_cancelled() || !sources.iter().all(connected) {
        context.probe.declare_unhealthy().await;
    } else if let Err(error) = context.probe.declare_healthy().await {
        // Nobody asked who could be told; the orchestrator sees that nothing listens.
        error!(%error, "cannot declare the connector healthy");
    }
}
