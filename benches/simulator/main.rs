//! How much the simulator sustains: `cargo bench -p vantiq-connector-benches --bench simulator`.
//!
//! It has one core, with everything that it does by itself, the recording included; a bare WebSocket client on the other
//! core sends notifications, or answers queries, as fast as it is allowed to. The same client and the same frames
//! meet a server that does nothing but answer, which tells how much of the cost is the socket's.
//!
//! `LENGTH_MS=60000` measures so long each time (5000); memory is looked at ten times, evenly.
//! `--quick` only shows that everything works.
#![forbid(unsafe_code)]

mod bare_server;
mod client;
#[path = "../speed/core.rs"]
mod core;
mod load;
#[path = "../speed/usage.rs"]
mod usage;

use std::{env, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use tokio::runtime::Builder;

use load::{Load, Sample};

/// Samples of memory, of each measurement.
const SAMPLES: u32 = 10;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    if let Some((load, address)) = client::role() {
        return Builder::new_current_thread().enable_all().build()?.block_on(client::run(load, address));
    }
    let arguments: Vec<_> = env::args().skip(1).collect();
    let has = |switch: &str| arguments.iter().any(|argument| argument == switch);
    // `cargo test --benches` gives no `--bench`: it wants to know whether it works.
    let length = if has("--quick") || !has("--bench") { 200 } else { length_ms()? };
    let cores = core::choose();
    if let Some((server, _)) = cores {
        core::bind(server);
    }
    let client_core = cores.map(|(_, client)| client);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    println!("| load | server | per second | CPU, us each | memory, KiB, over time |");
    println!("|---|---|---|---|---|");
    for load in [Load::Notifications, Load::Queries] {
        let length = Duration::from_millis(length);
        let bare = runtime.block_on(load::bare(load, length, client_core))?;
        let simulator = runtime.block_on(load::simulator(load, length, client_core))?;
        println!("{}", line(load, "that only answers", &bare));
        println!("{}", line(load, "vantiq-simulator", &simulator));
    }
    Ok(())
}

fn length_ms() -> Result<u64> {
    env::var("LENGTH_MS").map_or(Ok(5_000), |text| text.parse().context("LENGTH_MS is a number"))
}

fn line(load: Load, server: &str, samples: &[Sample]) -> String {
    let (first, last) = (&samples[0], &samples[samples.len() - 1]);
    #[expect(clippy::cast_precision_loss, reason = "nobody counts that far")]
    let done = (last.done - first.done) as f64;
    let seconds = last.at.duration_since(first.at).as_secs_f64();
    let cpu = last.cpu.saturating_sub(first.cpu).as_secs_f64() * 1e6 / done;
    let memory: Vec<_> = samples.iter().map(|sample| format!("{:.0}", sample.memory)).collect();
    format!("| {} | {server} | {:.0} | {cpu:.1} | {} |", load.name(), done / seconds, memory.join(" "))
}
