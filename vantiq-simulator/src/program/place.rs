//! [`Place`]: where the simulator is, and with which token it lets in.

use std::env;
use std::fmt;

use clap::Args;
use ureq::http::Uri;
use vantiq_simulator::{is_this_machine, kept_token};

use super::error::ProgramError;
use super::remote::Remote;

/// Where it listens unless told otherwise; 8080 is what real servers use.
pub(super) const PORT: u16 = 8081;

const URL_VARIABLE: &str = "VANTIQ_SIMULATOR_URL";
const TOKEN_VARIABLE: &str = "VANTIQ_SIMULATOR_TOKEN";

// Not comments: Clap would show the marks that those need.
const URL_HELP: &str = "Where it listens; default is VANTIQ_SIMULATOR_URL, or else http://127.0.0.1:8081";
const PORT_HELP: &str = "Short for --url http://127.0.0.1:PORT";
const TOKEN_HELP: &str = "Access token; default is VANTIQ_SIMULATOR_TOKEN, or else the one that is kept for the port on this machine";

/// Which simulator.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which simulator")]
pub(super) struct Place {
    #[arg(long, global = true, help = URL_HELP)]
    url: Option<String>,

    // Ids of their own: the options of serving would hand theirs down.
    #[arg(id = "place-port", long = "port", value_name = "PORT", global = true, conflicts_with = "url", help = PORT_HELP)]
    port: Option<u16>,

    #[arg(id = "place-token", long = "token", value_name = "TOKEN", global = true, help = TOKEN_HELP)]
    token: Option<String>,
}

/// Where a token is from, which says what to change when it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenOrigin {
    Option,
    Environment,
    Kept,
    /// There is none.
    Nowhere,
}

impl Place {
    /// The way to the simulator. Nothing is sent yet.
    pub(super) fn remote(&self) -> Result<Remote, ProgramError> {
        let url = address(self.url.as_deref(), self.port, variable(URL_VARIABLE));
        let uri = check(&url)?;
        let (token, origin) = self.find_token(&uri);
        Ok(Remote::new(url.trim_end_matches('/').to_owned(), token, origin))
    }

    fn find_token(&self, uri: &Uri) -> (Option<String>, TokenOrigin) {
        if let Some(token) = &self.token {
            return (Some(token.clone()), TokenOrigin::Option);
        }
        if let Some(token) = token_of_environment() {
            return (Some(token), TokenOrigin::Environment);
        }
        // Not for other machines: it is none of theirs.
        match is_this_machine(host(uri)).then(|| kept_token(uri.port_u16().unwrap_or(80))).flatten() {
            Some(token) => (Some(token), TokenOrigin::Kept),
            None => (None, TokenOrigin::Nowhere),
        }
    }
}

impl fmt::Display for TokenOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Option => "the token of --token",
            Self::Environment => "the token of VANTIQ_SIMULATOR_TOKEN",
            Self::Kept => "the token that is kept for the port",
            Self::Nowhere => "a request without a token",
        })
    }
}

/// The token that the environment has, for those that serve as for those that ask.
pub(super) fn token_of_environment() -> Option<String> {
    variable(TOKEN_VARIABLE)
}

/// A variable; a blank one counts as none.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// What is said on the command line comes before the environment.
fn address(url: Option<&str>, port: Option<u16>, environment: Option<String>) -> String {
    let local = |port| format!("http://127.0.0.1:{port}");
    url.map(str::to_owned).or(port.map(local)).or(environment).unwrap_or_else(|| local(PORT))
}

fn check(url: &str) -> Result<Uri, ProgramError> {
    let uri = url.parse::<Uri>().ok().filter(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
    let uri = uri.filter(|uri| matches!(uri.path(), "" | "/") && uri.query().is_none());
    uri.ok_or_else(|| ProgramError::Url { url: url.to_owned() })
}

fn host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_comes_before_the_environment() {
        let environment = || Some("http://e".to_owned());
        assert_eq!(address(Some("http://u"), None, environment()), "http://u");
        assert_eq!(address(None, Some(9), environment()), "http://127.0.0.1:9");
        assert_eq!(address(None, None, environment()), "http://e");
        assert_eq!(address(None, None, None), "http://127.0.0.1:8081");
    }

    #[test]
    fn an_address_is_plain_http_and_no_more() {
        for url in ["http://127.0.0.1:8081", "http://localhost", "http://[::1]:8081/"] {
            assert!(check(url).is_ok_and(|uri| is_this_machine(host(&uri))), "{url}");
        }
        assert!(check("http://desk.example:8081").is_ok_and(|uri| !is_this_machine(host(&uri))));
        for url in
            ["https://127.0.0.1", "127.0.0.1:8081", "localhost", "http://a/b", "http://a/?b", "", "http://"]
        {
            assert!(check(url).is_err(), "{url}");
        }
    }
}
