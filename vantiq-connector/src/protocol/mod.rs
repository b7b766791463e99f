//! The wire protocol: messages, operations, statuses and field names, as types.
//!
//! Nothing here knows of sockets or sources. [`Inbound::decode`] turns one frame into one message,
//! borrowing nothing and copying nothing: the payload stays a slice of the frame. [`Outbound`] is what a
//! connector sends. The facts and their evidence are in `docs/PROTOCOL.md`, whose sections the items
//! below name.

mod envelope;
mod error_body;
mod inbound;
mod json_array;
mod message_headers;
mod object;
mod operation;
mod outbound;
mod payload;
mod plain;
mod redact;
mod reply_address;
mod status;

pub use error_body::{ErrorBody, ServerError};
pub use inbound::{DecodeError, Inbound, StatusMessage};
pub use json_array::JsonArray;
pub use operation::{Operation, UnknownOperation};
pub use outbound::{Body, Outbound};
pub use payload::{Payload, ShapeError};
pub use reply_address::ReplyAddress;
pub use status::Status;

pub(crate) use outbound::{NotificationHead, answer_around};
pub(crate) use redact::excerpt;

/// Names of members, headers and resources as the server spells them.
pub mod name {
    /// `resourceName` of every message about a source (section 4).
    pub const SOURCES: &str = "sources";
    /// `resourceName` of [`Operation::Validate`](super::Operation::Validate) (section 3).
    pub const SYSTEM_CREDENTIALS: &str = "system.credentials";
    /// The header of an answer that says which query it belongs to (section 8).
    pub const REPLY_ADDRESS: &str = "X-Reply-Address";
    /// The member of `messageHeaders` in which a query brings its reply address (section 7).
    pub const REPLY_ADDRESS_HEADER: &str = "REPLY_ADDR_HEADER";
    /// The header in which the server may return `parameters.requestId` (section 8).
    pub const REQUEST_ID: &str = "X-Request-Id";
    /// Parameter of a request that the server returns under [`REQUEST_ID`] (section 8).
    pub const REQUEST_ID_PARAMETER: &str = "requestId";
    /// The parameter of `connectExtension` by which a connector takes its source back (section 5).
    pub const RECONNECT_SECRET: &str = "reconnectSecret";
}
