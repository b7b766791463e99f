//! One source's connection: an [`Actor`] dials, a `Link` moves frames, a `Session` runs the handler.
//!
//! What happens next is decided in [`state`], [`retry`], [`backoff`] and [`heartbeat`], which know no I/O
//! and no clock; `actor`, `link` and `session` do it.

mod actor;
mod backoff;
mod heartbeat;
mod link;
mod publish_call;
mod query_call;
mod retry;
mod session;
mod state;

pub(crate) use actor::Actor;
pub(crate) use backoff::BackoffRange;
pub(crate) use retry::Fatal;
