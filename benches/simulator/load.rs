//! [`Load`]: what is measured, and how it goes on over time.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};
use vantiq_simulator::Simulator;

use crate::{SAMPLES, bare_server::BareServer, client::Client, usage};

/// Queries at once.
pub(crate) const QUERIES: usize = 128;
/// As the program has it.
const RECORDING: usize = 64 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// Events of 100 bytes, each acknowledged.
    Notifications,
    /// Answered by one row each.
    Queries,
}

impl Load {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Notifications => "notifications",
            Self::Queries => "queries",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::Notifications, Self::Queries].into_iter().find(|load| load.name() == name)
    }
}

/// How far it had come at a moment.
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) done: u64,
    pub(crate) cpu: Duration,
    pub(crate) memory: f64,
}

/// Measures the simulator.
pub(crate) async fn simulator(
    load: Load,
    length: Duration,
    client_core: Option<usize>,
) -> Result<Vec<Sample>> {
    let simulator =
        Simulator::builder().token("bench").any_source(true).recording_limit(RECORDING).start().await?;
    let source = simulator.source("bench");
    let client = Client::start(load, simulator.addr(), client_core)?;
    source.wait_attached().await?;
    let answered = Arc::new(AtomicU64::new(0));
    let mut asking = JoinSet::new();
    if load == Load::Queries {
        for _ in 0..QUERIES {
            let (source, answered) = (source.clone(), Arc::clone(&answered));
            asking.spawn(async move {
                while source.query(json!({"op": "current"})).await.is_ok_and(|reply| reply.rows().len() == 1)
                {
                    answered.fetch_add(1, Relaxed);
                }
            });
        }
    }
    let samples = samples(length, || match load {
        Load::Notifications => source.notification_count(),
        Load::Queries => answered.load(Relaxed),
    });
    let samples = samples.await;
    ensure!(
        simulator.violations().is_empty(),
        "the client breaks the protocol: {:?}",
        simulator.violations()
    );
    drop((client, asking));
    simulator.stop().await?;
    samples
}

/// Measures a server that only answers.
pub(crate) async fn bare(load: Load, length: Duration, client_core: Option<usize>) -> Result<Vec<Sample>> {
    let server = BareServer::start(load).await?;
    let _client = Client::start(load, server.address(), client_core)?;
    samples(length, || server.done()).await
}

async fn samples(length: Duration, done: impl Fn() -> u64) -> Result<Vec<Sample>> {
    let mut samples: Vec<Sample> = Vec::new();
    // The first part warms up.
    for _ in 0..=SAMPLES + 1 {
        sleep(length / SAMPLES).await;
        let cpu = usage::cpu(process::id());
        let memory = usage::memory(process::id()).unwrap_or_default();
        samples.push(Sample { at: Instant::now(), done: done(), cpu, memory });
    }
    samples.remove(0);
    ensure!(samples[samples.len() - 1].done > samples[0].done, "nothing is done");
    Ok(samples)
}
