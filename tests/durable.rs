//! The outbox file: what was accepted survives the process, whatever ends it.
#![forbid(unsafe_code)]
#![cfg(unix)]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};
use vantiq_connector_tests::{until, within};
use vantiq_simulator::{Acknowledge, Simulator, Source, UpgradeReply};

/// What one process may accept at most, and the distance between the numbers of two of them.
const MOST: u64 = 100_000;

/// The working directory of one connector after the other, emptied at the start of its test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("durable").join(test);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// A connector that notifies `count` numbers from `first` on.
    fn start(&self, simulator: &Simulator, first: u64, count: u64) -> Running {
        let (url, token) = (simulator.url(), simulator.token());
        let settings = format!(
            "targetServer={url}\nauthToken={token}\nsources=a\ntcpProbePort=0\nproxy=none\nreconnectSecret=s\n\
             outboxFile=state/outbox\nfirst={first}\ncount={count}\n"
        );
        std::fs::write(self.0.join("server.config"), settings).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_durable-connector"));
        command.arg("server.config").current_dir(&self.0).env_clear().kill_on_drop(true);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let accepted = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Running { child, accepted }
    }
}

/// A connector that runs, and what it says it has accepted.
struct Running {
    child: Child,
    accepted: Lines<BufReader<ChildStdout>>,
}

impl Running {
    async fn next(&mut self) -> Option<u64> {
        let line = within(self.accepted.next_line()).await.unwrap();
        line.map(|line| line.parse().expect("a number"))
    }

    /// `kill -9` after it accepted so many. Returns all that it accepted.
    async fn kill_after(mut self, count: u64) -> Vec<u64> {
        let mut accepted = Vec::new();
        while (accepted.len() as u64) < count {
            accepted.push(self.next().await.expect("it goes on"));
        }
        self.child.start_kill().unwrap();
        // What it had said by then lies in the pipe.
        while let Some(number) = self.next().await {
            accepted.push(number);
        }
        within(self.child.wait()).await.unwrap();
        accepted
    }

    /// Asks it to stop. Returns its exit code.
    async fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        while self.next().await.is_some() {}
        within(self.child.wait()).await.unwrap().code()
    }
}

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Numbers that look random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn numbers(source: &Source) -> Vec<u64> {
    let events = source.notifications();
    events.iter().map(|event| event.object.as_u64().expect("a number")).collect()
}

/// `kill -9` at any moment: nothing that `notify` had accepted is lost, and nothing overtakes. Only what was
/// accepted and not known to be acknowledged comes twice. `KILLS` says how often, `KILLS_SEED` when.
#[tokio::test]
async fn a_kill_loses_nothing_that_was_accepted() {
    let kills = setting("KILLS").unwrap_or(10);
    let seed = setting("KILLS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("kill -9: {kills} kills with KILLS_SEED={seed}");
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let (source, folder) = (simulator.source("a"), Folder::new("kills"));
    let mut accepted = Vec::new();
    for kill in 0..kills {
        // The server is away, slow, never acknowledges, or all is well.
        let server = dice.below(4);
        simulator.on_upgrade(if server == 0 { UpgradeReply::Status(503) } else { UpgradeReply::Accept });
        source.acknowledge(match server {
            1 => Acknowledge::Delayed(Duration::from_millis(20)),
            2 => Acknowledge::Nothing,
            _ => Acknowledge::NotificationsOnly,
        });
        let running = folder.start(&simulator, kill * MOST, MOST);
        accepted.extend(running.kill_after(dice.below(80)).await);
    }
    simulator.on_upgrade(UpgradeReply::Accept);
    source.acknowledge(Acknowledge::NotificationsOnly);
    let running = folder.start(&simulator, kills * MOST, 1);
    until(&source, json!(kills * MOST)).await;
    assert_eq!(running.stop().await, Some(0));

    let arrived = numbers(&source);
    let mut times: BTreeMap<u64, usize> = BTreeMap::new();
    let first: Vec<u64> = arrived
        .iter()
        .copied()
        .filter(|number| {
            let times = times.entry(*number).or_default();
            *times += 1;
            *times == 1
        })
        .collect();
    let lost: BTreeSet<_> = accepted.iter().filter(|number| !times.contains_key(number)).collect();
    let inversions = first.windows(2).filter(|pair| pair[0] > pair[1]).count();
    println!(
        "{} accepted, {} arrived, {} twice or more, {} lost, {inversions} inversions",
        accepted.len(),
        first.len(),
        arrived.len() - first.len(),
        lost.len()
    );
    assert!(lost.is_empty(), "KILLS_SEED={seed}: {lost:?}");
    assert_eq!(inversions, 0, "KILLS_SEED={seed}");
}

/// Stopped in good order while the server is away: the events stay, and nothing counts as abandoned.
#[tokio::test]
async fn a_stop_keeps_what_the_server_did_not_take() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let (source, folder) = (simulator.source("a"), Folder::new("stop"));
    simulator.on_upgrade(UpgradeReply::Status(503));
    let mut running = folder.start(&simulator, 0, 100);
    while running.next().await != Some(99) {}
    assert_eq!(running.stop().await, Some(0));
    assert_eq!(source.notification_count(), 0);
    simulator.on_upgrade(UpgradeReply::Accept);
    let running = folder.start(&simulator, 100, 1);
    source.wait_notifications(101).await.unwrap();
    assert_eq!(running.stop().await, Some(0));
    assert_eq!(numbers(&source), (0..=100).collect::<Vec<_>>());
    // All was acknowledged, so nothing is left.
    let running = folder.start(&simulator, 200, 1);
    source.wait_notifications(102).await.unwrap();
    assert_eq!(running.stop().await, Some(0));
    assert_eq!(numbers(&source).last(), Some(&200));
}

/// A second process on the same file ends with code 74 and a clear error.
#[tokio::test]
async fn a_second_process_is_told_so() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let folder = Folder::new("second");
    let mut first = folder.start(&simulator, 0, 1);
    assert_eq!(first.next().await, Some(0));
    let mut second = folder.start(&simulator, 100, 1);
    assert_eq!(second.next().await, None);
    assert_eq!(within(second.child.wait()).await.unwrap().code(), Some(74));
    assert_eq!(first.stop().await, Some(0));
}
