//! The example `file-tail`: no line is lost, whatever happens to its link or its process, and only what was not
//! acknowledged is sent again.
#![forbid(unsafe_code)]

#[path = "../examples/file-tail/lines.rs"]
mod lines;
#[path = "../examples/file-tail/offset.rs"]
mod offset;
#[path = "../examples/file-tail/tail.rs"]
mod tail;

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use offset::Position;
use serde_json::json;
use tail::Tail;
use tokio::net::TcpListener;
use vantiq_connector::{ConnectorError, SourceState};
use vantiq_connector_tests::{Connector, Log, Peer, config, config_at, hasty, within};
use vantiq_simulator::{Acknowledge, EventPredicate, FaultProxy, Notification, Simulator, Source};

/// A file in a folder of its own, which goes away with it.
struct Growing {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl Growing {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("growing.log");
        Self { file: Self::create(&path), path, lines: 0 }
    }

    fn create(path: &Path) -> File {
        OpenOptions::new().create(true).append(true).open(path).unwrap()
    }

    fn append(&mut self, lines: usize) {
        for _ in 0..lines {
            self.lines += 1;
            writeln!(self.file, "line {}", self.lines).unwrap();
        }
    }

    fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.file.write_all(bytes.as_ref()).unwrap();
    }

    /// Gives the file another name. Returns it; what is appended goes into a new one.
    fn rotate(&mut self) -> File {
        fs::rename(&self.path, self.beside("1")).unwrap();
        std::mem::replace(&mut self.file, Self::create(&self.path))
    }

    /// The file of this name with one more extension.
    fn beside(&self, extension: &str) -> PathBuf {
        self.path.with_added_extension(extension)
    }

    fn len(&self) -> u64 {
        self.file.metadata().unwrap().len()
    }

    /// The offset stored, where it is one in this file.
    async fn stored(&self) -> Option<u64> {
        let position: Position = serde_json::from_slice(&fs::read(self.beside("offset")).ok()?).ok()?;
        let mut file = tokio::fs::File::open(&self.path).await.ok()?;
        position.is_in(&mut file).await.unwrap().then_some(position.offset)
    }

    /// Waits until this offset is stored.
    async fn has_stored(&self, offset: u64) {
        let stored = async {
            while self.stored().await != Some(offset) {
                tokio::task::yield_now().await;
            }
        };
        within(stored).await;
    }

    /// Waits until all that was appended is stored as delivered.
    async fn delivered(&self) {
        self.has_stored(self.len()).await;
    }

    async fn server(&self) -> (Simulator, Source) {
        let simulator = Simulator::builder().source("file-tail", json!({"file": self.path}));
        let simulator = simulator.start().await.unwrap();
        let source = simulator.source("file-tail");
        (simulator, source)
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.path.parent().unwrap_or(Path::new("")));
    }
}

fn tail(simulator: &Simulator) -> Connector {
    Connector::start(hasty::<Tail>(), simulator, &["file-tail"])
}

fn line(notification: &Notification) -> String {
    notification.object["line"].as_str().unwrap().to_owned()
}

/// The lines that came, each time they came.
fn lines(source: &Source) -> Vec<String> {
    source.notifications().iter().map(line).collect()
}

/// `line 1` and so on, by their numbers.
fn numbered(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("line {number}")).collect()
}

/// Waits until lines with this part were logged so many times.
async fn logged(log: &Log, part: &str, times: usize) {
    let logged = async {
        while log.text().matches(part).count() < times {
            tokio::task::yield_now().await;
        }
    };
    within(logged).await;
}

/// The lines that came, each where it came first.
fn firsts(source: &Source) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    lines(source).into_iter().filter(|line| seen.insert(line.clone())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_arrives_in_order_over_cut_links_and_a_new_process() {
    const LINES: usize = 200;
    let mut file = Growing::new("file-tail-lines");
    let (simulator, source) = file.server().await;
    let proxy = FaultProxy::start(simulator.addr()).await.unwrap();
    let connector =
        Connector::start_with(hasty::<Tail>(), config_at(&proxy.url(), simulator.token(), &["file-tail"]));
    for round in 1..=5 {
        file.append(LINES);
        source.wait_notifications((LINES * round / 2) as u64).await.unwrap();
        proxy.cut_at_random().await.unwrap();
        source.wait_attached().await.unwrap();
    }
    file.delivered().await;
    assert_eq!(connector.source("file-tail").status().counts.sessions, 1, "the handler outlives its links");
    connector.stop().await.unwrap();
    // While nobody looks it grows on.
    file.append(LINES);
    let before = source.notification_count();
    let connector = tail(&simulator);
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(source.notification_count() - before, LINES as u64, "what was acknowledged is not sent again");
    assert_eq!(firsts(&source), numbered(1..=LINES * 6));
}

#[tokio::test]
async fn a_line_that_is_refused_holds_up_nobody() {
    let mut file = Growing::new("file-tail-refused");
    let (simulator, source) = file.server().await;
    source.acknowledge(Acknowledge::WithErrorWhere {
        refused: EventPredicate::new(|event| event["line"] == "line 2"),
        status: 400,
        code: "com.example.no".into(),
        message: "no".into(),
    });
    let connector = tail(&simulator);
    file.append(3);
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&source), numbered([1, 3]));
}

