//! Frames that no honest server would send.

use std::thread;

use vantiq_connector::internals::fuzzing;
use vantiq_connector_tests::{HandServer, Quiet, hasty, send_hostile};
use vantiq_simulator::HostileFrames;

use crate::run::{Run, block_on, named};

/// Of the frames that are decoded, one in so many goes over a link, too.
const OVER_A_LINK: u64 = 100;
/// Threads that decode.
const THREADS: u64 = 2;

pub(crate) fn breaks_nothing(run: &Run) -> String {
    let frames = run.count(10_000_000);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let seed = run.seed.wrapping_add(thread);
            scope.spawn(move || decode(seed, frames / THREADS));
        }
    });
    let sent = frames / OVER_A_LINK;
    let undecodable = block_on(over_a_link(run.seed, sent));
    format!(
        "{frames} decoded, 0 panics; {sent} over one link, which was kept, {undecodable} of them no messages"
    )
}

fn decode(seed: u64, frames: u64) {
    for (number, frame) in (0..frames).zip(HostileFrames::new(seed)) {
        let head = || String::from_utf8_lossy(&frame[..frame.len().min(300)]);
        named(|| format!("frame {number} of seed {seed}: {}", head()), || fuzzing::inbound(&frame));
    }
}

async fn over_a_link(seed: u64, frames: u64) -> u64 {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attached().await;
    let frames = usize::try_from(frames).expect("they are few");
    send_hostile(&mut peer, HostileFrames::new(seed).take(frames)).await;
    let counts = connector.source("a").status().counts;
    assert_eq!(counts.links, 1, "the link is kept");
    server.hang_up(peer, connector).await;
    counts.undecodable
}
