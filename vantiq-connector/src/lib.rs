//! Build Vantiq connectors in Rust.
#![forbid(unsafe_code)]

pub mod protocol;
mod transport;

pub use transport::{TransportError, TransportErrorKind};