/// It began anew without a pause, hundreds of times in three seconds, and no other line came.
#[tokio::test]
async fn a_line_that_is_too_large_is_left_out() {
    let log = Log::capture();
    let mut file = Growing::new("file-tail-large");
    let (simulator, source) = file.server().await;
    file.write(format!("line 1\n{}\nline 2\n", "x".repeat(300_000)));
    let connector = tail(&simulator);
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&source), numbered(1..=2));
    assert_eq!(source.sessions(), 1);
    let line = log.line("left out a line that is too large offset=7 size=300001").await;
    assert!(line.contains("ERROR"), "{line}");
    assert!(!log.text().contains("xxxxxxxx"), "what is in it is nobody's business");
}

/// Whatever the server takes, the outbox has no room for it.
#[tokio::test]
async fn a_line_that_is_too_large_for_memory_is_left_out() {
    let log = Log::capture();
    let mut file = Growing::new("file-tail-longest");
    let (simulator, source) = file.server().await;
    file.write(format!("line 1\n{}\nline 2\n", "x".repeat(17 << 20)));
    let settings = config(&simulator, &["file-tail"]).max_message_bytes(64 << 20);
    let connector = Connector::start_with(hasty::<Tail>(), settings);
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&source), numbered(1..=2));
    log.line("left out a line that is too large offset=7 size=17825793").await;
}

/// The server's end of the one link of a connector that follows `file`.
async fn by_hand(file: &Growing) -> (Connector, Peer) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let settings = config_at(&url, "token", &["file-tail"]).set("ackProfile", "notifications");
    let connector = Connector::start_with(hasty::<Tail>(), settings);
    let (connection, _) = within(listener.accept()).await.unwrap();
    let mut peer = Peer::attaching(connection).await;
    peer.configure(json!({"file": file.path})).await;
    (connector, peer)
}

/// Nothing was stored until the reader ran out of lines.
#[tokio::test]
async fn what_is_confirmed_is_stored_while_later_lines_wait_for_their_receipts() {
    let mut file = Growing::new("file-tail-load");
    file.append(9);
    let (connector, mut peer) = by_hand(&file).await;
    for line in numbered(1..=9) {
        assert_eq!(peer.event().await["line"], line);
    }
    for (acknowledged, stored) in [(3, 21), (4, 49), (2, 63)] {
        peer.acknowledge(acknowledged).await;
        peer.idle_until(file.has_stored(stored)).await;
    }
    let stopping = tokio::spawn(connector.stop());
    peer.until_closed().await;
    within(stopping).await.unwrap().unwrap();
}

/// The last receipts came when nobody waited for them any more.
#[tokio::test]
async fn a_stop_waits_for_the_last_receipts_and_stores_the_offset() {
    let log = Log::capture();
    let mut file = Growing::new("file-tail-stop");
    file.append(9);
    let (connector, mut peer) = by_hand(&file).await;
    for line in numbered(1..=9) {
        assert_eq!(peer.event().await["line"], line);
    }
    let stopping = tokio::spawn(connector.stop());
    log.line("the session ends").await;
    assert_ne!(file.stored().await, Some(63));
    peer.acknowledge(9).await;
    peer.until_closed().await;
    within(stopping).await.unwrap().unwrap();
    assert_eq!(file.stored().await, Some(63));
}

#[tokio::test]
async fn lines_come_as_they_were_written_and_only_whole() {
    let mut file = Growing::new("file-tail-parts");
    let (simulator, source) = file.server().await;
    let connector = tail(&simulator);
    file.write("first\npart");
    file.has_stored(6).await;
    file.write("ly\r\n\n  caf\u{e9} \t\r\n");
    file.write(b"not UTF-8: \xff\xfe\n\rlast\r\r\nunended");
    file.has_stored(file.len() - 7).await;
    connector.stop().await.unwrap();
    let expected = ["first", "partly", "", "  caf\u{e9} \t", "not UTF-8: \u{fffd}\u{fffd}", "\rlast\r"];
    assert_eq!(lines(&source), expected);
    // Its beginning was read before the stop.
    file.write(" no more\n");
    let connector = tail(&simulator);
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&source)[expected.len()..], ["unended no more"]);
}

