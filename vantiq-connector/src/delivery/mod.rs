//! From `notify` to a receipt: the [`Outbox`] holds what waits, the [`Ledger`] what was sent and not yet
//! acknowledged; the [`Store`] keeps both in a file, where there is one. Knows no sockets and no clock.

mod ack_profile;
mod demand;
mod ledger;
#[cfg(any(test, feature = "internals"))]
pub mod model;
mod outbox;
mod quiet;
mod receipt;
mod store;

pub use ack_profile::AckProfile;
pub(crate) use ledger::{Evidence, Known, Ledger, Other, Replied, Settled, Window};
pub(crate) use outbox::{Draft, Entry, Left, Offered, Outbox};
pub use outbox::{NotifyError, OverflowPolicy};
pub(crate) use quiet::{CALM, Due, Quiet};
pub use receipt::{Delivery, DeliveryError, Receipt};
use receipt::{Outcome, receipt};
#[cfg(all(feature = "durable", any(test, feature = "internals")))]
pub use store::outbox_trials;
pub use store::{OutboxOnError, OutboxSync, StoreError, StoreErrorKind};
pub(crate) use store::{Store, StoreSettings, Unwritten};
