//! [`SourceContext`]: what the handles, the actor and the sessions of one source share.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Options, SetContext};
use crate::{
    Receipt, Secret,
    delivery::{Left, Offered, Outbox},
    protocol::{NotificationHead, ReplyAddress},
    query::{Debtor, Owed, ReplyTo},
    telemetry::{Counter, Counters, SourceState},
};

/// One source: what its handles, its actor and its sessions share.
pub(crate) struct SourceContext {
    pub(crate) name: String,
    pub(crate) set: Arc<SetContext>,
    pub(crate) options: Arc<Options>,
    pub(crate) reconnect_secret: Secret,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) query_slots: Arc<Semaphore>,
    /// Asks for a new session.
    pub(crate) reconnect: Notify,
    /// Asks for the end.
    pub(crate) stop: CancellationToken,
    pub(crate) counters: Counters,
    pub(crate) state: watch::Sender<SourceState>,
    pub(crate) notification: NotificationHead,
    /// The `requestId` of the last notification.
    last_request_id: AtomicU64,
}

impl SourceContext {
    pub(crate) fn new(name: String, set: Arc<SetContext>) -> Self {
        let options = Arc::clone(&set.options);
        let (outbox, last_request_id) = match &set.store {
            Some(store) => (store.keep(options.outbox(), &name), store.first_request_id()),
            None => (Arc::new(options.outbox()), 0),
        };
        let counters = Counters::default();
        counters.notifications_restored.add(outbox.take_restored() as u64);
        Self {
            reconnect_secret: reconnect_secret(&name, set.config.reconnect_secret.as_ref()),
            outbox,
            query_slots: Arc::new(Semaphore::new(options.max_queries)),
            reconnect: Notify::new(),
            stop: set.stop.child_token(),
            counters,
            state: watch::Sender::new(SourceState::Connecting),
            notification: NotificationHead::new(&name),
            last_request_id: AtomicU64::new(last_request_id),
            name,
            set,
            options,
        }
    }

    /// The `requestId` of the next notification, where the settings want one.
    pub(crate) fn next_request_id(&self) -> Option<u64> {
        // It has to be another one each time, and nothing else.
        self.set.config.request_ids.then(|| self.last_request_id.fetch_add(1, Ordering::Relaxed) + 1)
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
    pub(crate) fn reply_to(&self, address: ReplyAddress) -> ReplyTo {
        let config = &self.set.config;
        ReplyTo {
            address,
            max_message_bytes: config.max_message_bytes,
            errors_as_array: config.query_errors_as_array,
        }
    }

    /// The terminal answer of a query that is taken now.
    pub(crate) fn owed(self: &Arc<Self>) -> Owed {
        Owed::by(Arc::clone(self) as Arc<dyn Debtor>)
    }

    /// Counts what is cut off where the source is being closed. At the end of a mere session it is a failure
    /// like any other.
    pub(crate) fn cut_off(&self, what: impl FnOnce(&Counters) -> &Counter) {
        if self.stop.is_cancelled() {
            what(&self.counters).add_one();
        }
    }

    /// Closes the source and gives up the notifications that wait. Returns how many stay in the outbox file.
    pub(crate) fn abandon_notifications(&self) -> usize {
        self.stop.cancel();
        self.outbox.close();
        let Left { abandoned, kept } = self.outbox.abandon();
        self.counters.notifications_abandoned.add(abandoned as u64);
        self.counters.notifications_kept.add(kept as u64);
        kept
    }

    /// Counts what came back from the outbox file after the end of the source. So many of those that were to
    /// stay in it could not be written to it.
    pub(crate) fn count_the_rest(&self, unwritten: usize) {
        let Left { abandoned, kept } = self.outbox.take_late();
        self.counters.notifications_abandoned.add(abandoned as u64);
        self.counters.notifications_kept.add(kept as u64);
        let lost = self.counters.notifications_kept.take(unwritten as u64);
        self.counters.notifications_abandoned.add(lost);
    }

    /// Counts and logs notifications whose time was over before they could be sent.
    pub(crate) fn notifications_expired(&self, count: usize) {
        if count > 0
            && let Some(count) = self.counters.notifications_expired.add_for_a_line(count as u64)
        {
            warn!(count, "notifications expired before they could be sent");
        }
    }

    /// Counts and logs a publish that no handler takes.
    pub(crate) fn publish_unhandled(&self, why: &str) {
        if let Some(count) = self.counters.publishes_unhandled.add_for_a_line(1) {
            warn!(count, why, "a publish was dropped");
        }
    }

    /// Counts what the outbox made of a notification.
    pub(crate) fn offered(&self, receipt: Receipt, offered: &Offered) -> Receipt {
        let dropped = match offered {
            Offered::Accepted => 0,
            Offered::AcceptedFor(dropped) => *dropped,
            Offered::Dropped => 1,
        };
        if *offered != Offered::Dropped {
            self.counters.notifications.add_one();
        }
        if dropped > 0
            && let Some(count) = self.counters.notifications_dropped.add_for_a_line(dropped as u64)
        {
            warn!(source = self.name, count, "notifications are dropped, for the outbox is full");
        }
        receipt
    }
}

impl Debtor for SourceContext {
    fn unanswered(&self) {
        self.cut_off(|counters| &counters.queries_abandoned);
    }
}

#[cfg(test)]
impl SourceContext {
    /// The source `a` of a set that dials nobody.
    pub(crate) fn unconnected(options: Options) -> Arc<Self> {
        let config =
            crate::ServerConfig::builder().target_server("http://localhost").auth_token("t").source("a");
        let config = config.build().expect("nothing is missing");
        let set = SetContext::new(config, options, super::Shared::default(), None);
        Arc::new(Self::new("a".into(), Arc::new(set)))
    }
}

impl fmt::Debug for SourceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceContext").field("name", &self.name).finish_non_exhaustive()
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
