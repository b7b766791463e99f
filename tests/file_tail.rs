//! The example `file-tail`: no line is lost, whatever happens to its link or its process, and only what was not
//! acknowledged is sent again.
#![forbid(unsafe_code)]

#[path = "../examples/file-tail/offset.rs"]
mod offset;
#[path = "../examples/file-tail/tail.rs"]
mod tail;

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::json;
use tail::Tail;
use vantiq_connector_tests::{Connector, config, config_at, hasty, within};
use vantiq_simulator::{Acknowledge, EventPredicate, FaultProxy, Notification, Simulator};

/// A file in a folder of its own, which goes away with it.
struct Growing {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl Growing {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("growing.log");
        let file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        Self { path, file, lines: 0 }
    }

    fn append(&mut self, lines: usize) {
        for _ in 0..lines {
            self.lines += 1;
            writeln!(self.file, "line {}", self.lines).unwrap();
        }
    }

    fn len(&self) -> u64 {
        self.file.metadata().unwrap().len()
    }

    fn stored(&self) -> u64 {
        let text = fs::read_to_string(self.path.with_extension("offset")).unwrap_or_default();
        text.parse().unwrap_or_default()
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.path.parent().unwrap_or(Path::new("")));
    }
}

fn number(notification: &Notification) -> usize {
    let line = notification.object["line"].as_str().unwrap();
    line.strip_prefix("line ").unwrap().parse().unwrap()
}

/// The numbers of the lines that came, each where it came first.
fn firsts(notifications: &[Notification]) -> Vec<usize> {
    let mut firsts = Vec::new();
    for number in notifications.iter().map(number) {
        if !firsts.contains(&number) {
            firsts.push(number);
        }
    }
    firsts
}

/// Waits until all that was appended is stored as delivered.
async fn delivered(file: &Growing) {
    let stored = async {
        while file.stored() < file.len() {
            tokio::task::yield_now().await;
        }
    };
    within(stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_arrives_in_order_over_cut_links_and_a_new_process() {
    const LINES: usize = 200;
    let mut file = Growing::new("file-tail-lines");
    let simulator =
        Simulator::builder().source("file-tail", json!({"file": file.path})).start().await.unwrap();
    let source = simulator.source("file-tail");
    let proxy = FaultProxy::start(simulator.addr()).await.unwrap();
    let connector =
        Connector::start_with(hasty::<Tail>(), config_at(&proxy.url(), simulator.token(), &["file-tail"]));
    for round in 1..=5 {
        file.append(LINES);
        source.wait_notifications((LINES * round / 2) as u64).await.unwrap();
        proxy.cut_at_random().await.unwrap();
        source.wait_attached().await.unwrap();
    }
    delivered(&file).await;
    assert_eq!(source.sessions(), connector.source("file-tail").status().counts.links);
    connector.stop().await.unwrap();
    // While nobody looks it grows on.
    file.append(LINES);
    let before = source.notification_count();
    let connector = Connector::start_with(hasty::<Tail>(), config(&simulator, &["file-tail"]));
    delivered(&file).await;
    connector.stop().await.unwrap();
    assert_eq!(source.notification_count() - before, LINES as u64, "what was acknowledged is not sent again");
    assert_eq!(firsts(&source.notifications()), (1..=LINES * 6).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_line_that_is_refused_holds_up_nobody() {
    let mut file = Growing::new("file-tail-refused");
    let simulator =
        Simulator::builder().source("file-tail", json!({"file": file.path})).start().await.unwrap();
    let source = simulator.source("file-tail");
    source.acknowledge(Acknowledge::WithErrorWhere {
        refused: EventPredicate::new(|event| event["line"] == "line 2"),
        status: 400,
        code: "com.example.no".into(),
        message: "no".into(),
    });
    let connector = Connector::start_with(hasty::<Tail>(), config(&simulator, &["file-tail"]));
    file.append(3);
    delivered(&file).await;
    connector.stop().await.unwrap();
    assert_eq!(firsts(&source.notifications()), [1, 3]);
}
