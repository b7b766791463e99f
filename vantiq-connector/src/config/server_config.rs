//! [`ServerConfig`]: which server, which token, which sources, from `server.config` or from code.
//!
//! Both ways end in [`ServerConfig::from_settings`], so a mistake reads the same wherever it was made.

use std::{collections::HashMap, env, fmt, fs, path::Path};

use serde::Deserialize;

use super::{
    Secret,
    error::{ConfigError, Fault},
    properties::{self, Property},
    setting::{IN_QUOTES, Settings, Warning, in_quotes, key},
};
use crate::{
    delivery::{AckProfile, OutboxOnError, OutboxSync, StoreSettings},
    source_pattern::{NameFault, name_fault},
    transport::{CertificateFile, Endpoint, Proxy},
};

/// Where `server.config` is looked for, relative to the working directory (`docs/PROTOCOL.md`, section 12).
const SEARCH_PATH: [&str; 2] = ["serverConfig/server.config", "server.config"];
/// The variable that holds the access token where the file has none.
const TOKEN_VARIABLE: &str = "CONNECTOR_AUTH_TOKEN";
/// The port of the TCP probe, as in both reference SDKs.
const TCP_PROBE_PORT: u16 = 8000;
/// The server's limit for one message of a connector, as seen in 2019 (section 10).
const MAX_MESSAGE_BYTES: usize = 262_144;
/// How large the outbox file may become: a few times what one source keeps in memory.
const OUTBOX_MAX_BYTES: u64 = 256 << 20;
/// Below this the file has no room for its own bookkeeping.
const LEAST_OUTBOX_BYTES: u64 = 4 << 20;
/// Below this not even an error answer fits.
const LEAST_MESSAGE_BYTES: usize = 1_024;

/// The settings of a connector set: the content of `server.config`.
///
/// [`find`](Self::find) and [`load`](Self::load) read a file, [`parse`](Self::parse) a text,
/// [`builder`](Self::builder) takes the same settings in code. Every key is described in the README.
/// `Debug` shows no secret.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one key of the file, and none excludes another")]
pub struct ServerConfig {
    pub(crate) endpoint: Endpoint,
    pub(crate) auth_token: Secret,
    pub(crate) sources: Vec<String>,
    pub(crate) send_pings: bool,
    pub(crate) tcp_probe_port: u16,
    pub(crate) fail_on_connection_error: bool,
    pub(crate) reconnect_secret: Option<Secret>,
    pub(crate) disable_ssl_verification: bool,
    pub(crate) ca_certificate_file: Option<CertificateFile>,
    pub(crate) proxy: Proxy,
    pub(crate) health_policy: HealthPolicy,
    pub(crate) max_message_bytes: usize,
    pub(crate) binary_frames: bool,
    pub(crate) query_errors_as_array: bool,
    pub(crate) ack_profile: AckProfile,
    pub(crate) request_ids: bool,
    /// Handshakes begun in a second, at most.
    pub(crate) connect_rate: Option<f64>,
    /// Where the outbox is kept across restarts.
    pub(crate) store: Option<StoreSettings>,
    /// What to tell the operator, once there is a log.
    pub(crate) warnings: Vec<Warning>,
    values: HashMap<String, String>,
}

/// Who decides whether the connector is healthy: the key `healthPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum HealthPolicy {
    /// The author, by `declare_healthy` and `declare_unhealthy`. The default.
    #[default]
    Manual,
    /// The sources: healthy while every one of them is [`Connected`](crate::SourceState::Connected), that is
    /// attached to the server with a handler at work.
    Connected,
}

impl HealthPolicy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Connected => "connected",
        }
    }
}

