//! What the whole-path tests share: a connector set beside a simulator or a server written by hand, handlers
//! for it, deadlines, a captured log, and all else that a process says.
#![forbid(unsafe_code)]

mod chain;
mod connector;
mod deadline;
pub mod dialogue;
mod durable_connector;
mod everything;
pub mod frame;
mod gate;
mod hand_server;
mod handlers;
mod hostile;
mod log;
mod memory_server;
mod peer;
mod seen;
mod wire;
mod work;
mod workbench;

pub use chain::chain;
pub use connector::{Connector, config, config_at, hasty};
pub use deadline::within;
pub use durable_connector::{DurableConnector, DurableFolder};
pub use everything::Everything;
pub use gate::Gate;
pub use hand_server::HandServer;
pub use handlers::{Echo, Quiet};
pub use hostile::{send_hostile, still_answers};
pub use log::Log;
pub use memory_server::{Entrance, MemoryServer};
pub use peer::Peer;
pub use seen::{count, until};
pub use wire::{Fault, Faults, Wire};
pub use work::{Question, Work};
pub use workbench::{Operation, Workbench};
