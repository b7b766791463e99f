//! What the whole-path tests share: a connector set beside a simulator, deadlines, and a captured log.
#![forbid(unsafe_code)]

mod connector;
mod deadline;
mod handlers;
mod log;

pub use connector::{Connector, config};
pub use deadline::within;
pub use handlers::{Echo, Gate};
pub use log::Log;
