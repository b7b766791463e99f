//! Queries: a number of them under way at any time, alone or beside one that sleeps; and rows, streamed.

use std::time::Instant;

use anyhow::{Result, ensure};

use vantiq_connector_tests::{
    dialogue::query,
    frame::{BINARY, lay},
};

use crate::{
    peer::{Peer, Status, answered},
    trial::{Figure, Trial, Unit, Window},
    workload::{ROWS, ROWS_IN_A_PARTIAL},
};

/// How long the handler of the slow query sleeps.
const SLEEP_MS: u64 = 2_000;

/// So many queries under way.
pub(crate) fn answered_at_once(trial: &Trial, at_once: usize) -> Result<Figure> {
    run(trial, at_once, false)
}

/// So many quick ones, beside one that takes 2 s.
pub(crate) fn beside_a_slow_one(trial: &Trial, at_once: usize) -> Result<Figure> {
    run(trial, at_once, true)
}

/// The query whose answer goes to this number.
pub(crate) fn frame(address: usize, more: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    let object = format!(r#"{{"sequence":{address}{more}}}"#);
    lay(&mut frame, BINARY, query(&address.to_string(), &object).as_bytes());
    frame
}

/// From the first query of a process to the answer to the last of so many.
pub(crate) fn first(trial: &Trial, queries: usize, at_once: usize) -> Result<Figure> {
    let mut peer = Peer::attach(trial, 0)?;
    let frame = frame(0, "");
    let (window, queries) = (Window::begin(&peer.process), trial.count(queries));
    peer.outbox.extend(frame.repeat(at_once));
    let (mut asked, mut answers) = (at_once, 0);
    while answers < queries {
        peer.send()?;
        peer.receive()?;
        while peer.message()?.is_some() {
            answers += 1;
            if asked < queries {
                asked += 1;
                peer.outbox.extend(&frame);
            }
        }
    }
    let took = window.elapsed().as_secs_f64() * 1e3;
    let figure = window.end(queries as u64);
    Ok(Figure { value: took, unit: Unit::Milliseconds, ..figure })
}

fn run(trial: &Trial, at_once: usize, slow: bool) -> Result<Figure> {
    let mut peer = Peer::attach(trial, 0)?;
    let mut frames: Vec<_> = (0..at_once).map(|address| frame(address, "")).collect();
    if slow {
        frames.push(frame(at_once, &format!(r#","sleepMs":{SLEEP_MS}"#)));
    }
    peer.outbox.extend(frames.concat());
    let began = Instant::now();
    let mut asked = vec![began; frames.len()];
    let mut window = None;
    let mut latencies = Vec::new();
    loop {
        peer.send()?;
        peer.receive()?;
        let now = Instant::now();
        while let Some(message) = peer.message()? {
            let (status, address) = answered(message)?;
            ensure!(status == Status::Last, "a partial answer to a query for one row");
            let took = now - std::mem::replace(&mut asked[address], now);
            if address < at_once && window.is_some() {
                latencies.push(took);
            }
            peer.outbox.extend(&frames[address]);
        }
        match &window {
            None if began.elapsed() > trial.warm_up() => window = Some(Window::begin(&peer.process)),
            Some(window) if window.elapsed() > trial.length => {
                return Ok(window.end(latencies.len() as u64).with_latencies(latencies));
            }
            _ => {}
        }
    }
}

/// Rows of one query after the other.
pub(crate) fn rows(trial: &Trial) -> Result<Figure> {
    let mut peer = Peer::attach(trial, 0)?;
    let frame = frame(0, &format!(r#","rows":{ROWS}"#));
    let began = Instant::now();
    while began.elapsed() < trial.warm_up() {
        stream(&mut peer, &frame)?;
    }
    let (window, mut rows) = (Window::begin(&peer.process), 0);
    while window.elapsed() < trial.length {
        stream(&mut peer, &frame)?;
        rows += ROWS;
    }
    Ok(window.end(rows))
}

fn stream(peer: &mut Peer, frame: &[u8]) -> Result<()> {
    peer.outbox.extend(frame);
    let mut partials = 0;
    loop {
        peer.send()?;
        peer.receive()?;
        while let Some(message) = peer.message()? {
            match answered(message)?.0 {
                Status::Partial => partials += 1,
                Status::Last => {
                    let expected = ROWS / ROWS_IN_A_PARTIAL;
                    ensure!(partials == expected, "{partials} partial answers and not {expected}");
                    return Ok(());
                }
            }
        }
    }
}
