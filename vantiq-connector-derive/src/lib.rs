//! The derive macro of [`vantiq-connector`](https://crates.io/crates/vantiq-connector), which re-exports
//! it: depend on that crate, not on this one.
#![forbid(unsafe_code)]

mod attr;
mod expand;
mod fallback;
mod key;
mod mistakes;
mod spec;
mod valid;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Says which Vantiq sources a handler serves and what its messages look like.
///
/// Goes on the struct or enum that implements `SourceHandler`, together with the attribute
/// `#[vantiq_source]`:
///
/// ```
/// use serde::Deserialize;
/// use vantiq_connector::prelude::*;
///
/// #[derive(Deserialize)]
/// struct Config {
///     unit: String,
/// }
///
/// #[derive(Deserialize)]
/// struct SetPoint {
///     target: f64,
/// }
///
/// #[derive(VantiqSource)]
/// #[vantiq_source("thermostat", config = Config, publish = SetPoint)]
/// struct Thermostat {
///     unit: String,
/// }
///
/// impl SourceHandler for Thermostat {
///     async fn connect(_source: Source, config: Config) -> Result<Self> {
///         Ok(Self { unit: config.unit })
///     }
///
///     async fn publish(&self, message: SetPoint) -> Result<()> {
///         println!("{} {}", message.target, self.unit);
///         Ok(())
///     }
/// }
/// ```
///
/// # Sources
///
/// | written | sources served |
/// |---|---|
/// | `#[vantiq_source("thermostat")]` | the source of that name |
/// | `#[vantiq_source("camera-*")]` | every source that matches; `*` stands for any run of characters |
/// | `#[vantiq_source]` | any source |
///
/// Where several handlers match the name of a source, an exact name beats a pattern, and a pattern beats
/// any. A name is a string literal without white space or commas, and comes before the keys. Without a
/// name, as in `#[vantiq_source(config = Config)]`, the handler serves any source.
///
/// # Keys
///
/// | key | what it says | if omitted |
/// |---|---|---|
/// | `config = Type` | the type of the configuration document of the source | `serde_json::Value` |
/// | `publish = Type` | the type of the object of a publish | `serde_json::Value` |
/// | `query = Type` | the type of the object of a query, the `WITH` clause of the VAIL `SELECT` | `serde_json::Value` |
/// | `persistent` | the handler and the tasks it spawned outlive a lost link when the server sends an equal configuration afterwards | every session is a new handler |
/// | `crate = path` | where to find the crate `vantiq_connector`, if it is re-exported or renamed | `::vantiq_connector` |
///
/// `persistent` stands alone, without a `=`: `#[vantiq_source("camera-*", persistent, config = Config)]`.
///
/// The types need `serde::Deserialize`, `Send` and no borrowed data (`DeserializeOwned + Send + 'static`), and
/// to be at least as visible as the handler.
///
/// # The handler's type
///
/// A struct or an enum, with or without type and const parameters. It must be `Send + Sync + 'static`; the
/// derive copies the bounds of the parameters and adds none, so a generic handler writes them:
///
/// ```
/// use serde::de::DeserializeOwned;
/// use vantiq_connector::VantiqSource;
///
/// #[derive(VantiqSource)]
/// #[vantiq_source("relay-*", publish = T)]
/// struct Relay<T: DeserializeOwned + Send + Sync + 'static> {
///     last: Option<T>,
/// }
/// ```
///
/// # Expansion
///
/// The derive writes this impl and nothing else, so it may as well be written by hand. That is also the way
/// to take the name from a constant. The handler of the first example is the same as:
///
/// ```
/// use vantiq_connector::{SourcePattern, VantiqSource};
/// # #[derive(serde::Deserialize)] struct Config {}
/// # #[derive(serde::Deserialize)] struct SetPoint {}
/// # struct Thermostat {}
///
/// impl VantiqSource for Thermostat {
///     const PATTERN: SourcePattern = SourcePattern::new("thermostat"); // without a name `SourcePattern::ANY`
///     type Config = Config;
///     type Publish = SetPoint;
///     type Query = serde_json::Value;
/// }
/// ```
///
/// `persistent` adds `const PERSISTENT: bool = true;`.
#[proc_macro_derive(VantiqSource, attributes(vantiq_source))]
pub fn derive_vantiq_source(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::derive(&input).into()
}
