//! [`Store`]: keeps accepted notifications in a file until their outcome is known, so that they survive the
//! process. One file for each connector set, a [`Drawer`] in it for each source.
//!
//! Only the feature `durable` can open one. Without it the types are there and have no values, so that all
//! other code is the same and costs nothing.

#[cfg(not(feature = "durable"))]
mod disabled;
#[cfg(feature = "durable")]
mod durable;
mod error;
mod settings;
mod unwritten;

#[cfg(not(feature = "durable"))]
pub(crate) use disabled::{Drawer, Kept, Store};
#[cfg(all(feature = "durable", any(test, feature = "internals")))]
pub use durable::trials as outbox_trials;
#[cfg(feature = "durable")]
pub(crate) use durable::{Drawer, Kept, Store};
pub use error::{StoreError, StoreErrorKind};
pub(crate) use settings::StoreSettings;
pub use settings::{OutboxOnError, OutboxSync};
pub(crate) use unwritten::Unwritten;
