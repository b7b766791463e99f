//! The keys of `server.config`, and how the text under each is read.

use std::{collections::HashMap, path::PathBuf};

use super::{
    error::{ConfigError, Fault},
    properties::Property,
};

/// Keys that mean something to this crate, as the README's table lists them.
pub(super) mod key {
    pub(crate) const TARGET_SERVER: &str = "targetServer";
    pub(crate) const AUTH_TOKEN: &str = "authToken";
    pub(crate) const SOURCES: &str = "sources";
    pub(crate) const SEND_PINGS: &str = "sendPings";
    pub(crate) const TCP_PROBE_PORT: &str = "tcpProbePort";
    pub(crate) const FAIL_ON_CONNECTION_ERROR: &str = "failOnConnectionError";
    pub(crate) const RECONNECT_SECRET: &str = "reconnectSecret";
    pub(crate) const CONNECT_KW_ARGS: &str = "connectKWArgs";
    pub(crate) const HEALTH_POLICY: &str = "healthPolicy";
    pub(crate) const MAX_MESSAGE_BYTES: &str = "maxMessageBytes";
    pub(crate) const BINARY_FRAMES: &str = "binaryFrames";
    pub(crate) const QUERY_ERRORS_AS_ARRAY: &str = "queryErrorsAsArray";
    pub(crate) const ACK_PROFILE: &str = "ackProfile";
    pub(crate) const REQUEST_IDS: &str = "requestIds";
    pub(crate) const CONNECT_RATE: &str = "connectRate";
    pub(crate) const OUTBOX_FILE: &str = "outboxFile";
    pub(crate) const OUTBOX_SYNC: &str = "outboxSync";
    pub(crate) const OUTBOX_MAX_BYTES: &str = "outboxMaxBytes";
    pub(crate) const OUTBOX_ON_ERROR: &str = "outboxOnError";
    pub(crate) const PROXY: &str = "proxy";
    pub(crate) const CA_CERTIFICATE_FILE: &str = "caCertificateFile";
}

const KNOWN: [&str; 21] = [
    key::TARGET_SERVER,
    key::AUTH_TOKEN,
    key::SOURCES,
    key::SEND_PINGS,
    key::TCP_PROBE_PORT,
    key::FAIL_ON_CONNECTION_ERROR,
    key::RECONNECT_SECRET,
    key::CONNECT_KW_ARGS,
    key::HEALTH_POLICY,
    key::MAX_MESSAGE_BYTES,
    key::BINARY_FRAMES,
    key::QUERY_ERRORS_AS_ARRAY,
    key::ACK_PROFILE,
    key::REQUEST_IDS,
    key::CONNECT_RATE,
    key::OUTBOX_FILE,
    key::OUTBOX_SYNC,
    key::OUTBOX_MAX_BYTES,
    key::OUTBOX_ON_ERROR,
    key::PROXY,
    key::CA_CERTIFICATE_FILE,
];

/// Keys of Vantiq's own connectors: they mean nothing here, and no warning is due.
const FOREIGN: [&str; 4] = ["modelDirectory", "defaultBindPort", "defaultBindAddress", "maxPacketSize"];

/// How alike a known word must be to be proposed for an unknown one, from 0 to 1.
const LIKENESS: f64 = 0.75;

/// A longer unknown key is not shown, in bytes: it may be the rest of a token that a line break cut in two.
const LONGEST_KEY: usize = 30;

/// Something in the settings that is ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warning {
    pub(crate) key: String,
    pub(crate) text: String,
}

/// What a file or a builder says under each key, the last of duplicates, with the place for error messages.
#[derive(Debug)]
pub(super) struct Settings {
    origin: Option<PathBuf>,
    by_key: HashMap<String, Property>,
}

impl Settings {
    pub(super) fn new(origin: Option<PathBuf>, properties: Vec<Property>) -> Self {
        let by_key = properties.into_iter().map(|property| (property.key.clone(), property)).collect();
        Self { origin, by_key }
    }

