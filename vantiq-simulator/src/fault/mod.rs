//! Faults of a network on purpose: a TCP proxy that delays, slices, swallows and cuts.
//!
//! [`FaultProxy`] is the handle. It owns a task that [accepts](entrance), which starts a task for each
//! [connection], which has a [pump] for each direction. What a pump has read and not yet
//! forwarded is in a [`Transit`](transit::Transit), which decides when which bytes go on and does no I/O.

mod connection;
mod cut;
mod entrance;
mod line;
mod proxy;
mod pump;
mod transit;

pub use cut::{CutKind, CutRecord};
pub use entrance::RefuseBy;
pub use line::{BlackHole, Direction, Line};
pub use proxy::{FaultProxy, FaultProxyBuilder};
