//! Processes that are asked to stop in the middle of their work.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};
use vantiq_connector::QueryError;
use vantiq_connector_tests::{Question, Work, within};
use vantiq_simulator::{
    Acknowledge, Cut, PendingQuery, QueryReply, Simulator, SimulatorError, SimulatorErrorKind, UpgradeReply,
};

use crate::run::{Run, block_on};

const SOURCE: &str = "a";
/// What is under way when a process is asked to stop: queries, events that the server has not acknowledged, and
/// publishes behind one that is being handled.
const QUERIES: usize = 50;
const EVENTS: u64 = 1_000;
const PUBLISHES: u64 = 1_000;
/// Processes at once. They wait most of their time.
const AT_ONCE: usize = 4;
/// Far more than the work takes that can be finished, even on a loaded machine.
const AMPLE_GRACE: Duration = Duration::from_secs(15);
/// Still more, though others wait for all of it.
const SHORT_GRACE: Duration = Duration::from_secs(3);

/// What keeps a process from finishing its work, if anything does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    /// Nothing. The server acknowledges so much later.
    None(Duration),
    /// Nothing: the server reads nothing until the process is asked to stop, and then goes on.
    ReadsLate,
    /// The last so many queries never end, nor does this publish, nor perhaps `close`.
    Hangs { queries: usize, publish: Option<u64>, close: bool },
    /// The server reads nothing any more.
    Unread,
    /// The server is gone, just before or just after the process is asked to stop. It may have read what came
    /// before.
    Gone { before: bool, reads: bool },
}

impl Obstacle {
    /// One with which all work can be finished, of the kind of this number.
    fn passable(kind: u64, random: &mut SmallRng) -> Self {
        match kind % 3 {
            0 => Self::None(Duration::ZERO),
            1 => Self::None(Duration::from_millis(random.random_range(1..500))),
            _ => Self::ReadsLate,
        }
    }

    /// One with which it cannot.
    fn impassable(kind: u64, random: &mut SmallRng) -> Self {
        match kind % 4 {
            0 => Self::Hangs {
                queries: random.random_range(1..=QUERIES),
                publish: None,
                close: random.random(),
            },
            1 => Self::Hangs {
                queries: random.random_range(0..QUERIES),
                publish: Some(random.random_range(0..PUBLISHES)),
                close: random.random(),
            },
            2 => Self::Unread,
            _ => Self::Gone { before: random.random(), reads: random.random() },
        }
    }

    const fn is_passable(self) -> bool {
        matches!(self, Self::None(_) | Self::ReadsLate)
    }

    /// Whether the server reads before the process is asked to stop.
    const fn reads(self) -> bool {
        !matches!(self, Self::ReadsLate | Self::Unread | Self::Gone { reads: false, .. })
    }

    const fn hanging_queries(self) -> usize {
        if let Self::Hangs { queries, .. } = self { queries } else { 0 }
    }

    /// The publish that never ends, or as many as there are.
    const fn hanging_publish(self) -> u64 {
        if let Self::Hangs { publish: Some(publish), .. } = self { publish } else { PUBLISHES }
    }

    const fn close_hangs(self) -> bool {
        matches!(self, Self::Hangs { close: true, .. })
    }
}

/// What the last line of a process counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct LeftUndone {
    notifications: u64,
    queries: u64,
    publishes: u64,
    handlers: u64,
}

/// One process and what it is up against.
#[derive(Debug)]
struct Plan {
    folder: PathBuf,
    obstacle: Obstacle,
    /// Of each event beside its number.
    bytes: usize,
    /// Of each query.
    rows: u64,
}

pub(crate) fn answer_or_count_everything(run: &Run) -> String {
    block_on(stop_all(run))
}

async fn stop_all(run: &Run) -> String {
    let (runs, mut random) = (run.count(100), run.random());
    let plans: Vec<_> = (0..runs).map(|number| Plan::draw(number, random.random())).collect();
    let stopped = stream::iter(plans).map(|plan| async move { plan.run().await });
    let all: Vec<_> = stopped.buffer_unordered(AT_ONCE).collect().await;
    let finished = all.iter().filter(|stopped| stopped.left == LeftUndone::default()).count();
    let sum = |of: fn(&Stopped) -> u64| all.iter().map(of).sum::<u64>();
    format!(
        "{runs} runs, {finished} with code 0, {} with code 75; {} queries answered, {} counted and told so, {} lost with \
         the server; {} events stored, {} counted; {} publishes handled, {} counted",
        all.len() - finished,
        sum(|stopped| stopped.answers.answered),
        sum(|stopped| stopped.left.queries),
        sum(|stopped| stopped.answers.lost),
        sum(|stopped| stopped.stored.queued + stopped.stored.published),
        sum(|stopped| stopped.left.notifications),
        sum(|stopped| PUBLISHES - stopped.left.publishes),
        sum(|stopped| stopped.left.publishes),
    )
}

