//! How fast and how small the connector is: `cargo bench -p vantiq-connector-benches`.
//!
//! This process is the server, over loopback, with frames laid out beforehand and frame code of its own, and measures
//! one [`Client`] after the other, each in a process and on a core of its own: a bare tokio-tungstenite client that does
//! the minimum for the same work, the connector as a user writes it, and Vantiq's SDK for Python. Clients take turns
//! within each round, so that what disturbs the machine disturbs all alike. The table of medians goes to standard
//! output and into `speed/table.md` in the folder for temporary files of the target folder.
//!
//! * Words on the command line choose the scenarios whose names hold one of them. Without words those that take long
//!   are left out.
//! * `ROUNDS=9` measures so often (5), `LENGTH_MS=2000` so long each time (1000).
//! * `SETTINGS=ackProfile=notifications` adds a line to the `server.config` of the clients.
//! * `VANTIQ_PYTHON=venv/bin/python` names a Python that has `vantiqconnectorsdk`; without it that one is left out.
//! * `--quick` is one short round with few sources: it shows that everything works and measures nothing.
#![forbid(unsafe_code)]

mod bare;
mod busy;
mod core;
mod crowd;
mod durable;
mod notifications;
mod ours;
mod peer;
mod process;
mod publishes;
mod queries;
mod scenario;
mod sources;
mod table;
mod trial;
mod usage;
mod workload;

use std::{env, fs, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};

use scenario::{SCENARIOS, Scenario};
use table::Table;
use trial::{Figure, Trial};

fn main() -> ExitCode {
    if let Some(code) = process::role() {
        return code;
    }
    match run(&Run::from_environment()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What is wanted.
struct Run {
    words: Vec<String>,
    rounds: usize,
    length: Duration,
    is_quick: bool,
}

impl Run {
    fn from_environment() -> Self {
        let arguments: Vec<_> = env::args().skip(1).collect();
        let has = |switch: &str| arguments.iter().any(|argument| argument == switch);
        // `cargo test --benches` gives no `--bench`: it wants to know whether it works.
        let is_quick = has("--quick") || !has("--bench");
        let (rounds, length_ms) =
            if is_quick { (1, 20) } else { (number("ROUNDS", 5), number("LENGTH_MS", 1_000)) };
        Self {
            words: arguments.into_iter().filter(|argument| !argument.starts_with('-')).collect(),
            rounds,
            length: Duration::from_millis(length_ms as u64),
            is_quick,
        }
    }

    fn wants(&self, scenario: &Scenario) -> bool {
        match self.words.as_slice() {
            [] => self.is_quick || !scenario.is_long,
            words => words.iter().any(|word| scenario.name.contains(word.as_str())),
        }
    }
}

fn number(variable: &str, default: usize) -> usize {
    env::var(variable).map_or(default, |text| text.parse().expect("the variable is a whole number"))
}

fn run(run: &Run) -> Result<()> {
    process::prepare()?;
    rlimit::increase_nofile_limit(u64::MAX)?;
    let cores = core::choose();
    if let Some((server, _)) = cores {
        core::bind(server);
    }
    let trial = |client| Trial {
        client,
        length: run.length,
        is_quick: run.is_quick,
        core: cores.map(|(_, client)| client),
        settings: "",
    };
    let mut table = Table::new();
    println!("{}", table.head());
    for scenario in SCENARIOS.iter().filter(|scenario| run.wants(scenario)) {
        let clients = scenario.clients.iter().filter(|client| client.is_here());
        let mut results: Vec<_> = clients.map(|client| (*client, Vec::new())).collect();
        for _ in 0..run.rounds.min(scenario.rounds) {
            for (client, figures) in &mut results {
                figures.push(measure(scenario, &trial(*client))?);
            }
        }
        table.add(scenario.name, &results);
    }
    let file = process::folder().join("table.md");
    fs::write(&file, table.text())?;
    println!("\nalso in {}", file.display());
    Ok(())
}

fn measure(scenario: &Scenario, trial: &Trial) -> Result<Figure> {
    (scenario.run)(trial).with_context(|| format!("{}, {}", scenario.name, trial.client.name()))
}
