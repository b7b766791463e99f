//! [`Simulation`]: a simulated server and the connector that serves it, for `--simulate`.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    pin::pin,
};

use serde_json::{Value, json};
use tracing::warn;
use vantiq_simulator::{Desk, Simulator, SimulatorBuilder, SimulatorError, SimulatorErrorKind};

use super::ConnectorSet;
use crate::{ConnectorError, ServerConfig, SourcePattern};

/// Where the server listens, where that is free.
const PORT: u16 = 8081;

/// What is to be simulated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The port of the server, instead of one that is free.
    pub(super) port: Option<u16>,
    /// The file with the configuration document of all sources, instead of `{}`.
    pub(super) source_config: Option<PathBuf>,
}

/// A simulated server.
pub(super) struct Simulation {
    simulator: Simulator,
    sources: Vec<String>,
    /// Whether it listens elsewhere than it would have, because that was taken.
    gave_way: bool,
}

impl Simulation {
    /// Starts a server that has a source for each of these patterns.
    pub(super) async fn start(
        wanted: Wanted,
        patterns: impl Iterator<Item = SourcePattern>,
    ) -> Result<Self, ConnectorError> {
        // What was pasted, and a page that is open, go on working after the next start.
        Self::start_from(|| Simulator::builder().kept_token(), wanted, patterns).await
    }

    async fn start_from(
        builder: impl Fn() -> SimulatorBuilder,
        wanted: Wanted,
        patterns: impl Iterator<Item = SourcePattern>,
    ) -> Result<Self, ConnectorError> {
        let document = wanted.source_config.as_deref().map_or_else(|| Ok(json!({})), read)?;
        let sources = examples_of(&patterns.collect::<Vec<_>>());
        let start = async |port| {
            let builder = builder().port(port).recording_limit(Desk::RECORDING_LIMIT);
            let sources = sources.iter();
            sources.fold(builder, |builder, name| builder.source(name, document.clone())).start().await
        };
        let (simulator, gave_way) = match start(wanted.port.unwrap_or(PORT)).await {
            Err(error) if wanted.port.is_none() && is_taken(&error) => (start(0).await, true),
            started => (started, false),
        };
        Ok(Self { simulator: simulator.map_err(ConnectorError::Simulator)?, sources, gave_way })
    }

    /// The settings of a connector to it.
    pub(super) fn config(&self) -> Result<ServerConfig, ConnectorError> {
        let config = ServerConfig::builder()
            .target_server(self.simulator.url())
            .auth_token(self.simulator.token())
            .sources(&self.sources)
            .proxy("none");
        Ok(config.build()?)
    }

    /// Runs the connector until a signal or the word `quit` asks to stop, and does meanwhile what is typed.
    pub(super) async fn run(self, set: ConnectorSet) -> Result<(), ConnectorError> {
        self.greet();
        let handle = set.handle();
        let mut running = pin!(set.run());
        // Cancel safety: the set is polled by reference, and a line that was read is obeyed or not.
        let result = tokio::select! {
            result = &mut running => result,
            () = Desk::new(&self.simulator).run() => tokio::join!(running, handle.close()).0,
        };
        if let Err(error) = self.simulator.stop().await {
            warn!(%error, "the simulated server did not stop");
        }
        result
    }

    /// Says where it is and what can be done; a closed standard output is no reason to stop.
    fn greet(&self) {
        let (url, token) = (self.simulator.url(), self.simulator.token());
        let console = self.simulator.console_url();
        let (sources, first) = (self.sources.join(", "), self.sources.first().map_or("", String::as_str));
        let plural = if self.sources.len() == 1 { "" } else { "s" };
        let elsewhere = if self.gave_way {
            format!("Port {PORT} is taken, so it listens elsewhere.\n")
        } else {
            String::new()
        };
        let place = self.place();
        let mut out = io::stdout().lock();
        let greeted = write!(
            out,
            "A Vantiq server is simulated at {url}, with the source{plural} {sources}
{elsewhere}Access token: {token}
Its console: {console}

Type `configure {first} JSON`, `publish {first} JSON` or `query {first} JSON` here; `help` lists what else can be done,
`quit` ends it.
Or from elsewhere, with a query of yours as JSON:

  vantiq-simulator query {first} JSON{place}
  curl -H 'Authorization: Bearer {token}' -d JSON {url}/api/v1/resources/sources/{first}/query

"
        );
        let _ = greeted.and_then(|()| out.flush());
    }

    /// What the commands of the simulator's program have to be told: they look at the usual port, and for the token
    /// that is kept for a port that somebody chose.
    fn place(&self) -> String {
        let (url, token) = (self.simulator.url(), self.simulator.token());
        match self.simulator.addr().port() {
            _ if self.gave_way => format!(" --url {url} --token {token}"),
            PORT => String::new(),
            _ => format!(" --url {url}"),
        }
    }
}

fn read(path: &Path) -> Result<Value, ConnectorError> {
    let unusable = |problem| ConnectorError::SourceConfig { path: path.to_owned(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| unusable(format!("not JSON: {error}")))
}

/// A name for each pattern, which no other fits as well or better.
fn examples_of(patterns: &[SourcePattern]) -> Vec<String> {
    let is_own = |name: &str, own: &SourcePattern| {
        let rivals = patterns.iter().filter(|pattern| pattern.matches(name) && pattern.rank() >= own.rank());
        rivals.count() == 1
    };
    let example = |pattern: &SourcePattern| {
        let word = (*pattern == SourcePattern::ANY).then(|| "mySource".to_owned());
        // As many as there are others to keep clear of. Two of the same name are a mistake that the set names.
        let words = word.into_iter().chain((1..=patterns.len()).map(|number| number.to_string()));
        let names: Vec<_> = words.map(|word| pattern.as_str().replace('*', &word)).collect();
        names.iter().find(|name| is_own(name, pattern)).or(names.first()).cloned().unwrap_or_default()
    };
    patterns.iter().map(example).collect()
}

fn is_taken(error: &SimulatorError) -> bool {
    matches!(error.kind(), SimulatorErrorKind::Listen { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_has_a_name_of_its_own() {
        for (patterns, names) in [
            (
                &["thermostat", "camera-*", "*-a-*", "*"][..],
                &["thermostat", "camera-1", "1-a-1", "mySource"][..],
            ),
            (&["camera-1", "camera-*", "mySource", "*"], &["camera-1", "camera-2", "mySource", "1"]),
            (&["*-a", "1-*"], &["2-a", "1-1"]),
        ] {
            let patterns: Vec<_> = patterns.iter().map(|pattern| SourcePattern::new(pattern)).collect();
            assert_eq!(examples_of(&patterns), names);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_of_no_use_is_named() {
        let wanted = Wanted { port: Some(0), source_config: Some("no/such.json".into()) };
        let error = Simulation::start(wanted, std::iter::empty()).await.err().expect("there is none");
        assert!(error.to_string().starts_with("no/such.json is no configuration document"), "{error}");
        assert_eq!(error.exit_code(), 64);
    }

    #[tokio::test]
    async fn the_settings_are_those_of_the_server() {
        let wanted = Wanted { port: Some(0), source_config: None };
        let patterns = [SourcePattern::new("a"), SourcePattern::new("b-*")];
        // A test keeps nothing.
        let simulation = Simulation::start_from(Simulator::builder, wanted, patterns.into_iter()).await;
        let simulation = simulation.expect("a port is free");
        let config = simulation.config().expect("they are right");
        assert_eq!(config.sources(), ["a", "b-1"]);
    }
}