/// What the server had of a process when that was gone.
#[derive(Debug)]
struct Stopped {
    left: LeftUndone,
    answers: Answers,
    stored: Stored,
}

/// What became of the queries.
#[derive(Debug, Default)]
struct Answers {
    /// With all their rows.
    answered: u64,
    /// With [`QueryError::CLOSING`].
    closing: u64,
    /// Not answered when the link ended.
    lost: u64,
}

/// How many different events of each kind the server accepted.
#[derive(Debug)]
struct Stored {
    queued: u64,
    published: u64,
}

impl Plan {
    /// Every other process can finish its work. Each kind of obstacle has its turn.
    fn draw(number: u64, seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let obstacle = if number.is_multiple_of(2) {
            Obstacle::passable(number / 2, &mut random)
        } else {
            Obstacle::impassable(number / 2, &mut random)
        };
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stops").join(number.to_string());
        let bytes = if random.random() { 0 } else { random.random_range(0..5_000) };
        Self { folder, obstacle, bytes, rows: random.random_range(0..20) }
    }

    async fn run(&self) -> Stopped {
        let simulator = self.server().await;
        let source = simulator.source(SOURCE);
        let child = self.start(&simulator);
        source.wait_attached().await.expect("it connects");
        if !self.obstacle.reads() {
            source.stop_reading().expect("there is a link");
        }
        let (child, queries) = self.load(&source, child).await;
        if matches!(self.obstacle, Obstacle::Gone { before: true, .. }) {
            go(&simulator).await;
        }
        terminate(&child);
        match self.obstacle {
            Obstacle::Gone { before: false, .. } => go(&simulator).await,
            Obstacle::ReadsLate => source.speak().expect("there is a link"),
            _ => {}
        }
        let output = within(child.wait_with_output()).await.expect("it ends");
        if self.obstacle == Obstacle::Unread {
            // What lies in the sockets has arrived.
            source.speak().expect("there is a link");
        }
        let no_link = simulator.wait_for("no link", |simulator| simulator.links() == 0);
        no_link.await.expect("every link ends");
        assert_eq!(simulator.violations(), [] as [String; 0], "{self:?}");
        let left = self.left_undone(&output);
        let stopped = Stopped { left, answers: self.answers(queries).await, stored: Stored::at(&source) };
        self.judge(&stopped);
        stopped
    }

    async fn server(&self) -> Simulator {
        let acknowledge = match self.obstacle {
            Obstacle::None(delay) => Acknowledge::Delayed(delay),
            _ => Acknowledge::NotificationsOnly,
        };
        let config = json!({"closes": !self.obstacle.close_hangs()});
        let simulator = Simulator::builder().source(SOURCE, config).acknowledge(acknowledge);
        simulator.start().await.expect("there is a port")
    }

