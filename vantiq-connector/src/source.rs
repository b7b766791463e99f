//! [`Source`]: the handle by which a handler, or the owner of the connector set, reaches a source.

use std::{fmt, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::time::Instant;

use crate::{
    HealthError, NotShared, NotifyError, Receipt, ServerConfig, SourceState, SourceStatus,
    context::{Scope, SourceContext},
    delivery::Draft,
    polling,
    scratch::with_scratch,
};

/// A handle of a source. Cheap to clone.
///
/// A handler gets one in [`connect`](crate::SourceHandler::connect); [`spawn`](Self::spawn) and
/// [`cancelled`](Self::cancelled) of that one and its clones belong to the *session*. The one of
/// [`ConnectorSetHandle::source`](crate::ConnectorSetHandle::source) belongs to no session, there the two
/// last until the source is closed. All else is the same.
#[derive(Clone)]
pub struct Source {
    context: Arc<SourceContext>,
    scope: Scope,
}

impl Source {
    pub(crate) const fn new(context: Arc<SourceContext>, scope: Scope) -> Self {
        Self { context, scope }
    }

    /// The source's name.
    pub fn name(&self) -> &str {
        &self.context.name
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
    /// With `outboxFile` it also waits until the event is in the file, as
    /// [`OutboxSync`](crate::OutboxSync) says; with `Always`, until it is on the disk.
    ///
    /// # Errors
    /// [`NotifyError::Serialize`], [`TooLarge`](NotifyError::TooLarge), [`Store`](NotifyError::Store) or
    /// [`Closed`](NotifyError::Closed); the event was not accepted. When the connector stops while the event
    /// is being written, `Closed` may come although it is in the file.
    ///
    /// # Cancel safety
    /// Cancel safe: while it waits for room, nothing is accepted. A cancelled call loses its place in the
    /// order. With `outboxFile`, a call that is cancelled while the event is being written may have been
    /// accepted: the event is sent all the same, and who calls again sends it twice.
    pub async fn notify<T: Serialize + ?Sized>(&self, event: &T) -> Result<Receipt, NotifyError> {
        self.push(event, self.context.options.time_to_live).await
    }

    /// As [`notify`](Self::notify), for an event that is of no use after `time_to_live`: where it still waits
    /// to be sent then, or to be sent again, it is given up, and its receipt says
    /// [`Expired`](crate::DeliveryError::Expired). The time counts from this call, the wait for room
    /// included. What all other events have is set by
    /// [`ConnectorSetBuilder::time_to_live`](crate::ConnectorSetBuilder::time_to_live).
    ///
    /// # Errors
    /// As `notify`.
    ///
    /// # Cancel safety
    /// As `notify`.
    pub async fn notify_within<T: Serialize + ?Sized>(
        &self,
        time_to_live: Duration,
        event: &T,
    ) -> Result<Receipt, NotifyError> {
        self.push(event, Some(time_to_live)).await
    }

    /// As [`notify`](Self::notify), without waiting. With `outboxFile`, it is the receipt that tells where the
    /// event could not be stored: [`DeliveryError::NotStored`](crate::DeliveryError::NotStored).
    ///
    /// # Errors
    /// As `notify`, and [`NotifyError::Full`] where that would wait for room.
    pub fn try_notify<T: Serialize + ?Sized>(&self, event: &T) -> Result<Receipt, NotifyError> {
        let draft = self.draft(event, self.context.options.time_to_live)?;
        self.context.outbox.offer(draft).map(|(receipt, offered)| self.context.offered(receipt, &offered))
    }

    async fn push<T: Serialize + ?Sized>(
        &self,
        event: &T,
        time_to_live: Option<Duration>,
    ) -> Result<Receipt, NotifyError> {
        let draft = self.draft(event, time_to_live)?;
        let (receipt, offered) = self.context.outbox.push(draft).await?;
        Ok(self.context.offered(receipt, &offered))
    }

    fn draft<T: Serialize + ?Sized>(
        &self,
        event: &T,
        time_to_live: Option<Duration>,
    ) -> Result<Draft, NotifyError> {
        let request_id = self.context.next_request_id();
        let max = self.context.set.config.max_message_bytes;
        let frame = with_scratch(|text| {
            self.context.notification.write(text, request_id, event).map_err(NotifyError::Serialize)?;
            match text.len() {
                size if size > max => Err(NotifyError::TooLarge { size, max }),
                // It may wait for long, so it takes no more room than it has to.
                _ => Ok(self.context.outbox.frame(text)),
            }
        })?;
        // What cannot be told by the clock never comes.
        let expires_at = time_to_live.and_then(|time| Instant::now().checked_add(time));
        Ok(Draft { frame, request_id, expires_at })
    }

    /// Opens the TCP probe of the connector set, if it is not open. There is one for all its sources. Does
    /// nothing once the set stops: it stays unhealthy.
    ///
    /// # Errors
    /// [`HealthError`] where the port cannot be opened; health stays as it was.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn declare_healthy(&self) -> Result<(), HealthError> {
        self.context.set.probe.declare_healthy().await
    }

    /// Closes the TCP probe of the connector set.
    pub async fn declare_unhealthy(&self) {
        self.context.set.probe.declare_unhealthy().await;
    }

    /// What was declared last; `None` until something was.
    pub fn is_healthy(&self) -> Option<bool> {
        self.context.set.probe.is_healthy()
    }

    /// The settings of the connector set.
    pub fn server_config(&self) -> &ServerConfig {
        &self.context.set.config
    }

    /// What the source is doing, and what it has done.
    pub fn status(&self) -> SourceStatus {
        SourceStatus {
            name: self.context.name.clone(),
            state: self.context.state.borrow().clone(),
            counts: self.context.counters.snapshot(),
        }
    }

    /// Waits until the source is in a state that `wanted` accepts, and returns that state; at once where it
    /// is in such a state already. States that pass in between may go unseen.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn wait_for(&self, mut wanted: impl FnMut(&SourceState) -> bool) -> SourceState {
        let mut state_rx = self.context.state.subscribe();
        // `context` holds the sender, and `self` holds `context`.
        let state = state_rx.wait_for(|state| wanted(state)).await;
        state.map_or(SourceState::Closed, |state| state.clone())
    }

    /// Runs `task` until it ends or the session does, whichever is first: then it is dropped at its next
    /// `.await`, before the handler's `close`. What `connect` spawned ends in the same way when that call of
    /// `connect` fails, before the next one. A panic in it is logged and reaches nobody else.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.scope.spawn(task);
    }

    /// Calls `call` with this handle every `period`, in a task as of [`spawn`](Self::spawn), on a grid that begins
    /// now and does not drift; each time, the first one too, up to a tenth of the period late by chance, so that
    /// a thousand sources do not ask at the same moment. No call begins before the last one has ended; what a long
    /// call missed is left out: so one that awaits a receipt polls no more while the server is away. A call that fails
    /// or panics is logged and counted, and the next one comes all the same.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use vantiq_connector::prelude::*;
    /// # async fn read() -> Result<f64> { Ok(21.5) }
    /// # fn connect(source: &Source) {
    /// source.every(Duration::from_secs(10), |source| async move {
    ///     source.notify(&serde_json::json!({ "celsius": read().await? })).await?;
    ///     Ok(())
    /// });
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn every<F, Fut>(&self, period: Duration, mut call: F)
    where
        F: FnMut(Self) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let source = self.clone();
        self.scope.spawn(async move {
            let context = Arc::clone(&source.context);
            polling::poll(&context, period, || call(source.clone())).await;
        });
    }

    /// Waits until the session ends. For what cannot simply be dropped at an `.await`.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn cancelled(&self) {
        self.scope.cancelled().await;
    }

    /// What was given to [`ConnectorSetBuilder::shared`](crate::ConnectorSetBuilder::shared): state for the
    /// whole process, whatever becomes of sessions.
    ///
    /// # Errors
    /// [`NotShared`] where nothing of the type `T` was given.
    pub fn shared<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, NotShared> {
        self.context.set.shared.get()
    }

    /// As [`shared`](Self::shared); what was not given is made here, once for the process.
    pub fn shared_or_init<T: Send + Sync + 'static>(&self, init: impl FnOnce() -> T) -> Arc<T> {
        self.context.set.shared.get_or_init(init)
    }

    /// Ends the session and begins a new one, with the configuration the server then sends. Returns at
    /// once. Where the session began less than 250 ms ago, `connectExtension` is sent 250 ms from now. While
    /// the source is not connected a new session is on its way anyway; then this only ends a `persistent`
    /// handler, which would go on in it.
    pub fn reconnect(&self) {
        self.context.reconnect.notify_one();
    }

    /// Closes the source for good: calls in flight get their grace, then the handler is closed,
    /// notifications are flushed, and the link is closed. Returns at once. When the last source is closed, the set ends.
    pub fn close(&self) {
        self.context.stop.cancel();
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.context.name).finish_non_exhaustive()
    }
}
