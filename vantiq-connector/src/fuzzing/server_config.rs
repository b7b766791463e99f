//! The text of a `server.config`.

use super::{CANARY, assert_hidden};
use crate::{ConfigError, ServerConfig};

/// Whatever `text` is, it is a configuration or one error of one line, and what is secret stays so.
pub fn server_config(text: &[u8]) {
    // A file that is no UTF-8 is refused before it is parsed.
    let Ok(text) = std::str::from_utf8(text) else { return };
    checked(&ServerConfig::parse(text));
    let secrets = format!(
        "targetServer=https://h\nauthToken={CANARY}\nsources=a\nreconnectSecret={CANARY}\n\
         proxy=http://user:{CANARY}@h\nown={CANARY}\n"
    );
    let config = ServerConfig::parse(&format!("{secrets}{text}"));
    checked(&config);
    // What the text itself says of the secret is its own affair.
    if !text.contains(CANARY) {
        assert_hidden(&format!("{config:?}"));
        match &config {
            Ok(config) => config.warnings.iter().for_each(|warning| assert_hidden(&warning.text)),
            Err(error) => assert_hidden(&error.to_string()),
        }
    }
}

fn checked(config: &Result<ServerConfig, ConfigError>) {
    match config {
        Ok(config) => {
            assert!(!config.auth_token.expose().trim().is_empty());
            assert!(!config.sources.is_empty() && config.sources.iter().all(|name| !name.is_empty()));
            assert!(!config.url().is_empty());
        }
        Err(error) => {
            assert!(error.key().is_some() || error.line().is_some(), "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
}
