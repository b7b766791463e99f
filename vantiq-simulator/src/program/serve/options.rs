//! [`Options`]: what the simulator shall be like when it is served.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::super::place::{PORT, token_of_environment};
use vantiq_simulator::{Acknowledge, AcknowledgeOrder, Desk, Simulator, SimulatorBuilder};

// Not a comment: Clap would show the marks that it needs.
const TOKEN_HELP: &str = "Access token that connectors and applications must present; default is that of \
                          VANTIQ_SIMULATOR_TOKEN, or else the one that is kept for the port";

/// The longest time that can be asked for.
const YEAR: Duration = Duration::from_hours(365 * 24);

/// Options of the simulator that is to be.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(in crate::program) struct Options {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = PORT)]
    port: u16,

    /// Address to listen at; one that others can reach needs --allow-remote
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST.into())]
    address: IpAddr,

    /// Serve others than this machine
    #[arg(long)]
    allow_remote: bool,

    #[arg(long, help = TOKEN_HELP)]
    token: Option<String>,

    /// A user and a password with which applications may log in
    #[arg(long, value_name = "USER:PASSWORD", value_parser = parse_login)]
    login: Option<(String, String)>,

    /// A source that exists, with its configuration document ({} if omitted)
    #[arg(long = "source", value_name = "NAME[=JSON]", value_parser = parse_source)]
    sources: Vec<(String, Value)>,

    /// A file with more sources: {"NAME": {configuration document}, ...}
    #[arg(long = "sources", value_name = "FILE.json")]
    sources_file: Option<PathBuf>,

    /// Refuse sources that were not named
    #[arg(long)]
    only_listed: bool,

    /// Send text frames instead of binary ones
    #[arg(long)]
    text_frames: bool,

    /// What is acknowledged
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Acknowledged::Notifications)]
    acknowledge: Acknowledged,

    /// How many status messages come before each configureExtension
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    connect_acknowledgements: usize,

    /// Send parameters.requestId back in acknowledgements
    #[arg(long)]
    request_id_headers: bool,

    /// How long a query waits for an answer since the last data; 33.75 by default
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    query_timeout: Option<Duration>,

    #[command(flatten)]
    unknowns: Unknowns,
}

/// What nobody knows of real servers (PROTOCOL section 16), as far as it is no option above.
#[derive(Debug, Args)]
#[command(next_help_heading = "What nobody knows of real servers")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
struct Unknowns {
    /// Close the connection after a refused validate or connectExtension
    #[arg(long)]
    close_after_refusal: bool,

    /// Size above which a message is answered with status 500; 262144 by default
    #[arg(long, value_name = "BYTES")]
    inbound_limit: Option<usize>,

    /// Close the connection with status 1009 above that size
    #[arg(long)]
    close_oversized: bool,

    /// A status 100 without data gives a query more time, too
    #[arg(long)]
    empty_partials_restart_timeout: bool,

    /// Answer with an error what comes after the end of a query
    #[arg(long)]
    refuse_late_answers: bool,

    /// Refuse events that are no objects
    #[arg(long)]
    only_objects: bool,

    /// Send pings so often; never by default
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    ping_interval: Option<Duration>,

    /// Close a connection by which nothing has come for so long; never by default
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    idle_timeout: Option<Duration>,

    /// Refuse a second source on one connection
    #[arg(long)]
    one_source_per_link: bool,
}

/// Choices of `--acknowledge`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Acknowledged {
    /// Notifications
    Notifications,
    /// Notifications, query responses and connectExtension
    Everything,
    /// Nothing at all
    Nothing,
}

/// The file of `--sources` cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::program) enum SourcesFileError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} must be an object of source names and configuration documents", path.display())]
    Parse { path: PathBuf, source: serde_json::Error },
}

