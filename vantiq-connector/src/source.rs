//! [`Source`]: the handle by which a handler, or the owner of the connector set, reaches a source.

use std::{fmt, sync::Arc};

use futures_util::FutureExt;
use serde::Serialize;
use serde_json::value::to_raw_value;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span, error, warn};

use crate::{
    HealthError, NotifyError, Receipt, Secret, ServerConfig, SourceStatus,
    connector_set::{NotShared, Options, SetCore},
    delivery::{Offered, Outbox},
    erased::ErasedSource,
    protocol::Outbound,
    query::ReplyTo,
    telemetry::{Counters, SourceState, worth_a_line},
};

/// A handle of a source. Cheap to clone.
///
/// A handler gets one in [`connect`](crate::SourceHandler::connect); [`spawn`](Self::spawn) and
/// [`cancelled`](Self::cancelled) of that one and its clones belong to the *session*. The one of
/// [`ConnectorSetHandle::source`](crate::ConnectorSetHandle::source) belongs to no session, there the two
/// last until the source is closed. All else is the same.
#[derive(Clone)]
pub struct Source {
    core: Arc<SourceCore>,
    scope: Scope,
}

impl Source {
    pub(crate) const fn new(core: Arc<SourceCore>, scope: Scope) -> Self {
        Self { core, scope }
    }

    /// The source's name.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// Sends an event of the source, in the order of calls. Returns as soon as the event is accepted into
    /// the outbox; the [`Receipt`] tells what became of it.
    ///
    /// The event is kept, and sent again after a lost link, until the server acknowledged it: it arrives at
    /// least once. It becomes the event's `value` in Vantiq; an object is what rules expect, other JSON is
    /// sent as it is.
    ///
    /// Waits while the outbox is full, unless [`OverflowPolicy`](crate::OverflowPolicy) says otherwise. May
    /// be called from `connect`: the event leaves once the session is connected.
    ///
    /// # Errors
    /// [`NotifyError::Serialize`], [`TooLarge`](NotifyError::TooLarge) or [`Closed`](NotifyError::Closed);
    /// the event was not accepted.
    ///
    /// # Cancel safety
    /// Cancel safe: while it waits, nothing is accepted. A cancelled call loses its place in the order.
    pub async fn notify<T: Serialize + ?Sized>(&self, event: &T) -> Result<Receipt, NotifyError> {
        let frame = self.encode(event)?;
        self.core.outbox.push(frame).await.map(|(receipt, offered)| self.core.offered(receipt, &offered))
    }

    /// As [`notify`](Self::notify), without waiting.
    ///
    /// # Errors
    /// As `notify`, and [`NotifyError::Full`] where that would wait.
    pub fn try_notify<T: Serialize + ?Sized>(&self, event: &T) -> Result<Receipt, NotifyError> {
        let frame = self.encode(event)?;
        self.core.outbox.offer(frame).map(|(receipt, offered)| self.core.offered(receipt, &offered))
    }

    fn encode<T: Serialize + ?Sized>(&self, event: &T) -> Result<bytes::Bytes, NotifyError> {
        let object = to_raw_value(event).map_err(NotifyError::Serialize)?;
        let frame = Outbound::Notification { source: &self.core.name, object: &object }.encode();
        let (size, max) = (frame.len(), self.core.set.config.max_message_bytes);
        if size > max { Err(NotifyError::TooLarge { size, max }) } else { Ok(frame) }
    }

    /// Opens the TCP probe of the connector set, if it is not open. There is one for all its sources.
    ///
    /// # Errors
    /// [`HealthError`] where the port cannot be opened; health stays as it was.
    pub async fn declare_healthy(&self) -> Result<(), HealthError> {
        self.core.set.probe.declare_healthy().await
    }

    /// Closes the TCP probe of the connector set.
    pub async fn declare_unhealthy(&self) {
        self.core.set.probe.declare_unhealthy().await;
    }

    /// What was declared last; `None` until something was.
    pub fn is_healthy(&self) -> Option<bool> {
        self.core.set.probe.is_healthy()
    }

    /// The settings of the connector set.
    pub fn server_config(&self) -> &ServerConfig {
        &self.core.set.config
    }

    /// What the source is doing, and what it has done.
    pub fn status(&self) -> SourceStatus {
        SourceStatus {
            name: self.core.name.clone(),
            state: self.core.state.borrow().clone(),
            counts: self.core.counters.snapshot(),
        }
    }

