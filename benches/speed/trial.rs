//! [`Trial`]: one client in one scenario, once; [`Window`]: the time in which it is measured; [`Figure`]: what came out.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{
    peer::server_config,
    process::{Client, Process},
    usage,
};

/// One client in one scenario, once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trial {
    pub(crate) client: Client,
    /// How long to measure.
    pub(crate) length: Duration,
    /// Whether it is enough to see that everything works.
    pub(crate) is_quick: bool,
    pub(crate) core: Option<usize>,
    /// Lines for the `server.config` of the client.
    pub(crate) settings: &'static str,
}

impl Trial {
    /// Starts the client with so many sources.
    pub(crate) fn start(&self, url: &str, sources: usize, authority: Option<&str>) -> Result<Process> {
        Process::start(self.client, &server_config(url, sources, authority, self.settings), self.core)
    }

    /// A count, or a small part of it.
    pub(crate) const fn count(&self, full: usize) -> usize {
        if self.is_quick { full.div_ceil(100) } else { full }
    }

    /// The time before the measurement: caches and buffers fill.
    pub(crate) fn warm_up(&self) -> Duration {
        self.length / 5
    }

    /// What comes before the measurement, and the measurement.
    pub(crate) fn by_time(&self) -> [Span; 2] {
        [Span::Time(self.warm_up()), Span::Time(self.length)]
    }

    /// The same by messages: those beyond the `first` ones are measured.
    pub(crate) const fn beyond(&self, first: usize) -> [Span; 2] {
        [Span::Messages(self.count(first) as u64), Span::Messages(self.count(BEYOND) as u64)]
    }
}

/// How many messages are measured, where it matters how many came before: few beside most of those, and enough for the
/// clock of the processor.
const BEYOND: usize = 100_000;

/// How long something goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Span {
    Time(Duration),
    Messages(u64),
}

impl Span {
    pub(crate) fn is_over(self, elapsed: Duration, messages: u64) -> bool {
        match self {
            Self::Time(time) => elapsed > time,
            Self::Messages(count) => messages >= count,
        }
    }
}

/// In what a figure is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// More is better; all others are better when small.
    PerSecond,
    Milliseconds,
    Kibibytes,
}

/// What one trial gave.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    /// Of the client, for each operation.
    pub(crate) cpu: Option<Duration>,
    /// The part of the time in which the server was at work: near 1 it was what limited.
    pub(crate) server_busy: Option<f64>,
    /// The middle and the 99th percentile.
    pub(crate) latencies: Option<[Duration; 2]>,
}

impl Figure {
    pub(crate) const fn of(value: f64, unit: Unit) -> Self {
        Self { value, unit, cpu: None, server_busy: None, latencies: None }
    }

    pub(crate) fn with_latencies(mut self, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        let at = |percent: usize| latencies.get(latencies.len() * percent / 100).copied();
        self.latencies = at(50).zip(at(99)).map(Into::into);
        self
    }
}

/// The time in which a client is measured.
pub(crate) struct Window {
    client: u32,
    used: [Duration; 2],
    began: Instant,
}

impl Window {
    pub(crate) fn begin(process: &Process) -> Self {
        let client = process.id();
        Self { client, used: both(client), began: Instant::now() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The end, after so many operations.
    pub(crate) fn end(&self, operations: u64) -> Figure {
        let elapsed = self.elapsed();
        let [client, server] = both(self.client);
        let operations = number(operations);
        let cpu = client.saturating_sub(self.used[0]).as_secs_f64() / operations.max(1.0);
        Figure {
            cpu: Some(Duration::from_secs_f64(cpu)),
            server_busy: Some(server.saturating_sub(self.used[1]).div_duration_f64(elapsed)),
            ..Figure::of(operations / elapsed.as_secs_f64(), Unit::PerSecond)
        }
    }
}

fn both(client: u32) -> [Duration; 2] {
    [usage::cpu(client), usage::cpu(std::process::id())]
}

#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
pub(crate) const fn number(count: u64) -> f64 {
    count as f64
}
