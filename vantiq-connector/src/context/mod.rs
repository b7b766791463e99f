//! What a connector set and its sources share: settings, bounds, counts, and the ways to tell them
//! something. Handles, actors and sessions all hold these; nothing in here holds them.

mod chance;
mod options;
mod pacer;
mod scope;
mod set;
mod shared;
mod source;

pub(crate) use chance::Chance;
pub(crate) use options::{Bound, LAST_CALL, Options};
pub(crate) use scope::Scope;
pub(crate) use set::SetContext;
pub use shared::NotShared;
pub(crate) use shared::Shared;
pub(crate) use source::SourceContext;
