//! Many sources: how long they take to connect, at the start and after the server was away, and what they occupy.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::{
    crowd::Crowd,
    process::{Client, Process},
    trial::{Figure, Trial, Unit, number},
    usage,
};

/// What is done after the handshakes is done in this time.
const SETTLE: Duration = Duration::from_millis(500);

/// From the start of the process until all sources are configured.
pub(crate) fn connected(trial: &Trial, sources: usize) -> Result<Figure> {
    let crowd = Crowd::start(false)?;
    let began = Instant::now();
    let (process, sources) = start(trial, &crowd, sources)?;
    let figure = Figure::of(began.elapsed().as_secs_f64() * 1e3, Unit::Milliseconds);
    Ok(Figure { cpu: Some(usage::cpu(process.id()).div_f64(number(sources as u64))), ..figure })
}

/// From the end of all links until all sources are configured again.
pub(crate) fn reconnected(trial: &Trial, sources: usize) -> Result<Figure> {
    let crowd = Crowd::start(false)?;
    let (process, sources) = start(trial, &crowd, sources)?;
    thread::sleep(SETTLE);
    let (used, began) = (usage::cpu(process.id()), Instant::now());
    crowd.end_links();
    crowd.wait_for(sources).with_context(|| process.log())?;
    let figure = Figure::of(began.elapsed().as_secs_f64() * 1e3, Unit::Milliseconds);
    let cpu = usage::cpu(process.id()).saturating_sub(used);
    Ok(Figure { cpu: Some(cpu.div_f64(number(sources as u64))), ..figure })
}

/// What a process with one source occupies.
pub(crate) fn one(trial: &Trial, is_encrypted: bool) -> Result<Figure> {
    Ok(Figure::of(memory(trial, is_encrypted, 1)?.0, Unit::Kibibytes))
}

/// What each further source occupies.
pub(crate) fn each(trial: &Trial, is_encrypted: bool, sources: usize) -> Result<Figure> {
    let (one, _) = memory(trial, is_encrypted, 1)?;
    let (all, sources) = memory(trial, is_encrypted, sources)?;
    Ok(Figure::of((all - one) / number(sources as u64 - 1), Unit::Kibibytes))
}

fn memory(trial: &Trial, is_encrypted: bool, sources: usize) -> Result<(f64, usize)> {
    let crowd = Crowd::start(is_encrypted)?;
    let (process, sources) = start(trial, &crowd, sources)?;
    thread::sleep(SETTLE);
    Ok((process.memory()?, sources))
}

/// Starts the client and waits until its sources are configured. Returns how many they are.
fn start(trial: &Trial, crowd: &Crowd, sources: usize) -> Result<(Process, usize)> {
    let few = if trial.client == Client::Python { sources.min(1_000) } else { sources };
    let sources = if few > 1 { trial.count(few).max(2) } else { few };
    let process = trial.start(&crowd.url, sources, crowd.authority.as_deref())?;
    crowd.wait_for(sources).with_context(|| process.log())?;
    Ok((process, sources))
}
