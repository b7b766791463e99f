//! One source's connection: an [`Actor`] dials, a `Link` moves frames, a `Session` runs the handler.
//!
//! What happens next is decided in [`state`], [`retry`], [`refusal`], [`backoff`] and [`heartbeat`], which know no I/O
//! and no clock; the others do it. Between link and session stand the `intake` of publishes and queries, their `answers` and
//! the `deliveries` of notifications.

mod actor;
mod answers;
mod backoff;
mod deliveries;
mod heartbeat;
mod intake;
mod link;
mod publish_call;
mod publish_queue;
mod queries;
mod query_call;
mod refusal;
mod retry;
mod session;
mod sessions;
mod state;

pub(crate) use actor::Actor;
pub(crate) use publish_call::serve;
pub(crate) use publish_queue::Publishes;
#[cfg(any(test, fuzzing, feature = "internals"))]
pub(crate) use {
    retry::LinkEnd,
    state::{Effect, Event, Phase, Protocol},
};
