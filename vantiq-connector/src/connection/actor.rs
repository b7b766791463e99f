//! [`Actor`]: one source's connection, from the first dial to the last close.

use std::{convert::Infallible, sync::Arc};

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{error, info, warn};

use super::{
    backoff::{Backoff, BackoffRange, Jitter},
    link::{Ended, Link},
    retry::{self, Circumstances, LinkEnd, Next},
    sessions::Sessions,
};
use crate::{
    ConnectorError,
    context::SourceContext,
    erased::ErasedSource,
    telemetry::{Abandoned, SourceState},
    transport::{Socket, TransportError, TransportErrorKind},
};

/// Keeps one source connected: dials, runs the link, waits, and begins again.
pub(crate) struct Actor {
    context: Arc<SourceContext>,
    sessions: Sessions,
    backoff: Backoff,
}

impl Actor {
    pub(crate) fn new(context: Arc<SourceContext>, handler: Arc<dyn ErasedSource>) -> Self {
        let backoff = Backoff::new(BackoffRange::of(&context.options), Jitter::Full);
        Self { sessions: Sessions::new(Arc::clone(&context), handler), context, backoff }
    }

    /// Runs until the source is closed. Returns an error where the whole connector set has to end.
    #[expect(clippy::manual_async_fn, reason = "that would have room for its argument twice")]
    pub(crate) fn run(mut self) -> impl Future<Output = Result<(), ConnectorError>> + Send {
        async move {
            let expiring = Arc::clone(&self.context);
            let result = tokio::select! {
                result = self.keep_connected() => result,
                never = expire(&expiring) => match never {},
            };
            self.end_session().await;
            result
        }
    }

    async fn keep_connected(&mut self) -> Result<(), ConnectorError> {
        loop {
            let Ended { end, proven } = self.link().await;
            if proven {
                self.backoff.reset();
            }
            let circumstances = Circumstances {
                authenticated_before: self.context.set.is_authenticated(),
                fail_on_connection_error: self.context.set.config.fail_on_connection_error,
            };
            match retry::next(&end, circumstances) {
                Next::Stop => return Ok(()),
                Next::Fatal => return Err(end.into_error()),
                Next::Retry => self.pause(&end, false).await,
                Next::RetryLate => self.pause(&end, true).await,
            }
        }
    }

    /// Opens one link and runs it to its end.
    async fn link(&mut self) -> Ended {
        let (handshake, socket) = match self.open().await {
            Ok(opened) => opened,
            Err(end) => return Ended { end, proven: false },
        };
        let context = Arc::clone(&self.context);
        context.counters.links.add_one();
        let mut link = Link::new(&context, &mut self.sessions, socket, handshake);
        link.run().await
    }

    /// Opens a WebSocket in its turn, unless the source is closed meanwhile. Gives its place among the handshakes, too.
    async fn open(&self) -> Result<(OwnedSemaphorePermit, Socket), LinkEnd> {
        let context = &self.context;
        let opened = async {
            let handshake = Arc::clone(&context.set.handshakes).acquire_owned().await;
            let handshake = handshake.map_err(|_closed| LinkEnd::Stopped)?;
            context.set.pacer.turn().await;
            context.set_state(SourceState::Connecting);
            // Boxed, for the handshakes take more room than the link that lives for months.
            let dial = Box::pin(context.set.dialer.dial());
            let socket = timeout(context.options.dial_deadline, dial).await.unwrap_or_else(|_| {
                let url = context.set.dialer.endpoint.to_string();
                Err(TransportError::from(TransportErrorKind::Deadline { url }))
            });
            Ok((handshake, socket.map_err(LinkEnd::NotOpened)?))
        };
        // Cancel safety: a dial that is dropped closes what it opened.
        tokio::select! {
            opened = opened => opened,
            () = context.stop.cancelled() => Err(LinkEnd::Stopped),
        }
    }

    /// Waits before the next attempt, unless the source is closed meanwhile.
    async fn pause(&mut self, end: &LinkEnd, late: bool) {
        let delay = self.backoff.next(self.context.options.chance.draw());
        let delay = if late { self.context.options.backoff_longest } else { delay };
        let why = end.chain();
        warn!(error = %why, ?delay, "not connected; trying again");
        self.context.set_state(SourceState::Waiting(why));
        tokio::select! {
            () = sleep(delay) => {}
            () = self.context.stop.cancelled() => {}
        }
    }

    async fn end_session(&mut self) {
        self.context.stop.cancel();
        // There is no link any more, which could make room in it.
        self.context.outbox.stop_waiting();
        self.sessions.end();
        if timeout(self.context.options.end_of_session(), self.sessions.ended()).await.is_err() {
            error!("the handler did not end");
            self.context.cut_off(|counters| &counters.handlers_abandoned);
        }
    }
}

/// Gives up notifications whose time is over, and counts those that are found in the outbox file, for as long as
/// it is polled.
async fn expire(context: &SourceContext) -> Infallible {
    loop {
        let expiry = context.outbox.expiry();
        let expired = async {
            match expiry {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        // Cancel safety: they take nothing before they are over.
        tokio::select! {
            count = context.outbox.found() => {
                context.counters.notifications_restored.add(count as u64);
                continue;
            }
            () = expired => {}
            () = context.outbox.expires_sooner() => continue,
        }
        context.notifications_expired(context.outbox.expire(Instant::now()));
    }
}

impl Drop for Actor {
    /// Whatever ended the actor, be it that all were dropped: nobody will send what is left in the outbox,
    /// and nobody may go on waiting for it.
    fn drop(&mut self) {
        let context = &self.context;
        let kept = context.abandon_notifications();
        if kept > 0 {
            info!(kept, "notifications stay in the outbox file for the next start");
        }
        context.set_state(SourceState::Closed);
        let abandoned = Abandoned::of(std::iter::once(context.counters.snapshot()));
        if abandoned.is_empty() {
            info!("closed");
        } else {
            warn!(%abandoned, "closed, with work left undone");
        }
    }
}
