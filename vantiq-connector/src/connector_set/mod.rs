//! [`ConnectorSet`]: all sources served by one process from one `server.config`.

mod builder;
mod handle;
mod health_policy;
#[cfg(feature = "simulator")]
mod simulation;
mod start;
#[cfg(feature = "simulator")]
mod trial;

use std::{fmt, sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span, warn};

#[cfg(feature = "simulator")]
pub use self::trial::{conformance, conformance_of};
pub use self::{builder::ConnectorSetBuilder, handle::ConnectorSetHandle, start::start};
use crate::{
    Abandoned, ConnectorError, HealthPolicy, SourceState,
    connection::Actor,
    context::{SetContext, SourceContext},
    delivery::Unwritten,
    erased::ErasedSource,
};

/// For how long a second signal may be the same as the first.
const ECHO: Duration = Duration::from_millis(500);

/// All sources served by one process from one `server.config`, each with a handler and, while the set
/// [runs](Self::run), a connection of its own.
///
/// ```no_run
/// # use vantiq_connector::prelude::*;
/// # #[derive(VantiqSource)]
/// # #[vantiq_source("thermostat")]
/// # struct Thermostat;
/// # impl SourceHandler for Thermostat {
/// #     async fn connect(_: Source, _: Self::Config) -> Result<Self> { Ok(Self) }
/// # }
/// # async fn example() -> Result<()> {
/// ConnectorSet::builder().source::<Thermostat>().build()?.run().await?;
/// # Ok(())
/// # }
/// ```
pub struct ConnectorSet {
    context: Arc<SetContext>,
    members: Vec<Member>,
}

/// A source of the set, and what makes its handlers.
struct Member {
    context: Arc<SourceContext>,
    handler: Arc<dyn ErasedSource>,
}

impl Drop for Member {
    /// A set may be dropped without ever having been served, or before its end: nobody may go on waiting for it.
    fn drop(&mut self) {
        self.context.abandon_notifications();
        self.context.set_state(SourceState::Closed);
    }
}

impl ConnectorSet {
    /// Names the handlers and settings of a set.
    #[must_use]
    pub fn builder() -> ConnectorSetBuilder {
        ConnectorSetBuilder::new()
    }

    /// A handle, by which the set is watched and closed from elsewhere.
    pub fn handle(&self) -> ConnectorSetHandle {
        ConnectorSetHandle::new(Arc::clone(&self.context), self.contexts())
    }

    /// Serves all sources until SIGTERM or SIGINT (Ctrl-C) asks to stop. A second signal ends at once, unless it comes
    /// within half a second: those who stop a process and its group send one and the same twice.
    ///
    /// # Errors
    /// As [`serve`](Self::serve), and [`ConnectorError::Interrupted`] after a second signal.
    pub async fn run(self) -> Result<(), ConnectorError> {
        let mut signals = Signals::new().map_err(ConnectorError::Runtime)?;
        let stop = CancellationToken::new();
        let serving = self.serve(stop.clone());
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            result = &mut serving => return result,
            () = signals.next() => info!("stopping; a second signal stops at once"),
        }
        stop.cancel();
        tokio::select! {
            result = &mut serving => result,
            () = signals.next_after(ECHO) => Err(ConnectorError::Interrupted),
        }
    }

    /// Serves all sources until `stop` is cancelled or every source was closed. For programs with a
    /// runtime and signals of their own.
    ///
    /// # Errors
    /// [`ConnectorError::CredentialsRefused`] when the server refuses the token before it ever accepted
    /// one, [`ConnectorError::Unreachable`] when it cannot be reached at first and
    /// `failOnConnectionError=true`, [`ConnectorError::Abandoned`] when a stop left work undone. All sources
    /// have been closed then.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropping it ends all connections at once, and handlers without their `close`.
    pub async fn serve(self, stop: CancellationToken) -> Result<(), ConnectorError> {
        for warning in &self.context.config.warnings {
            warn!("{}", warning.text);
        }
        let _closed = self.context.closed.clone().drop_guard();
        self.context.serving.cancel();
        let following = match self.context.config.health_policy {
            HealthPolicy::Manual => None,
            HealthPolicy::Connected => Some(health_policy::follow(&self.context, self.contexts().collect())),
        };
        let mut actors = JoinSet::new();
        for Member { context, handler } in &self.members {
            let span = info_span!("source", id = context.name);
            actors.spawn(Actor::new(Arc::clone(context), Arc::clone(handler)).run().instrument(span));
        }
        let result = self.until_closed(actors, &stop).await;
        drop(following);
        self.context.probe.close().await;
        let unwritten = match &self.context.store {
            Some(store) => store.close().await,
            None => Unwritten::default(),
        };
        for context in self.contexts() {
            context.count_the_rest(unwritten.of(&context.name));
        }
        let counts = self.members.iter().map(|member| member.context.counters.snapshot());
        let abandoned = Abandoned::of(counts);
        if abandoned.is_empty() {
            info!("stopped");
            return result;
        }
        warn!(%abandoned, "stopped, with work left undone");
        result.and(Err(ConnectorError::Abandoned(abandoned)))
    }

    /// Waits for all actors; the first that has to end the set ends it.
    async fn until_closed(
        &self,
        mut actors: JoinSet<Result<(), ConnectorError>>,
        stop: &CancellationToken,
    ) -> Result<(), ConnectorError> {
        let mut result = Ok(());
        let mut stopping = false;
        loop {
            // Cancel safety: tokens only tell, and `join_next` gives up a task only when it has ended.
            tokio::select! {
                ended = actors.join_next() => {
                    let error = match ended {
                        None => return result,
                        Some(Ok(Ok(()))) => continue,
                        Some(Ok(Err(fatal))) => fatal,
                        Some(Err(_)) => ConnectorError::Defect,
                    };
                    result = result.and(Err(error));
                    self.context.stop.cancel();
                }
                () = stop.cancelled(), if !self.context.stop.is_cancelled() => self.context.stop.cancel(),
                // Whoever asked for it.
                () = self.context.stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.context.probe.close().await;
                }
            }
        }
    }

    fn contexts(&self) -> impl Iterator<Item = Arc<SourceContext>> + '_ {
        self.members.iter().map(|member| Arc::clone(&member.context))
    }
}

impl Drop for ConnectorSet {
    /// Closes the outbox file even where `serve` is dropped, or was never called: handles of the set may live on, and
    /// another set may be begun at once.
    fn drop(&mut self) {
        self.members.clear();
        if let Some(store) = &self.context.store {
            store.close_now();
        }
    }
}

impl fmt::Debug for ConnectorSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.members.iter().map(|member| &member.context.name).collect();
        f.debug_struct("ConnectorSet").field("config", &self.context.config).field("sources", &names).finish()
    }
}

/// The signals that ask a process to stop.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// The next one that comes after this time.
    async fn next_after(&mut self, delay: Duration) {
        let until = Instant::now() + delay;
        loop {
            self.next().await;
            if Instant::now() >= until {
                return;
            }
        }
    }
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Cancel safe: both receivers keep their signals.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "it can fail on Unix")]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
