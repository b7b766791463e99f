//! `healthPolicy=connected`: the probe follows the sources.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::sleep};
use tracing::error;

use crate::{
    HealthError,
    context::{SetContext, SourceContext},
    telemetry::SourceState,
};

/// How long to wait before a port that was in use is tried again.
const RETRY: Duration = Duration::from_secs(1);

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
        let mut port_is_free = true;
        loop {
            let declared = declare(&context, &sources).await;
            if let Err(error) = &declared
                && port_is_free
            {
                // Nobody asked who could be told; the orchestrator sees that nothing listens.
                error!(%error, "cannot declare the connector healthy; trying again");
            }
            port_is_free = declared.is_ok();
            // Cancel safety: both only wait.
            tokio::select! {
                () = context.state_changed.notified() => {}
                () = sleep(RETRY), if !port_is_free => {}
            }
        }
    }))
}

async fn declare(context: &SetContext, sources: &[Arc<SourceContext>]) -> Result<(), HealthError> {
    let connected = |source: &Arc<SourceContext>| *source.state.borrow() == SourceState::Connected;
    if !sources.iter().all(connected) {
        context.probe.declare_unhealthy().await;
        return Ok(());
    }
    context.probe.declare_healthy().await
}
