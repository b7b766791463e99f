//! Everything an operator can set: the settings of a connector set and those of its log.

mod error;
#[cfg(feature = "logging")]
mod ini;
#[cfg(feature = "logging")]
mod logger_ini;
#[cfg(feature = "logging")]
mod logging;
mod properties;
mod secret;
mod server_config;
mod setting;

pub use error::ConfigError;
#[cfg(feature = "logging")]
pub use logging::{LoggingError, setup_logging};
pub use secret::Secret;
pub use server_config::{HealthPolicy, ServerConfig, ServerConfigBuilder};
