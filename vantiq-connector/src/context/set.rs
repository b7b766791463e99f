//! [`SetContext`]: what all sources of a set share.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{Options, Shared, pacer::Pacer};
use crate::{
    ServerConfig,
    delivery::{Known, Store},
    health::Probe,
    transport::Dialer,
};

/// What all sources of a set share.
pub(crate) struct SetContext {
    pub(crate) config: ServerConfig,
    pub(crate) options: Arc<Options>,
    pub(crate) dialer: Dialer,
    /// The outbox file, where there is one.
    pub(crate) store: Option<Store>,
    pub(crate) shared: Shared,
    pub(crate) probe: Probe,
    /// Bounds the handshakes under way, so that a thousand sources do not stampede.
    pub(crate) handshakes: Arc<Semaphore>,
    /// Spreads their beginnings.
    pub(crate) pacer: Pacer,
    /// Tells the follower of `healthPolicy=connected` to look.
    pub(crate) state_changed: Notify,
    /// Asks for the end of the set.
    pub(crate) stop: CancellationToken,
    /// Cancelled when the set began to serve.
    pub(crate) serving: CancellationToken,
    /// Cancelled when it has ended.
    pub(crate) closed: CancellationToken,
    /// Whether the server ever accepted the token.
    authenticated: AtomicBool,
    /// What the links have found out about the server's acknowledgements.
    known: Mutex<Known>,
}

impl SetContext {
    pub(crate) fn new(config: ServerConfig, options: Options, shared: Shared, store: Option<Store>) -> Self {
        let dialer = Dialer::new(
            config.endpoint.clone(),
            config.proxy.clone(),
            config.ca_certificate_file.clone(),
            config.disable_ssl_verification,
            options.dead_after,
            options.custom_dial.clone(),
        );
        Self {
            probe: Probe::new(config.tcp_probe_port),
            pacer: Pacer::new(config.connect_rate),
            handshakes: Arc::new(Semaphore::new(options.max_handshakes)),
            config,
            options: Arc::new(options),
            dialer,
            store,
            shared,
            state_changed: Notify::new(),
            stop: CancellationToken::new(),
            serving: CancellationToken::new(),
            closed: CancellationToken::new(),
            authenticated: AtomicBool::new(false),
            known: Mutex::default(),
        }
    }

    /// The server accepted the token.
    pub(crate) fn authenticated(&self) {
        self.authenticated.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        self.authenticated.load(Ordering::Relaxed)
    }

    /// What is known of the server's acknowledgements.
    pub(crate) fn known(&self) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A link has found out as much, or that what was known is wrong.
    pub(crate) fn learn(&self, known: Known, contradicted: bool) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if contradicted {
            all.forget_answers();
        }
        *all = all.or(known);
    }
}

impl fmt::Debug for SetContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetContext")
            .field("config", &self.config)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