impl Options {
    /// The simulator that was asked for.
    ///
    /// # Errors
    ///
    /// When the file of sources cannot be read or understood.
    pub(in crate::program) fn into_builder(self) -> Result<SimulatorBuilder, SourcesFileError> {
        let mut builder = Simulator::builder()
            .address(self.address)
            .allow_remote(self.allow_remote)
            .port(self.port)
            .any_source(!self.only_listed)
            .text_frames(self.text_frames)
            .acknowledge(self.acknowledge.into())
            .connect_acknowledgements(self.connect_acknowledgements, AcknowledgeOrder::BeforeConfiguration)
            .request_id_headers(self.request_id_headers)
            .recording_limit(Desk::RECORDING_LIMIT);
        builder = match self.token.or_else(token_of_environment) {
            Some(token) => builder.token(token),
            None => builder.kept_token(),
        };
        if let Some((user, password)) = self.login {
            builder = builder.login(user, password);
        }
        if let Some(timeout) = self.query_timeout {
            builder = builder.query_timeout(timeout);
        }
        builder = self.unknowns.settle(builder);
        let from_file = self.sources_file.map(read_sources).transpose()?.unwrap_or_default();
        let sources = from_file.into_iter().chain(self.sources);
        Ok(sources.fold(builder, |builder, (name, configuration)| builder.source(name, configuration)))
    }
}

impl Unknowns {
    fn settle(self, builder: SimulatorBuilder) -> SimulatorBuilder {
        let mut builder = builder
            .close_after_refusal(self.close_after_refusal)
            .close_oversized(self.close_oversized)
            .empty_partials_restart_timeout(self.empty_partials_restart_timeout)
            .refuse_late_answers(self.refuse_late_answers)
            .only_objects(self.only_objects)
            .one_source_per_link(self.one_source_per_link);
        if let Some(bytes) = self.inbound_limit {
            builder = builder.inbound_limit(bytes);
        }
        if let Some(interval) = self.ping_interval {
            builder = builder.ping_interval(interval);
        }
        if let Some(timeout) = self.idle_timeout {
            builder = builder.idle_timeout(timeout);
        }
        builder
    }
}

impl From<Acknowledged> for Acknowledge {
    fn from(acknowledged: Acknowledged) -> Self {
        match acknowledged {
            Acknowledged::Notifications => Self::NotificationsOnly,
            Acknowledged::Everything => Self::Everything,
            Acknowledged::Nothing => Self::Nothing,
        }
    }
}

fn read_sources(path: PathBuf) -> Result<BTreeMap<String, Value>, SourcesFileError> {
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(SourcesFileError::Read { path, source }),
    };
    serde_json::from_str(&text).map_err(|source| SourcesFileError::Parse { path, source })
}

fn parse_source(argument: &str) -> Result<(String, Value), String> {
    let (name, configuration) = match argument.split_once('=') {
        None => (argument, json!({})),
        Some((name, text)) => {
            let parsed = serde_json::from_str(text);
            (name, parsed.map_err(|error| format!("the part after `=` is not JSON: {error}"))?)
        }
    };
    if name.is_empty() { Err("the name is missing".to_owned()) } else { Ok((name.to_owned(), configuration)) }
}

fn parse_login(argument: &str) -> Result<(String, String), String> {
    let parts = argument.split_once(':').filter(|(user, password)| !user.is_empty() && !password.is_empty());
    let (user, password) = parts.ok_or("expected USER:PASSWORD")?;
    Ok((user.to_owned(), password.to_owned()))
}

/// Some time, but not for ever: that is what it is without the option.
fn parse_seconds(argument: &str) -> Result<Duration, &'static str> {
    let duration = argument.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration
        .filter(|duration| !duration.is_zero() && *duration <= YEAR)
        .ok_or("write a number of seconds above 0 and up to 31536000, which is a year, such as 30 or 0.5")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_name_with_or_without_configuration() {
        assert_eq!(parse_source("a"), Ok(("a".to_owned(), json!({}))));
        assert_eq!(parse_source(r#"a={"b":"c=d"}"#), Ok(("a".to_owned(), json!({"b": "c=d"}))));
        assert!(parse_source("={}").is_err());
        assert!(parse_source("a={").is_err());
    }

    #[test]
    fn a_login_is_a_user_and_a_password() {
        assert_eq!(parse_login("me:a:b"), Ok(("me".to_owned(), "a:b".to_owned())));
        assert!(parse_login("me").is_err() && parse_login(":a").is_err() && parse_login("me:").is_err());
    }

    #[test]
    fn seconds_may_have_a_fraction_but_no_sign() {
        assert_eq!(parse_seconds("1.5"), Ok(Duration::from_millis(1_500)));
        assert_eq!(parse_seconds("31536000"), Ok(YEAR));
        for argument in ["-1", "soon", "0", "0.0", "-0", "1e-12", "31536001", "1e300", "inf", "nan"] {
            assert!(parse_seconds(argument).is_err(), "{argument}");
        }
    }
}
