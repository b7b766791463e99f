//! Build Vantiq connectors in Rust.
//!
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod budget;
mod config;
mod connection;
mod connector_set;
mod contain;
mod context;
mod delivery;
mod erased;
mod error;
#[cfg(any(test, fuzzing, feature = "internals"))]
#[doc(hidden)]
pub mod fuzzing;
mod handler;
mod health;
/// What the tests of this repository check from outside. Not part of the API.
#[cfg(any(test, feature = "internals"))]
#[doc(hidden)]
pub mod internals {
    pub use crate::delivery::model as ledger_model;
    #[cfg(feature = "durable")]
    pub use crate::delivery::outbox_trials;
    pub use crate::{fuzzing, pieces};
}
mod packed;
#[cfg(any(test, feature = "internals"))]
#[doc(hidden)]
pub mod pieces;
mod polling;
pub mod protocol;
mod query;
mod scratch;
mod source;
mod source_pattern;
mod telemetry;
mod transport;

pub use anyhow::{Error, Result};
pub use tokio_util::sync::CancellationToken;
pub use vantiq_connector_derive::VantiqSource;

pub use config::{ConfigError, HealthPolicy, Secret, ServerConfig, ServerConfigBuilder};
#[cfg(feature = "logging")]
pub use config::{LoggingError, setup_logging};
pub use connector_set::{ConnectorSet, ConnectorSetBuilder, ConnectorSetHandle, start};
#[cfg(feature = "simulator")]
pub use connector_set::{conformance, conformance_of};
pub use context::NotShared;
pub use delivery::{
    AckProfile, Delivery, DeliveryError, NotifyError, OutboxOnError, OutboxSync, OverflowPolicy, Receipt,
    StoreError, StoreErrorKind,
};
pub use error::ConnectorError;
pub use handler::{SourceHandler, VantiqSource};
pub use health::HealthError;
pub use query::{Answer, QueryError, Rows, RowsError};
pub use source::Source;
pub use source_pattern::SourcePattern;
pub use telemetry::{Abandoned, SourceCounts, SourceState, SourceStatus};
pub use transport::{TransportError, TransportErrorKind};
/// The simulated server, for tests: the same crate as `vantiq-simulator`, of the version that fits.
#[cfg(feature = "simulator")]
#[doc(no_inline)]
pub use vantiq_simulator as simulator;

/// Everything a connector needs, to be imported at once.
pub mod prelude {
    pub use crate::{
        Answer, ConnectorSet, QueryError, Receipt, Result, Rows, ServerConfig, Source, SourceHandler,
        VantiqSource,
    };
}

/// What the derive macro's output refers to. Not part of the API.
#[doc(hidden)]
pub mod __private {
    // No `pub use`: messages of the compiler would show this path and propose to write it.
    pub type Value = serde_json::Value;
}

/// Writes the `main` function of a connector: `vantiq_connector::main!(Thermostat, Camera);`.
///
/// It is short for
///
/// ```no_run
/// # use vantiq_connector::prelude::*;
/// # #[derive(VantiqSource)]
/// # #[vantiq_source("thermostat")]
/// # struct Thermostat;
/// # impl SourceHandler for Thermostat {
/// #     async fn connect(_: Source, _: Self::Config) -> Result<Self> { Ok(Self) }
/// # }
/// # #[derive(VantiqSource)]
/// # #[vantiq_source("camera-*")]
/// # struct Camera;
/// # impl SourceHandler for Camera {
/// #     async fn connect(_: Source, _: Self::Config) -> Result<Self> { Ok(Self) }
/// # }
/// fn main() -> std::process::ExitCode {
///     vantiq_connector::start(ConnectorSet::builder().source::<Thermostat>().source::<Camera>())
/// }
/// ```
///
/// and [`start`] says what happens then. A program that wants to give more to the builder writes these
/// lines itself.
#[macro_export]
macro_rules! main {
    ($($handler:ty),+ $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::start($crate::ConnectorSet::builder()$(.source::<$handler>())+)
        }
    };
}

#[cfg(test)]
mod tests {
    /// The README is also the page of this crate, where the other files of the repository are out of reach; of a picture
    /// it shows the words there.
    #[test]
    fn the_readme_links_to_its_own_headings_and_shows_pictures_that_exist() {
        let readme = include_str!("../README.md");
        let anchor = |heading: &str| heading.trim_matches(['#', ' ']).to_lowercase().replace(' ', "-");
        let anchors: Vec<_> = readme.lines().filter(|line| line.starts_with("##")).map(anchor).collect();
        for (start, _) in readme.match_indices("](") {
            let (before, link) =
                (&readme[..start], readme[start + 2..].split(')').next().unwrap_or_default());
            let is_picture = before.rfind('[').is_some_and(|start| before[..start].ends_with('!'));
            let repository = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
            let heading = link.strip_prefix('#').map(str::to_owned);
            let is_there = heading.is_some_and(|heading| anchors.contains(&heading));
            assert!(is_there || is_picture && repository.join(link).is_file(), "{link}");
        }
    }
}