    /// The process, with nothing in its environment but its grace.
    fn start(&self, simulator: &Simulator) -> Child {
        let settings = format!("{}tcpProbePort=0\nproxy=none\n", simulator.server_config());
        fs::create_dir_all(&self.folder).expect("the folder is ours");
        fs::write(self.folder.join("server.config"), settings).expect("the folder is ours");
        let grace = if self.obstacle.is_passable() { AMPLE_GRACE } else { SHORT_GRACE };
        let mut command = Command::new(env!("CARGO_BIN_EXE_loaded-connector"));
        command.current_dir(&self.folder).env_clear().env("GRACE_MS", grace.as_millis().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command.spawn().expect("it was built")
    }

    /// Gives the process all its work, and waits until it has it.
    async fn load(&self, source: &vantiq_simulator::Source, mut child: Child) -> (Child, Vec<PendingQuery>) {
        let load = Work::Load { events: EVENTS, bytes: self.bytes, queries: QUERIES };
        let hanging = self.obstacle.hanging_publish();
        let works =
            (0..PUBLISHES).map(|number| if number == hanging { Work::Hang } else { Work::Notify(number) });
        for work in [load].into_iter().chain(works) {
            source.publish(json!(work)).await.expect("it reads");
        }
        // They come behind all publishes: when they are being answered, the publishes have come.
        let mut queries = Vec::new();
        for number in 0..QUERIES {
            queries.push(source.start_query(json!(self.question(number))).await.expect("it reads"));
        }
        let mut said = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let loaded = within(said.next_line()).await.expect("it says something");
        assert_eq!(loaded.as_deref(), Some("loaded"), "{self:?}");
        (child, queries)
    }

    fn question(&self, number: usize) -> Question {
        let ends = number < QUERIES - self.obstacle.hanging_queries();
        if ends { Question::Rows(self.rows) } else { Question::Hang }
    }

    async fn answers(&self, queries: Vec<PendingQuery>) -> Answers {
        let mut answers = Answers::default();
        for (number, query) in queries.into_iter().enumerate() {
            match (self.question(number), query.await) {
                (Question::Rows(count), Ok(reply)) if !reply.is_error() => {
                    let expected = (0..count).map(Value::from).chain([json!("done")]);
                    assert!(reply.rows().into_iter().eq(expected), "{self:?}: {reply:?}");
                    answers.answered += 1;
                }
                (Question::Hang, Ok(reply)) if is_closing(&reply) => answers.closing += 1,
                (_, Err(error)) if is_link_lost(&error) => answers.lost += 1,
                (question, other) => panic!("{self:?}: {question:?} ended as {other:?}"),
            }
        }
        answers
    }

    /// What the last line counts; nothing where the exit code says that there was nothing.
    fn left_undone(&self, output: &Output) -> LeftUndone {
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(!log.contains("panicked"), "{self:?}: {log}");
        let mut lines = log.lines().rev();
        let code = if self.obstacle.is_passable() { 0 } else { 75 };
        assert_eq!(output.status.code(), Some(code), "{self:?}: {log}");
        if code == 0 {
            return LeftUndone::default();
        }
        let error = lines.next().and_then(|line| line.strip_prefix("error: stopped with work left undone: "));
        let counts = error.unwrap_or_else(|| panic!("{self:?}: {log}"));
        let logged = lines.next().is_some_and(|line| line.contains("WARN") && line.contains(counts));
        assert!(logged, "{self:?}: {log}");
        LeftUndone::read(counts).unwrap_or_else(|| panic!("{self:?}: {counts}"))
    }

    fn judge(&self, stopped: &Stopped) {
        let Stopped { left, answers, stored } = stopped;
        let hanging = self.obstacle.hanging_queries() as u64;
        let handled = self.obstacle.hanging_publish();
        let accepted = EVENTS + handled;
        let here = format!("{self:?}: {stopped:?}");
        assert_eq!(answers.answered + answers.closing + answers.lost, QUERIES as u64, "{here}");
        // What was sent to a server that is gone, or reads no more, may count as answered.
        assert!((hanging..=hanging + answers.lost).contains(&left.queries), "{here}");
        assert_eq!(left.publishes, PUBLISHES - handled, "{here}");
        assert_eq!(left.handlers, u64::from(self.obstacle.close_hangs()), "{here}");
        let undelivered = accepted - stored.queued - stored.published;
        match self.obstacle {
            Obstacle::None(_) | Obstacle::ReadsLate | Obstacle::Hangs { .. } => {
                assert_eq!((answers.closing, answers.lost), (hanging, 0), "{here}");
                assert_eq!((left.notifications, undelivered), (0, 0), "{here}");
            }
            // What it does not acknowledge may have arrived all the same.
            Obstacle::Unread | Obstacle::Gone { reads: false, .. } => {
                assert_eq!(left.notifications, accepted, "{here}");
            }
            Obstacle::Gone { reads: true, .. } => {
                assert!((undelivered..=accepted).contains(&left.notifications), "{here}");
            }
        }
    }
}

/// The server is gone, as if its machine had lost its power and rebooted.
async fn go(simulator: &Simulator) {
    simulator.on_upgrade(UpgradeReply::Status(503));
    simulator.cut_links(Cut::Abort).await.expect("the links end");
    simulator.stop().await.expect("it stops");
}

/// Sends SIGTERM.
fn terminate(child: &Child) {
    let pid = child.id().expect("it runs").to_string();
    let status = std::process::Command::new("kill").args(["-TERM", &pid]).status();
    assert!(status.expect("there is a `kill`").success());
}

fn is_closing(reply: &QueryReply) -> bool {
    reply.error().is_some_and(|error| error.message_code == QueryError::CLOSING)
}

fn is_link_lost(error: &SimulatorError) -> bool {
    matches!(error.kind(), SimulatorErrorKind::LinkLost { .. })
}

impl LeftUndone {
    /// From `1 notifications, 2 queries, 3 publishes, 4 handlers`.
    fn read(text: &str) -> Option<Self> {
        let counts = text.split(", ").map(|part| {
            let (count, what) = part.split_once(' ')?;
            Some((what, count.parse().ok()?))
        });
        let counts: BTreeMap<_, u64> = counts.collect::<Option<_>>()?;
        let count = |what| counts.get(what).copied();
        Some(Self {
            notifications: count("notifications")?,
            queries: count("queries")?,
            publishes: count("publishes")?,
            handlers: count("handlers")?,
        })
    }
}

impl Stored {
    /// # Panics
    /// If events of a kind did not come in order, or with gaps.
    fn at(source: &vantiq_simulator::Source) -> Self {
        let notifications = source.notifications();
        let count = |kind: &str| {
            let numbers = notifications.iter().filter_map(|event| event.object[kind].as_u64());
            let count = numbers.clone().count() as u64;
            assert!(numbers.eq(0..count), "events come once and in order");
            count
        };
        Self { queued: count("queued"), published: count("published") }
    }
}