impl ServerConfig {
    /// Reads the first of `serverConfig/server.config` and `server.config` that is there.
    ///
    /// # Errors
    /// [`ConfigError`], where there is neither, or one with a mistake in it.
    pub fn find() -> Result<Self, ConfigError> {
        Self::find_under(Path::new(""))
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`] where it cannot be read, or has a mistake in it.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::load_from(path.as_ref())
    }

    /// Reads the text of a `server.config`.
    ///
    /// # Errors
    /// [`ConfigError`] where the text has a mistake in it.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::from_text(None, text, environment_token)
    }

    /// The same settings, in code.
    #[must_use]
    pub fn builder() -> ServerConfigBuilder {
        ServerConfigBuilder::default()
    }

    /// The URL that is dialled, without its query.
    pub fn url(&self) -> String {
        self.endpoint.to_string()
    }

    /// The names of the sources, in the order of the file.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// The access token, of the file or of the environment; for connectors that use the server's other
    /// interfaces, too.
    pub const fn auth_token(&self) -> &Secret {
        &self.auth_token
    }

    /// The text under any key, as the file has it, untrimmed: a connector may keep settings of its own there.
    /// What the file does not say is `None`, whatever its default; and it gives out secrets as they stand.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    pub(crate) fn find_under(folder: &Path) -> Result<Self, ConfigError> {
        let paths = SEARCH_PATH.map(|path| folder.join(path));
        if let Some(path) = paths.iter().find(|path| path.exists()) {
            return Self::load_from(path);
        }
        let tried = paths.map(|path| path.display().to_string()).join(" and ");
        Err(ConfigError::about(None, None, None, Fault::NotFound { tried }))
    }

    pub(crate) fn load_from(path: &Path) -> Result<Self, ConfigError> {
        let fault = |fault| ConfigError::about(Some(path.to_owned()), None, None, fault);
        let bytes = fs::read(path).map_err(|error| fault(Fault::Unreadable(error)))?;
        let text = String::from_utf8(bytes).map_err(|_| fault(Fault::NotUtf8))?;
        Self::from_text(Some(path), &text, environment_token)
    }

    fn from_text(
        path: Option<&Path>,
        text: &str,
        token: impl FnOnce() -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let origin = path.map(Path::to_owned);
        let properties = properties::parse(text).map_err(|error| {
            ConfigError::about(origin.clone(), Some(error.line), None, Fault::Syntax(error.to_string()))
        })?;
        Self::from_settings(Settings::new(origin, properties), token)
    }

    fn from_settings(
        settings: Settings,
        token: impl FnOnce() -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut warnings = settings.unknown_keys();
        let kw_args = connect_kw_args(&settings, &mut warnings)?;
        Ok(Self {
            endpoint: endpoint(&settings)?,
            auth_token: auth_token(&settings, token)?,
            sources: sources(&settings)?,
            send_pings: settings.boolean(key::SEND_PINGS, true)?,
            tcp_probe_port: settings
                .read(key::TCP_PROBE_PORT, "a port from 0 to 65535", |text| text.parse().ok())?
                .unwrap_or(TCP_PROBE_PORT),
            fail_on_connection_error: settings.boolean(key::FAIL_ON_CONNECTION_ERROR, false)?,
            reconnect_secret: settings.unquoted(key::RECONNECT_SECRET)?.map(Secret::from),
            disable_ssl_verification: kw_args.disable_ssl_verification,
            ca_certificate_file: ca_certificate_file(&settings)?,
            proxy: proxy(&settings)?,
            health_policy: health_policy(&settings)?,
            max_message_bytes: max_message_bytes(&settings)?,
            binary_frames: settings.boolean(key::BINARY_FRAMES, false)?,
            query_errors_as_array: settings.boolean(key::QUERY_ERRORS_AS_ARRAY, false)?,
            ack_profile: settings
                .read(key::ACK_PROFILE, "`auto`, `notifications`, `all` or `none`", AckProfile::parse)?
                .unwrap_or_default(),
            request_ids: settings.boolean(key::REQUEST_IDS, false)?,
            connect_rate: settings.read(key::CONNECT_RATE, "a number above 0, such as 50", rate)?,
            store: store(&settings)?,
            warnings,
            values: settings.into_values(),
        })
    }
}

/// So many of something in a second.
fn rate(text: &str) -> Option<f64> {
    text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
}

fn environment_token() -> Option<String> {
    env::var(TOKEN_VARIABLE).ok()
}

fn endpoint(settings: &Settings) -> Result<Endpoint, ConfigError> {
    let text = settings
        .required(key::TARGET_SERVER, "the address of the Vantiq server, such as https://dev.vantiq.com")?;
    Endpoint::parse(text).map_err(|error| settings.fault(key::TARGET_SERVER, Fault::Unfit(error.to_string())))
}

/// The token of the file, else of the environment. A blank one counts as none: it could only be refused.
fn auth_token(
    settings: &Settings,
    environment: impl FnOnce() -> Option<String>,
) -> Result<Secret, ConfigError> {
    if let Some(token) = settings.plain(key::AUTH_TOKEN)? {
        return Ok(token.into());
    }
    let token = environment().map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
    let fault = match token {
        // `docker --env-file` leaves them there.
        Some(token) if in_quotes(&token) => {
            Fault::Unfit(format!("of the variable {TOKEN_VARIABLE} {IN_QUOTES}"))
        }
        Some(token) => return Ok(Secret::new(token)),
        None => {
            let expected = format!("an access token of Vantiq, here or in the variable {TOKEN_VARIABLE}");
            Fault::Missing { expected }
        }
    };
    Err(settings.fault(key::AUTH_TOKEN, fault))
}

fn sources(settings: &Settings) -> Result<Vec<String>, ConfigError> {
    let text = settings.required(key::SOURCES, "the names of the sources to serve, separated by commas")?;
    let unfit = |what: String| settings.fault(key::SOURCES, Fault::Unfit(what));
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        match name_fault(name) {
            None if name.starts_with(['"', '\'']) => {
                return Err(unfit(format!("has {name} in quotes; write it without")));
            }
            None if names.iter().any(|known| known == name) => {
                return Err(unfit(format!("names `{name}` twice; write each source once")));
            }
            None => names.push(name.to_owned()),
            Some(NameFault::Empty) => {
                return Err(unfit("has an empty entry; write a name between any two commas".into()));
            }
            Some(NameFault::WhiteSpace | NameFault::Comma) => {
                return Err(unfit(format!("has white space in `{name}`; write commas between names")));
            }
        }
    }
    Ok(names)
}

/// The arguments of Python's WebSocket library; all but one mean nothing to another library.
#[derive(Default, Deserialize)]
struct ConnectKwArgs {
    #[serde(rename = "disableSslVerification", default)]
    disable_ssl_verification: bool,
    #[serde(flatten)]
    others: HashMap<String, serde_json::Value>,
}

fn connect_kw_args(settings: &Settings, warnings: &mut Vec<Warning>) -> Result<ConnectKwArgs, ConfigError> {
    let expected = r#"JSON such as {"disableSslVerification": true}"#;
    let args = match settings.text(key::CONNECT_KW_ARGS) {
        None => ConnectKwArgs::default(),
        // The text is not quoted: it may hold passwords.
        Some(text) => serde_json::from_str::<ConnectKwArgs>(text).map_err(|_| {
            settings.fault(
                key::CONNECT_KW_ARGS,
                Fault::Unfit(format!("is not what it should be; write {expected}")),
            )
        })?,
    };
    let mut others: Vec<_> = args.others.keys().cloned().collect();
    others.sort();
    warnings.extend(others.iter().map(|name| Warning {
        key: key::CONNECT_KW_ARGS.to_owned(),
        text: format!(
            "`{name}` in `connectKWArgs` is an argument of Python's WebSocket library and is ignored"
        ),
    }));
    Ok(args)
}

fn proxy(settings: &Settings) -> Result<Proxy, ConfigError> {
    let Some(text) = settings.plain(key::PROXY)? else { return Ok(Proxy::Environment) };
    // The text is not quoted: it may hold a password.
    Proxy::parse(text).ok_or_else(|| {
        let what = "is not a proxy; write http://host:port, http://user:password@host:port, or none";
        settings.fault(key::PROXY, Fault::Unfit(what.into()))
    })
}

/// Read here, so that a mistake shows whether or not the server is one that encrypts.
fn ca_certificate_file(settings: &Settings) -> Result<Option<CertificateFile>, ConfigError> {
    let Some(path) = settings.unquoted(key::CA_CERTIFICATE_FILE)? else { return Ok(None) };
    CertificateFile::read(Path::new(path))
        .map(Some)
        .map_err(|error| settings.fault(key::CA_CERTIFICATE_FILE, Fault::Unfit(error.to_string())))
}

fn health_policy(settings: &Settings) -> Result<HealthPolicy, ConfigError> {
    let policy = settings.read(key::HEALTH_POLICY, "manual or connected", |text| match text {
        "manual" => Some(HealthPolicy::Manual),
        "connected" => Some(HealthPolicy::Connected),
        _ => None,
    })?;
    Ok(policy.unwrap_or_default())
}

fn max_message_bytes(settings: &Settings) -> Result<usize, ConfigError> {
    let expected = format!("a number of bytes, {LEAST_MESSAGE_BYTES} or more");
    let bytes = settings.read(key::MAX_MESSAGE_BYTES, &expected, |text| {
        text.parse().ok().filter(|&bytes| bytes >= LEAST_MESSAGE_BYTES)
    })?;
    Ok(bytes.unwrap_or(MAX_MESSAGE_BYTES))
}

/// Without a file; whoever writes otherwise about one believes that there is one.
fn no_store(settings: &Settings) -> Result<Option<StoreSettings>, ConfigError> {
    if settings.contains(key::OUTBOX_FILE) {
        let what = "is blank; write the path of a file, or leave the line out";
        return Err(settings.fault(key::OUTBOX_FILE, Fault::Unfit(what.into())));
    }
    for key in [key::OUTBOX_SYNC, key::OUTBOX_MAX_BYTES, key::OUTBOX_ON_ERROR] {
        if settings.contains(key) {
            let what = "means nothing without `outboxFile`; write that, too, or leave this out";
            return Err(settings.fault(key, Fault::Unfit(what.into())));
        }
    }
    Ok(None)
}

fn store(settings: &Settings) -> Result<Option<StoreSettings>, ConfigError> {
    let sync = settings.read(key::OUTBOX_SYNC, "`always`, `interval` or `never`", OutboxSync::parse)?;
    let expected = format!("a number of bytes, {LEAST_OUTBOX_BYTES} or more");
    let max_bytes = settings.read(key::OUTBOX_MAX_BYTES, &expected, |text| {
        text.parse().ok().filter(|&bytes: &u64| bytes >= LEAST_OUTBOX_BYTES)
    })?;
    let on_error = settings.read(key::OUTBOX_ON_ERROR, "`refuse` or `memory`", OutboxOnError::parse)?;
    let Some(file) = settings.plain(key::OUTBOX_FILE)? else { return no_store(settings) };
    if !cfg!(feature = "durable") {
        let what =
            "needs the feature `durable` of vantiq-connector; build the program with it, or leave it out";
        return Err(settings.fault(key::OUTBOX_FILE, Fault::Unfit(what.into())));
    }
    Ok(Some(StoreSettings {
        // So that every message says where it is.
        file: std::path::absolute(file).unwrap_or_else(|_| file.into()),
        sync: sync.unwrap_or_default(),
        max_bytes: max_bytes.unwrap_or(OUTBOX_MAX_BYTES),
        on_error: on_error.unwrap_or_default(),
    }))
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `values` is left out: it holds the token, and whatever a connector keeps there.
        f.debug_struct("ServerConfig")
            .field("url", &self.url())
            .field("auth_token", &self.auth_token)
            .field("sources", &self.sources)
            .field("send_pings", &self.send_pings)
            .field("tcp_probe_port", &self.tcp_probe_port)
            .field("fail_on_connection_error", &self.fail_on_connection_error)
            .field("reconnect_secret", &self.reconnect_secret)
            .field("disable_ssl_verification", &self.disable_ssl_verification)
            .field("ca_certificate_file", &self.ca_certificate_file)
            .field("proxy", &self.proxy)
            .field("health_policy", &self.health_policy)
            .field("max_message_bytes", &self.max_message_bytes)
            .field("binary_frames", &self.binary_frames)
            .field("query_errors_as_array", &self.query_errors_as_array)
            .field("ack_profile", &self.ack_profile)
            .field("request_ids", &self.request_ids)
            .field("connect_rate", &self.connect_rate)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// The settings of a [`ServerConfig`], given in code. Each method names its key in `server.config`.
#[derive(Default)]
pub struct ServerConfigBuilder {
    properties: Vec<Property>,
    sources: Vec<String>,
}

impl ServerConfigBuilder {
    /// `targetServer`: the address of the Vantiq server. Required.
    #[must_use]
    pub fn target_server(self, url: impl Into<String>) -> Self {
        self.set(key::TARGET_SERVER, url)
    }

    /// `authToken`: the access token; where not given, that of the environment.
    #[must_use]
    pub fn auth_token(self, token: impl Into<Secret>) -> Self {
        self.set(key::AUTH_TOKEN, token.into().expose())
    }

    /// `sources`: one more source. At least one is required.
    #[must_use]
    pub fn source(mut self, name: impl Into<String>) -> Self {
        self.sources.push(name.into());
        self
    }

    /// `sources`: more sources.
    #[must_use]
    pub fn sources(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.sources.extend(names.into_iter().map(Into::into));
        self
    }

    /// `reconnectSecret`: lets a restarted process take its sources back at once.
    #[must_use]
    pub fn reconnect_secret(self, secret: impl Into<Secret>) -> Self {
        self.set(key::RECONNECT_SECRET, secret.into().expose())
    }

    /// `sendPings`: whether to ping the server and to take it for dead when it is silent. Default true.
    #[must_use]
    pub fn send_pings(self, send: bool) -> Self {
        self.set(key::SEND_PINGS, send.to_string())
    }

    /// `failOnConnectionError`: whether to end when the server cannot be reached at first. Default false.
    #[must_use]
    pub fn fail_on_connection_error(self, fail: bool) -> Self {
        self.set(key::FAIL_ON_CONNECTION_ERROR, fail.to_string())
    }

    /// `tcpProbePort`: the port of the health probe; 0 takes a free one. Default 8000.
    #[must_use]
    pub fn tcp_probe_port(self, port: u16) -> Self {
        self.set(key::TCP_PROBE_PORT, port.to_string())
    }

    /// `healthPolicy`: who decides whether the connector is healthy. Default [`HealthPolicy::Manual`].
    #[must_use]
    pub fn health_policy(self, policy: HealthPolicy) -> Self {
        self.set(key::HEALTH_POLICY, policy.as_str())
    }

    /// `connectKWArgs`: accepts any certificate of the server. For tests only. Default false.
    #[must_use]
    pub fn disable_ssl_verification(self, disable: bool) -> Self {
        self.set(key::CONNECT_KW_ARGS, format!(r#"{{"disableSslVerification": {disable}}}"#))
    }

    /// `caCertificateFile`: a PEM file with certificates to trust besides those of the system. It is read by
    /// [`build`](Self::build).
    #[must_use]
    pub fn ca_certificate_file(self, path: impl AsRef<Path>) -> Self {
        self.set(key::CA_CERTIFICATE_FILE, path.as_ref().to_string_lossy())
    }

    /// `proxy`: the URL of an HTTP proxy, or `none`. Default as the environment says.
    #[must_use]
    pub fn proxy(self, proxy: impl Into<Secret>) -> Self {
        self.set(key::PROXY, proxy.into().expose())
    }

    /// `maxMessageBytes`: larger messages are not sent. Default 262,144.
    #[must_use]
    pub fn max_message_bytes(self, bytes: usize) -> Self {
        self.set(key::MAX_MESSAGE_BYTES, bytes.to_string())
    }

    /// `binaryFrames`: sends binary frames and not text. Default false.
    #[must_use]
    pub fn binary_frames(self, binary: bool) -> Self {
        self.set(key::BINARY_FRAMES, binary.to_string())
    }

    /// `queryErrorsAsArray`: sends a query's error as a list of one. Default false.
    #[must_use]
    pub fn query_errors_as_array(self, as_array: bool) -> Self {
        self.set(key::QUERY_ERRORS_AS_ARRAY, as_array.to_string())
    }

    /// `ackProfile`: which messages the server acknowledges. Default [`AckProfile::Auto`].
    #[must_use]
    pub fn ack_profile(self, profile: AckProfile) -> Self {
        self.set(key::ACK_PROFILE, profile.as_str())
    }

    /// `requestIds`: gives each notification a `requestId`, by which the server's answer may name it. Default
    /// false.
    #[must_use]
    pub fn request_ids(self, ids: bool) -> Self {
        self.set(key::REQUEST_IDS, ids.to_string())
    }

    /// `connectRate`: how many handshakes may begin in a second, over all sources. By default as many as
    /// have a place.
    #[must_use]
    pub fn connect_rate(self, per_second: f64) -> Self {
        self.set(key::CONNECT_RATE, per_second.to_string())
    }

    /// `outboxFile`: the file in which accepted notifications survive the process. One for each connector set; a
    /// relative path is relative to the working directory.
    /// Needs the feature `durable`. By default they are kept in memory only.
    #[must_use]
    pub fn outbox_file(self, path: impl AsRef<Path>) -> Self {
        self.set(key::OUTBOX_FILE, path.as_ref().to_string_lossy())
    }

    /// `outboxSync`: when the outbox file is forced to the disk. Default [`OutboxSync::Always`].
    #[must_use]
    pub fn outbox_sync(self, sync: OutboxSync) -> Self {
        self.set(key::OUTBOX_SYNC, sync.as_str())
    }

    /// `outboxMaxBytes`: how large the outbox file may become, 4 MiB at least. Default 256 MiB.
    #[must_use]
    pub fn outbox_max_bytes(self, bytes: u64) -> Self {
        self.set(key::OUTBOX_MAX_BYTES, bytes.to_string())
    }

    /// `outboxOnError`: what happens when the outbox file cannot be used. Default [`OutboxOnError::Refuse`].
    #[must_use]
    pub fn outbox_on_error(self, on_error: OutboxOnError) -> Self {
        self.set(key::OUTBOX_ON_ERROR, on_error.as_str())
    }

    /// Any key, with the text that the file would have; for keys of the connector's own. Announce those with
    /// [`own_key`](crate::ConnectorSetBuilder::own_key).
    #[must_use]
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push(Property { line: 0, key: key.into(), value: value.into() });
        self
    }

    /// Checks the settings as those of a file are checked.
    ///
    /// # Errors
    /// [`ConfigError`] for the first mistake.
    pub fn build(mut self) -> Result<ServerConfig, ConfigError> {
        if !self.sources.is_empty() {
            let comma = self.sources.iter().find(|name| name.contains(','));
            if let Some(name) = comma {
                let what = format!("has a comma in `{name}`; give each source by itself");
                return Err(ConfigError::about(None, None, Some(key::SOURCES), Fault::Unfit(what)));
            }
            self = Self { sources: Vec::new(), ..self }.set(key::SOURCES, self.sources.join(","));
        }
        ServerConfig::from_settings(Settings::new(None, self.properties), environment_token)
    }
}

impl fmt::Debug for ServerConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.properties.iter().map(|property| &property.key).collect();
        f.debug_struct("ServerConfigBuilder").field("keys", &keys).field("sources", &self.sources).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "targetServer=https://h\nauthToken=hunter2\nsources=a";

    fn read(text: &str) -> Result<ServerConfig, ConfigError> {
        ServerConfig::from_text(Some(Path::new("server.config")), text, || None)
    }

    fn with(line: &str) -> Result<ServerConfig, ConfigError> {
        read(&format!("{LEAST}\n{line}"))
    }

    #[test]
    fn the_least_file_has_the_documented_defaults() {
        let config = read(LEAST).unwrap();
        assert_eq!(config.url(), "wss://h/api/v1/wsock/websocket");
        assert_eq!(config.sources(), ["a"]);
        assert!(config.send_pings && !config.fail_on_connection_error && !config.disable_ssl_verification);
        assert_eq!((config.tcp_probe_port, config.max_message_bytes), (8000, 262_144));
        assert_eq!(config.health_policy, HealthPolicy::Manual);
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }

    #[test]
    fn every_mistake_is_one_line_with_file_line_key_and_what_to_write() {
        for (text, message) in [
            ("sendPings=maybe", "server.config:4: `sendPings` is `maybe`; write true or false"),
            (
                "failOnConnectionError=2",
                "server.config:4: `failOnConnectionError` is `2`; write true or false",
            ),
            (
                "tcpProbePort=65536",
                "server.config:4: `tcpProbePort` is `65536`; write a port from 0 to 65535",
            ),
            ("healthPolicy=on", "server.config:4: `healthPolicy` is `on`; write manual or connected"),
            (
                "maxMessageBytes=1",
                "server.config:4: `maxMessageBytes` is `1`; write a number of bytes, 1024 or more",
            ),
            (
                "connectKWArgs=hunter2",
                r#"server.config:4: `connectKWArgs` is not what it should be; write JSON such as {"disableSslVerification": true}"#,
            ),
            (
                "proxy=ftp://u:hunter2@h",
                "server.config:4: `proxy` is not a proxy; write http://host:port, http://user:password@host:port, or none",
            ),
            (
                "sources=a,,b",
                "server.config:4: `sources` has an empty entry; write a name between any two commas",
            ),
            (
                "sources=a,b,",
                "server.config:4: `sources` has an empty entry; write a name between any two commas",
            ),
            (
                "outboxSync=yes",
                "server.config:4: `outboxSync` is `yes`; write `always`, `interval` or `never`",
            ),
            (
                "outboxMaxBytes=1",
                "server.config:4: `outboxMaxBytes` is `1`; write a number of bytes, 4194304 or more",
            ),
            ("outboxFile=\"state/outbox\"", "server.config:4: `outboxFile` is in quotes; write it without"),
            (
                "outboxFile=state/outbox # here",
                "server.config:4: `outboxFile` has a comment behind it; write comments on lines of their own",
            ),
            (
                "outboxFile=",
                "server.config:4: `outboxFile` is blank; write the path of a file, or leave the line out",
            ),
            (
                "outboxSync=interval",
                "server.config:4: `outboxSync` means nothing without `outboxFile`; write that, too, or leave this out",
            ),
            ("outboxOnError=go", "server.config:4: `outboxOnError` is `go`; write `refuse` or `memory`"),
            #[cfg(not(feature = "durable"))]
            (
                "outboxFile=x",
                "server.config:4: `outboxFile` needs the feature `durable` of vantiq-connector; build the program with it, or leave it out",
            ),
            ("sources=a, b ,a", "server.config:4: `sources` names `a` twice; write each source once"),
            (
                "sources=a b",
                "server.config:4: `sources` has white space in `a b`; write commas between names",
            ),
            (
                "targetServer=ftp://h",
                "server.config:4: `targetServer` has the scheme `ftp`; write https, http, wss or ws",
            ),
            (
                "x=\\u12",
                "server.config:4: `\\u` must be followed by four hexadecimal digits that form a character; for a backslash write `\\\\`",
            ),
        ] {
            assert_eq!(with(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_certificate_file_is_read_whatever_the_scheme() {
        for target in ["https://h", "http://h"] {
            let with = |file: &str| {
                read(&format!("targetServer={target}\nauthToken=t\nsources=a\ncaCertificateFile={file}"))
            };
            let error = with("/nonexistent/ca.pem").unwrap_err().to_string();
            let expected =
                "server.config:4: `caCertificateFile` names /nonexistent/ca.pem, which cannot be read (";
            assert!(error.starts_with(expected), "{error}");
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
            let expected = format!(
                "server.config:4: `caCertificateFile` names {file}, which is not a PEM file with certificates"
            );
            assert_eq!(with(file).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn quotes_and_late_comments_are_found_and_no_secret_is_shown() {
        for (text, message) in [
            ("authToken=\"hunter2\"", "server.config:4: `authToken` is in quotes; write it without"),
            (
                "authToken=hunter2 # ours",
                "server.config:4: `authToken` has a comment behind it; write comments on lines of their own",
            ),
            (
                "reconnectSecret='hunter2'",
                "server.config:4: `reconnectSecret` is in quotes; write it without",
            ),
            ("proxy=\"http://u:hunter2@h:1\"", "server.config:4: `proxy` is in quotes; write it without"),
            (
                "proxy=http://u:hunter2@h:1 # ours",
                "server.config:4: `proxy` has a comment behind it; write comments on lines of their own",
            ),
            (
                "caCertificateFile='ca.pem'",
                "server.config:4: `caCertificateFile` is in quotes; write it without",
            ),
            ("sources=a, 'b'", "server.config:4: `sources` has 'b' in quotes; write it without"),
            ("sources=\"a\", \"b\"", "server.config:4: `sources` is in quotes; write it without"),
        ] {
            assert_eq!(with(text).unwrap_err().to_string(), message);
        }
        let variable = || Some("\"hunter2\"".to_owned());
        let error = ServerConfig::from_text(None, "targetServer=h\nsources=a", variable).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`authToken` of the variable CONNECTOR_AUTH_TOKEN is in quotes; write it without"
        );
        // A secret may have one in it.
        assert!(with("reconnectSecret='hunter # 2").is_ok());
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, message) in [
            ("targetserver=h\nauthToken=t\nsources=a", "; line 1 has `targetserver`"),
            ("targetServer=\"h\"\nauthToken=t\nsources=a", "`targetServer` is in quotes; write it without"),
            (
                "targetServer=h # mine\nauthToken=t\nsources=a",
                "`targetServer` has a comment behind it; write",
            ),
            ("authToken=t\nsources=a", "`targetServer` is missing; write the address of the Vantiq server"),
            ("targetServer=h\nauthToken=t", "`sources` is missing; write the names of the sources"),
            ("targetServer=h\nauthToken=t\nsources=", "server.config:3: `sources` is missing; write"),
            (
                "targetServer=h\nsources=a",
                "`authToken` is missing; write an access token of Vantiq, here or in",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn the_file_s_token_beats_the_environment_s_and_a_blank_one_counts_as_none() {
        let token = |text: &str, variable: Option<&str>| {
            let config = ServerConfig::from_text(None, text, || variable.map(str::to_owned));
            config.map(|config| config.auth_token.expose().to_owned()).ok()
        };
        let rest = "targetServer=h\nsources=a";
        assert_eq!(token(LEAST, Some("other")).as_deref(), Some("hunter2"));
        assert_eq!(token(rest, Some(" env \n")).as_deref(), Some("env"));
        assert_eq!(token(&format!("authToken=  \n{rest}"), Some("env")).as_deref(), Some("env"));
        assert_eq!(token(rest, Some("  ")), None);
        assert_eq!(token("authToken=t  \ntargetServer=h\nsources=a", None).as_deref(), Some("t"));
    }

    #[test]
    fn booleans_are_read_as_people_write_them() {
        for (text, value) in [("true", true), ("TRUE", true), ("yes", true), ("1", true), ("false", false)] {
            assert_eq!(with(&format!("sendPings = {text}  ")).unwrap().send_pings, value, "{text}");
        }
        for text in ["False", "no", "0"] {
            assert!(!with(&format!("sendPings={text}")).unwrap().send_pings, "{text}");
            assert!(!with(&format!("failOnConnectionError={text}")).unwrap().fail_on_connection_error);
        }
    }

    #[test]
    fn sources_are_trimmed_and_keep_their_order() {
        assert_eq!(with("sources= b , a.x,c ").unwrap().sources(), ["b", "a.x", "c"]);
    }

    #[test]
    fn an_unknown_key_is_a_warning_with_the_nearest_known_one() {
        let config = with("sendPing=true\ncolour=red\nmodelDirectory=/m").unwrap();
        let warnings: Vec<_> = config.warnings.iter().map(|warning| warning.text.as_str()).collect();
        assert_eq!(
            warnings,
            [
                "server.config:4: unknown key `sendPing` is ignored; did you mean `sendPings`? if it is the \
                 connector's own, announce it with `ConnectorSetBuilder::own_key`",
                "server.config:5: unknown key `colour` is ignored; if it is the connector's own, announce it \
                 with `ConnectorSetBuilder::own_key`",
            ]
        );
        assert_eq!(config.get("colour"), Some("red"));
    }

    #[test]
    fn a_token_on_a_line_of_its_own_is_not_shown() {
        let config = with("q3JhdGhlcmxvbmd0b2tlbm9mc29tZWJvZHllbHNl=").unwrap();
        let warning = &config.warnings[0].text;
        assert!(warning.starts_with("server.config:4: unknown key of 40 bytes is ignored;"), "{warning}");
    }

    #[test]
    fn of_connect_kw_args_only_the_verification_means_something() {
        let config = with(r#"connectKWArgs={"disableSslVerification": true, "max_size": 1}"#).unwrap();
        assert!(config.disable_ssl_verification);
        assert_eq!(config.warnings.len(), 1);
        assert!(config.warnings[0].text.contains("`max_size`"), "{:?}", config.warnings);
    }

    #[test]
    fn code_says_the_same_as_a_file() {
        let config = ServerConfig::builder()
            .target_server("http://localhost:1")
            .auth_token("hunter2")
            .source("a")
            .sources(["b", "c"])
            .send_pings(false)
            .fail_on_connection_error(true)
            .tcp_probe_port(7)
            .health_policy(HealthPolicy::Connected)
            .disable_ssl_verification(true)
            .proxy("none")
            .max_message_bytes(5_000)
            .binary_frames(true)
            .query_errors_as_array(true)
            .ack_profile(AckProfile::None)
            .request_ids(true)
            .connect_rate(50.0)
            .set("own", "7")
            .build()
            .unwrap();
        assert_eq!(config.sources(), ["a", "b", "c"]);
        assert!(!config.send_pings && config.fail_on_connection_error && config.disable_ssl_verification);
        assert!(config.binary_frames && config.query_errors_as_array && config.request_ids);
        assert_eq!((config.ack_profile, config.connect_rate), (AckProfile::None, Some(50.0)));
        assert_eq!((config.tcp_probe_port, config.max_message_bytes), (7, 5_000));
        assert_eq!((config.health_policy, config.proxy.clone()), (HealthPolicy::Connected, Proxy::None));
        assert_eq!(config.get("own"), Some("7"));
        let error = ServerConfig::builder().target_server("ftp://h").auth_token("t").source("a").build();
        assert!(error.unwrap_err().to_string().starts_with("`targetServer` has the scheme"));
        let error = ServerConfig::builder().ca_certificate_file("/nonexistent/ca.pem");
        let error = error.target_server("h").auth_token("t").source("a").build().unwrap_err();
        assert!(
            error.to_string().starts_with("`caCertificateFile` names /nonexistent/ca.pem, which"),
            "{error}"
        );
        let error = ServerConfig::builder().target_server("h").auth_token("t").source("a,b").build();
        assert!(error.unwrap_err().to_string().contains("comma"));
    }

    #[cfg(feature = "durable")]
    #[test]
    fn the_outbox_file_has_defaults_and_code_says_the_same() {
        let defaults = with("outboxFile = state/outbox").unwrap().store.unwrap();
        assert_eq!(defaults.file, std::path::absolute("state/outbox").unwrap());
        assert_eq!((defaults.sync, defaults.on_error), (OutboxSync::Always, OutboxOnError::Refuse));
        assert_eq!(defaults.max_bytes, 256 << 20);
        let code = ServerConfig::builder().target_server("h").auth_token("t").source("a").outbox_file("x");
        let code = code.outbox_sync(OutboxSync::Interval).outbox_on_error(OutboxOnError::Memory);
        let expected = "outboxFile=x\noutboxSync=interval\noutboxOnError=memory\noutboxMaxBytes=5000000";
        let store = code.outbox_max_bytes(5_000_000).build().unwrap().store;
        assert_eq!(store, with(expected).unwrap().store);
    }

    #[test]
    fn no_debug_shows_a_secret() {
        let config = with("reconnectSecret=hunter2\nproxy=http://u:hunter2@h:1\nown=hunter2").unwrap();
        let builder = ServerConfig::builder().auth_token("hunter2").reconnect_secret("hunter2");
        let shown = format!("{config:?} {config:#?} {builder:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_missing_file_names_where_it_was_looked_for() {
        let error = ServerConfig::find_under(Path::new("/nonexistent")).unwrap_err().to_string();
        assert!(error.contains("serverConfig/server.config and"), "{error}");
        let error = ServerConfig::load("/nonexistent/server.config").unwrap_err();
        assert_eq!(error.to_string(), "/nonexistent/server.config: cannot be read");
        assert!(std::error::Error::source(&error).is_some());
    }
}
