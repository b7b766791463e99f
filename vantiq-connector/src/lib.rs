//! Build Vantiq connectors in Rust.
#![forbid(unsafe_code)]

mod budget;
mod config;
mod connection;
mod delivery;
pub mod protocol;
mod query;
mod source_pattern;
mod transport;

#[cfg(feature = "logging")]
pub use config::{LoggingError, setup_logging};
pub use config::{ConfigError, HealthPolicy, Secret, ServerConfig, ServerConfigBuilder};
pub use anyhow::{Error, Result};
pub use delivery::{Delivery, DeliveryError, NotifyError, OverflowPolicy, Receipt};
pub use query::{Answer, QueryError, Rows, RowsError};
pub use source_pattern::SourcePattern;
pub use transport::{TransportError, TransportErrorKind};