    /// The value under `key`, trimmed; `None` where it is absent or blank.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.by_key.get(key).map(|property| property.value.trim()).filter(|value| !value.is_empty())
    }

    /// Whether there is a line with `key`, be its value blank.
    pub(super) fn contains(&self, key: &str) -> bool {
        self.by_key.contains_key(key)
    }

    /// As [`text`](Self::text); quotes around it are an error, for they would belong to it. The error does not
    /// show it: it may be a secret.
    pub(super) fn unquoted(&self, key: &'static str) -> Result<Option<&str>, ConfigError> {
        match self.text(key) {
            Some(text) if in_quotes(text) => Err(self.fault(key, Fault::Unfit(IN_QUOTES.into()))),
            text => Ok(text),
        }
    }

    /// As [`unquoted`](Self::unquoted), for what has no white space in it: a comment behind it is an error, too.
    pub(super) fn plain(&self, key: &'static str) -> Result<Option<&str>, ConfigError> {
        match self.unquoted(key)? {
            Some(text) if text.contains(" #") => {
                let what = "has a comment behind it; write comments on lines of their own";
                Err(self.fault(key, Fault::Unfit(what.into())))
            }
            text => Ok(text),
        }
    }

    /// As [`plain`](Self::plain), where absent or blank an error that says what to write.
    pub(super) fn required(&self, key: &'static str, expected: &str) -> Result<&str, ConfigError> {
        self.plain(key)?.ok_or_else(|| {
            let hint = self.misspelt(key).map(|(line, other)| format!("; line {line} has `{other}`"));
            let expected = format!("{expected}{}", hint.unwrap_or_default());
            self.fault(key, Fault::Missing { expected })
        })
    }

    /// A boolean as people write it; anything else is an error, never silently `false` or `true`.
    pub(super) fn boolean(&self, key: &'static str, default: bool) -> Result<bool, ConfigError> {
        self.read(key, "true or false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Some(true),
            "false" | "no" | "0" => Some(false),
            _ => None,
        })
        .map(|value| value.unwrap_or(default))
    }

    /// The value under `key` as `parse` reads it, `None` where it is absent or blank.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| {
            self.fault(key, Fault::Invalid { found: text.to_owned(), expected: expected.to_owned() })
        })
    }

    /// The unknown key that was most likely meant to be `key`, and its line.
    fn misspelt(&self, key: &str) -> Option<(usize, &str)> {
        let unknown = self.by_key.values().filter(|property| !is_known(&property.key));
        let meant = unknown.filter(|property| nearest(&property.key, &KNOWN) == Some(key));
        meant.map(|property| (property.line, property.key.as_str())).min()
    }

    /// An error about `key`, with file and line.
    pub(super) fn fault(&self, key: &'static str, fault: Fault) -> ConfigError {
        let line = self.by_key.get(key).map(|property| property.line).filter(|&line| line > 0);
        ConfigError::about(self.origin.clone(), line, Some(key), fault)
    }

    /// A warning for each key that nobody knows, in the order of the file.
    pub(super) fn unknown_keys(&self) -> Vec<Warning> {
        let mut unknown: Vec<_> = self.by_key.values().filter(|property| !is_known(&property.key)).collect();
        unknown.sort_by_key(|property| property.line);
        unknown.into_iter().map(|property| self.warning(property)).collect()
    }

    fn warning(&self, property: &Property) -> Warning {
        let place = self.origin.as_ref().map(|path| format!("{}:{}: ", path.display(), property.line));
        let key = property.key.clone();
        let shown = match key.len() {
            0..=LONGEST_KEY => format!("unknown key `{key}`"),
            len => format!("unknown key of {len} bytes"),
        };
        let hint = nearest(&key, &KNOWN).map(|known| format!("; did you mean `{known}`?"));
        let text = format!(
            "{}{shown} is ignored{} if it is the connector's own, announce it with `ConnectorSetBuilder::own_key`",
            place.unwrap_or_default(),
            hint.as_deref().unwrap_or(";")
        );
        Warning { key, text }
    }

    /// Every key and value, for connectors with keys of their own.
    pub(super) fn into_values(self) -> HashMap<String, String> {
        self.by_key.into_iter().map(|(key, property)| (key, property.value)).collect()
    }
}

/// What is said about a value [`in_quotes`].
pub(super) const IN_QUOTES: &str = "is in quotes; write it without";

/// Whether `text` is in quotes, which this syntax does not know.
pub(super) fn in_quotes(text: &str) -> bool {
    let inner = |quote| text.strip_prefix(quote).and_then(|text: &str| text.strip_suffix(quote));
    ['"', '\''].into_iter().any(|quote| inner(quote).is_some())
}

fn is_known(key: &str) -> bool {
    KNOWN.contains(&key) || FOREIGN.contains(&key)
}

/// The one of `known` that `word` was probably meant to be.
pub(super) fn nearest(word: &str, known: &[&'static str]) -> Option<&'static str> {
    let lower = word.to_lowercase();
    known
        .iter()
        .map(|known| (strsim::jaro_winkler(&lower, &known.to_lowercase()), *known))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}