/// The old file's offset was applied to the new one, or nothing was read any more.
#[tokio::test]
async fn a_rotated_file_is_read_to_its_end_and_the_next_one_from_its_start() {
    let mut file = Growing::new("file-tail-rotated");
    let (simulator, source) = file.server().await;
    let connector = tail(&simulator);
    file.append(3);
    file.delivered().await;
    let mut old = file.rotate();
    // Whoever writes it has not noticed yet, and does not end its last line.
    old.write_all(b"line 4\nline 5").unwrap();
    file.lines = 5;
    file.append(9);
    file.delivered().await;
    file.append(1);
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&source), numbered(1..=15));
    assert_eq!(source.sessions(), 1);
}

#[tokio::test]
async fn a_file_that_was_rotated_while_nobody_looked_is_read_to_its_end() {
    let mut file = Growing::new("file-tail-away");
    let (simulator, source) = file.server().await;
    let connector = tail(&simulator);
    file.append(3);
    file.delivered().await;
    connector.stop().await.unwrap();
    file.append(3);
    file.rotate();
    file.append(3);
    let connector = tail(&simulator);
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&source), numbered(1..=9));
}

#[tokio::test]
async fn a_file_of_which_no_line_was_confirmed_is_found_again_by_another_name() {
    let mut file = Growing::new("file-tail-first");
    file.append(3);
    let (connector, mut peer) = by_hand(&file).await;
    for line in numbered(1..=3) {
        assert_eq!(peer.event().await["line"], line);
    }
    file.has_stored(0).await;
    drop(peer);
    assert!(matches!(connector.stop().await, Err(ConnectorError::Abandoned(_))));
    file.rotate();
    file.append(3);
    let (simulator, source) = file.server().await;
    let connector = tail(&simulator);
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&source), numbered(1..=6));
}

#[tokio::test]
async fn a_new_file_is_read_from_its_start_where_the_old_one_is_gone() {
    let log = Log::capture();
    let mut file = Growing::new("file-tail-gone");
    let (simulator, source) = file.server().await;
    let connector = tail(&simulator);
    file.append(3);
    file.delivered().await;
    connector.stop().await.unwrap();
    file.rotate();
    fs::remove_file(file.beside("1")).unwrap();
    // More than the offset.
    file.append(9);
    let connector = tail(&simulator);
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&source), numbered(1..=12));
    assert!(log.line("the file it stopped in is gone").await.contains("WARN"));
}

/// Where files have numbers, their content may be the same.
#[cfg(unix)]
#[tokio::test]
async fn a_new_file_that_begins_as_the_old_one_is_another() {
    let mut file = Growing::new("file-tail-alike");
    let (simulator, source) = file.server().await;
    let connector = tail(&simulator);
    file.append(3);
    file.delivered().await;
    file.rotate();
    file.lines = 0;
    file.append(5);
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&source), numbered((1..=3).chain(1..=5)));
}

#[tokio::test]
async fn a_file_that_is_cut_short_is_read_from_its_start() {
    let mut file = Growing::new("file-tail-short");
    let (simulator, source) = file.server().await;
    let connector = tail(&simulator);
    file.append(9);
    file.delivered().await;
    file.file.set_len(0).unwrap();
    file.append(3);
    file.delivered().await;
    // Again, and beyond the old length at once.
    fs::write(&file.path, "line 13\nline 14\nline 15\nline 16\n").unwrap();
    file.delivered().await;
    connector.stop().await.unwrap();
    // The same while nobody looks.
    fs::write(&file.path, "line 17\nline 18\nline 19\nline 20\nline 21\n").unwrap();
    let connector = tail(&simulator);
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&source), numbered(1..=21));
}

/// What is left of it is as before, but another line may have taken the place of the last one.
#[tokio::test]
async fn a_file_that_loses_its_end_is_read_from_its_start() {
    let mut file = Growing::new("file-tail-end");
    let (simulator, source) = file.server().await;
    let connector = tail(&simulator);
    // More bytes than are compared.
    file.append(200);
    let length = file.len();
    file.append(1);
    file.delivered().await;
    file.file.set_len(length).unwrap();
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&source), numbered((1..=201).chain(1..=200)));
}