    /// Waits until the source is in a state that `wanted` accepts, and returns that state; at once where it
    /// is in such a state already. States that pass in between may go unseen.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn wait_for(&self, mut wanted: impl FnMut(&SourceState) -> bool) -> SourceState {
        let mut state_rx = self.core.state.subscribe();
        // `core` holds the sender, and `self` holds `core`.
        let state = state_rx.wait_for(|state| wanted(state)).await;
        state.map_or(SourceState::Closed, |state| state.clone())
    }

    /// Runs `task` until it ends or the session does, whichever is first: then it is dropped at its next
    /// `.await`, before the handler's `close`. A panic in it is logged and reaches nobody else.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let token = self.scope.token.clone();
        let task = async move {
            let task = std::panic::AssertUnwindSafe(task).catch_unwind();
            if let Some(Err(_)) = token.run_until_cancelled(task).await {
                error!("a spawned task panicked");
            }
        };
        self.scope.tasks.spawn(task.instrument(Span::current()));
    }

    /// Waits until the session ends. For what cannot simply be dropped at an `.await`.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn cancelled(&self) {
        self.scope.token.cancelled().await;
    }

    /// What was given to [`ConnectorSetBuilder::shared`](crate::ConnectorSetBuilder::shared): state for the
    /// whole process, whatever becomes of sessions.
    ///
    /// # Errors
    /// [`NotShared`] where nothing of the type `T` was given.
    pub fn shared<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, NotShared> {
        self.core.set.shared.get()
    }

    /// As [`shared`](Self::shared); what was not given is made here, once for the process.
    pub fn shared_or_init<T: Send + Sync + 'static>(&self, init: impl FnOnce() -> T) -> Arc<T> {
        self.core.set.shared.get_or_init(init)
    }

    /// Ends the session and begins a new one, with the configuration the server then sends. Returns at
    /// once. Means nothing while the source is not connected: then a new session is on its way anyway.
    pub fn reconnect(&self) {
        self.core.reconnect.notify_one();
    }

    /// Closes the source for good: calls in flight get their grace, notifications are flushed, then the
    /// handler and the link are closed. Returns at once. When the last source is closed, the set ends.
    pub fn close(&self) {
        self.core.stop.cancel();
    }

    pub(crate) const fn scope(&self) -> &Scope {
        &self.scope
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.core.name).finish_non_exhaustive()
    }
}

/// The lifetime of what a handler spawned.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    token: CancellationToken,
    tasks: TaskTracker,
}

impl Scope {
    pub(crate) fn new() -> Self {
        Self::until(CancellationToken::new())
    }

    /// A scope that ends when `token` is cancelled.
    pub(crate) fn until(token: CancellationToken) -> Self {
        Self { token, tasks: TaskTracker::new() }
    }

    /// Tells the tasks to end.
    pub(crate) fn end(&self) {
        self.token.cancel();
        self.tasks.close();
    }

    /// Waits until they have ended.
    pub(crate) async fn ended(&self) {
        self.tasks.wait().await;
    }
}

/// One source: what its handles, its actor and its sessions share.
pub(crate) struct SourceCore {
    pub(crate) name: String,
    pub(crate) set: Arc<SetCore>,
    pub(crate) options: Arc<Options>,
    pub(crate) handler: Arc<dyn ErasedSource>,
    pub(crate) reconnect_secret: Secret,
    pub(crate) outbox: Outbox,
    pub(crate) query_slots: Arc<Semaphore>,
    /// Asks for a new session.
    pub(crate) reconnect: Notify,
    /// Asks for the end.
    pub(crate) stop: CancellationToken,
    pub(crate) counters: Counters,
    pub(crate) state: watch::Sender<SourceState>,
}

impl SourceCore {
    pub(crate) fn new(name: String, set: Arc<SetCore>, handler: Arc<dyn ErasedSource>) -> Self {
        let options = Arc::clone(&set.options);
        Self {
            reconnect_secret: reconnect_secret(&name, set.config.reconnect_secret.as_ref()),
            outbox: options.outbox(),
            query_slots: Arc::new(Semaphore::new(options.max_queries)),
            reconnect: Notify::new(),
            stop: set.stop.child_token(),
            counters: Counters::default(),
            state: watch::Sender::new(SourceState::Connecting),
            name,
            set,
            options,
            handler,
        }
    }

    pub(crate) fn set_state(&self, state: SourceState) {
        self.state.send_replace(state);
        self.set.state_changed.notify_one();
    }

    /// Sets the state, unless `ended` was cancelled. Both are looked at under one lock, so what is said
    /// after the cancellation stays said.
    pub(crate) fn set_state_unless(&self, ended: &CancellationToken, state: SourceState) {
        self.state.send_if_modified(|present| {
            let valid = !ended.is_cancelled();
            if valid {
                *present = state;
            }
            valid
        });
        self.set.state_changed.notify_one();
    }

    /// Where the answers to a query go.
    pub(crate) fn reply_to(&self, address: String) -> ReplyTo {
        let config = &self.set.config;
        ReplyTo {
            address,
            max_message_bytes: config.max_message_bytes,
            errors_as_array: config.query_errors_as_array,
        }
    }

    fn offered(&self, receipt: Receipt, offered: &Offered) -> Receipt {
        let dropped = match offered {
            Offered::Accepted => 0,
            Offered::AcceptedFor(dropped) => *dropped,
            Offered::Dropped => 1,
        };
        if *offered != Offered::Dropped {
            self.counters.notifications.add_one();
        }
        if dropped > 0 {
            let count = self.counters.notifications_dropped.add(dropped as u64);
            if worth_a_line(count) {
                warn!(source = self.name, count, "notifications are dropped, for the outbox is full");
            }
        }
        receipt
    }
}

impl fmt::Debug for SourceCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceCore").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The secret by which a connector takes its source back from a link that is half dead: stable across
/// restarts where one is configured, as the Python SDK forms it, else random.
fn reconnect_secret(name: &str, configured: Option<&Secret>) -> Secret {
    match configured {
        Some(secret) => Secret::new(format!("{name}_{}", secret.expose())),
        None => Secret::new(format!("{name}_{:032x}", rand::random::<u128>())),
    }
}
