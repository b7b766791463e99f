//! [`ConnectorSetHandle`]: watches and closes a connector set from elsewhere.

use std::{net::SocketAddr, sync::Arc};

use crate::{
    HealthError, ServerConfig, Source, SourceStatus,
    context::{Scope, SetContext, SourceContext},
};

/// A handle of a connector set. Cheap to clone; does not keep the set running.
#[derive(Debug, Clone)]
pub struct ConnectorSetHandle {
    context: Arc<SetContext>,
    sources: Arc<[Source]>,
}

impl ConnectorSetHandle {
    pub(super) fn new(context: Arc<SetContext>, sources: impl Iterator<Item = Arc<SourceContext>>) -> Self {
        let source = |source: Arc<SourceContext>| {
            let scope = Scope::until(source.stop.child_token());
            Source::new(source, scope)
        };
        Self { context, sources: sources.map(source).collect() }
    }

    /// The sources, in the order of `server.config`.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The source of this name.
    pub fn source(&self, name: &str) -> Option<Source> {
        self.sources.iter().find(|source| source.name() == name).cloned()
    }

    /// What each source is doing, in the order of `server.config`.
    pub fn status(&self) -> Vec<SourceStatus> {
        self.sources.iter().map(Source::status).collect()
    }

    /// The settings of the set.
    pub fn server_config(&self) -> &ServerConfig {
        &self.context.config
    }

    /// Opens the TCP probe, if it is not open: port 8000, or `tcpProbePort`, on all interfaces. Does nothing
    /// once the set stops: it stays unhealthy.
    ///
    /// # Errors
    /// [`HealthError`] where the port cannot be opened; health stays as it was.
    pub async fn declare_healthy(&self) -> Result<(), HealthError> {
        self.context.probe.declare_healthy().await
    }

    /// Closes the TCP probe. It is closed when this returns.
    pub async fn declare_unhealthy(&self) {
        self.context.probe.declare_unhealthy().await;
    }

    /// What was declared last; `None` until something was.
    pub fn is_healthy(&self) -> Option<bool> {
        self.context.probe.is_healthy()
    }

    /// Where the TCP probe listens, while it does; of use with `tcpProbePort=0`.
    pub fn probe_addr(&self) -> Option<SocketAddr> {
        self.context.probe.addr()
    }

    /// Closes all sources and waits until the set has ended. Closes a set that did not begin to run, too: it
    /// will end as soon as it begins.
    ///
    /// Not for use within a handler, where it would wait for itself until the grace is over: there,
    /// [`Source::close`] each of [`sources`](Self::sources).
    ///
    /// # Cancel safety
    /// Cancel safe: the set ends all the same.
    pub async fn close(&self) {
        self.context.stop.cancel();
        if self.context.serving.is_cancelled() {
            self.context.closed.cancelled().await;
        }
    }
}