#[tokio::test]
async fn an_offset_file_that_holds_something_else_is_as_none() {
    let log = Log::capture();
    let mut file = Growing::new("file-tail-damaged");
    let (simulator, source) = file.server().await;
    file.append(3);
    let other = r#"{"offset": 14, "inode": 1, "head": 1}"#;
    let beyond = r#"{"offset": 1000000, "inode": 0, "head": 0}"#;
    for (round, text) in ["", "14", "{\"offset\": 1", "\0\0\0\0", other, beyond].into_iter().enumerate() {
        fs::write(file.beside("offset"), text).unwrap();
        let connector = tail(&simulator);
        file.delivered().await;
        connector.stop().await.unwrap();
        assert_eq!(lines(&source)[3 * round..], numbered(1..=3), "{text:?}");
    }
    assert_eq!(log.text().matches("holds no offset").count(), 4);
    assert_eq!(log.text().matches("the file it stopped in is gone").count(), 2);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_tried_again() {
    let mut file = Growing::new("file-tail-unreadable");
    fs::remove_file(&file.path).unwrap();
    let (simulator, _) = file.server().await;
    let connector = tail(&simulator);
    let source = connector.source("file-tail");
    let unavailable = async |part: &str| {
        let is = |state: &SourceState| matches!(state, SourceState::Unavailable(why) if why.contains(part));
        within(source.wait_for(is)).await;
    };
    unavailable("cannot open").await;
    fs::create_dir(&file.path).unwrap();
    unavailable("is not a file").await;
    fs::create_dir(file.beside("offset")).unwrap();
    fs::remove_dir(&file.path).unwrap();
    file.file = Growing::create(&file.path);
    file.append(3);
    unavailable("cannot read").await;
    fs::remove_dir(file.beside("offset")).unwrap();
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&simulator.source("file-tail")), numbered(1..=3));
}

/// It asked for a new session each time, as fast as the server could answer.
#[tokio::test]
async fn after_an_error_it_pauses_and_goes_on_by_itself() {
    const ERROR: &str = "beginning again after the last line confirmed";
    let log = Log::capture();
    let mut file = Growing::new("file-tail-error");
    let (simulator, source) = file.server().await;
    let connector = tail(&simulator);
    file.append(3);
    file.delivered().await;
    fs::remove_file(&file.path).unwrap();
    fs::create_dir(&file.path).unwrap();
    log.line(ERROR).await;
    let first = Instant::now();
    logged(&log, ERROR, 2).await;
    assert!(first.elapsed() >= Duration::from_millis(990), "{:?}", first.elapsed());
    fs::remove_dir(&file.path).unwrap();
    file.file = Growing::create(&file.path);
    file.append(3);
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&source), numbered(1..=6));
    assert_eq!(source.sessions(), 1);
}

/// As after a kill at that moment.
#[tokio::test]
async fn a_line_whose_offset_was_not_stored_after_its_receipt_comes_twice() {
    const ERROR: &str = "the offset is not stored";
    let log = Log::capture();
    let mut file = Growing::new("file-tail-twice");
    let (simulator, source) = file.server().await;
    let connector = tail(&simulator);
    file.append(3);
    file.delivered().await;
    // Nothing can be written there.
    fs::create_dir(file.beside("offset.tmp")).unwrap();
    file.append(3);
    logged(&log, ERROR, 1).await;
    file.append(3);
    source.wait_notifications(9).await.unwrap();
    assert_eq!(lines(&source), numbered(1..=9), "nothing is sent again for that");
    assert_eq!(file.stored().await, Some(21));
    connector.stop().await.unwrap();
    fs::remove_dir(file.beside("offset.tmp")).unwrap();
    let connector = tail(&simulator);
    file.delivered().await;
    connector.stop().await.unwrap();
    assert_eq!(lines(&source), numbered((1..=9).chain(4..=9)));
    let errors = log.text().matches(ERROR).count();
    // It heals by itself.
    let connector = tail(&simulator);
    fs::create_dir(file.beside("offset.tmp")).unwrap();
    file.append(1);
    logged(&log, ERROR, errors + 1).await;
    fs::remove_dir(file.beside("offset.tmp")).unwrap();
    file.delivered().await;
    connector.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_acknowledges_nothing_stops_nothing_but_is_warned_of_where_it_cannot_be_asked() {
    for (pings, warnings) in [("true", 0), ("false", 1)] {
        let log = Log::capture();
        let mut file = Growing::new(&format!("file-tail-mute-{pings}"));
        let (simulator, source) = file.server().await;
        source.acknowledge(Acknowledge::Nothing);
        let settings = config(&simulator, &["file-tail"]).set("ackProfile", "none").set("sendPings", pings);
        let connector = Connector::start_with(hasty::<Tail>(), settings);
        file.append(3);
        file.delivered().await;
        connector.stop().await.unwrap();
        assert_eq!(lines(&source), numbered(1..=3));
        assert_eq!(log.text().matches("lines may be lost").count(), warnings, "sendPings={pings}");
    }
}
