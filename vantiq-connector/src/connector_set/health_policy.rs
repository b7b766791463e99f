//! `healthPolicy=connected`: the probe follows the sources.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::error;

use super::SetCore;
use crate::{source::SourceCore, telemetry::SourceState};

/// Follows until it is dropped.
pub(super) struct Following(JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Declares the set healthy while every source is connected, and unhealthy otherwise.
pub(super) fn follow(core: &Arc<SetCore>, sources: &[Arc<SourceCore>]) -> Following {
    let (core, sources) = (Arc::clone(core), sources.to_vec());
    Following(tokio::spawn(async move {
        loop {
            declare(&core, &sources).await;
            core.state_changed.notified().await;
        }
    }))
}

async fn declare(core: &SetCore, sources: &[Arc<SourceCore>]) {
    let connected = |source: &Arc<SourceCore>| *source.state.borrow() == SourceState::Connected;
    if core.stop.is_cancelled() || !sources.iter().all(connected) {
        core.probe.declare_unhealthy().await;
    } else if let Err(error) = core.probe.declare_healthy().await {
        // Nobody asked who could be told; the orchestrator sees that nothing listens.
        error!(%error, "cannot declare the connector healthy");
    }
}
