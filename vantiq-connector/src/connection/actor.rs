//! [`Actor`]: one source's connection, from the first dial to the last close.

use std::sync::Arc;

use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::{
    backoff::{Backoff, Jitter},
    link::{Ended, Link},
    retry::{self, Circumstances, Fatal, LinkEnd, Next},
    session::Sessions,
};
use crate::{
    source::SourceCore,
    telemetry::SourceState,
    transport::{TransportError, TransportErrorKind},
};

/// Keeps one source connected: dials, runs the link, waits, and begins again.
pub(crate) struct Actor {
    core: Arc<SourceCore>,
    sessions: Sessions,
    backoff: Backoff,
}

impl Actor {
    pub(crate) fn new(core: Arc<SourceCore>) -> Self {
        let backoff = Backoff::new(core.options.backoff, Jitter::Full);
        Self { sessions: Sessions::new(Arc::clone(&core)), core, backoff }
    }

    /// Runs until the source is closed. Returns an error where the whole connector set has to end.
    pub(crate) async fn run(mut self) -> Result<(), Fatal> {
        let result = self.keep_connected().await;
        self.let_go().await;
        result
    }

    async fn keep_connected(&mut self) -> Result<(), Fatal> {
        loop {
            let Ended { end, proven } = self.link().await;
            self.sessions.end();
            if proven {
                self.backoff.reset();
            }
            let circumstances = Circumstances {
                authenticated_before: self.core.set.is_authenticated(),
                fail_on_connection_error: self.core.set.config.fail_on_connection_error,
            };
            match retry::next(&end, circumstances) {
                Next::Stop => return Ok(()),
                Next::Fatal => return Fatal::of(end).map_or(Ok(()), Err),
                Next::Retry => self.pause(&end, false).await,
                Next::RetryLate => self.pause(&end, true).await,
            }
        }
    }

    /// Opens one link and runs it to its end.
    async fn link(&mut self) -> Ended {
        let core = Arc::clone(&self.core);
        let opened = async {
            // The semaphore is never closed.
            let handshake = Arc::clone(&core.set.handshakes).acquire_owned().await.ok();
            core.set_state(SourceState::Connecting);
            let socket =
                timeout(core.options.dial_deadline, core.set.dialer.dial()).await.unwrap_or_else(|_| {
                    let url = core.set.dialer.endpoint.to_string();
                    Err(TransportError::from(TransportErrorKind::Deadline { url }))
                });
            (handshake, socket)
        };
        let not_linked = |end| Ended { end, proven: false };
        // Cancel safety: a dial that is dropped closes what it opened.
        let opened = tokio::select! {
            opened = opened => opened,
            () = core.stop.cancelled() => return not_linked(LinkEnd::Stopped),
        };
        match opened {
            (Some(handshake), Ok(socket)) => {
                core.counters.links.add_one();
                Link::new(&core, &mut self.sessions, socket, handshake).run().await
            }
            (_, Err(error)) => not_linked(LinkEnd::NotOpened(error)),
            (None, Ok(_)) => not_linked(LinkEnd::Stopped),
        }
    }

    /// Waits before the next attempt, unless the source is closed meanwhile.
    async fn pause(&mut self, end: &LinkEnd, late: bool) {
        let delay = self.backoff.next(rand::random());
        let delay = if late { self.core.options.backoff.longest } else { delay };
        let why = end.chain();
        warn!(error = %why, ?delay, "not connected; trying again");
        self.core.set_state(SourceState::Waiting(why));
        tokio::select! {
            () = sleep(delay) => {}
            () = self.core.stop.cancelled() => {}
        }
    }

    /// Ends what is left: the session, and the notifications that nobody will send.
    async fn let_go(&mut self) {
        self.core.stop.cancel();
        self.sessions.end();
        if timeout(self.core.options.grace * 3, self.sessions.ended()).await.is_err() {
            error!("the handler did not end");
        }
        self.core.outbox.close();
        let abandoned = self.core.outbox.abandon();
        self.core.counters.notifications_abandoned.add(abandoned as u64);
        self.core.set_state(SourceState::Closed);
        if abandoned > 0 {
            warn!(abandoned, "closed, with notifications that the server did not acknowledge");
        } else {
            info!("closed");
        }
    }
}
