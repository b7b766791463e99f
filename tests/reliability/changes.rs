//! Configurations that change while messages of every kind flow.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{Stream, future::join_all, stream};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    join,
    sync::{Mutex, watch},
    task::JoinSet,
    time::{Interval, MissedTickBehavior, interval, sleep, timeout},
};
use vantiq_connector::{CancellationToken, prelude::*};
use vantiq_connector_tests::{Connector, hasty, within};
use vantiq_simulator::{QueryReply, Simulator, SimulatorError, SimulatorErrorKind};

use crate::{
    run::{Run, block_on},
    told::{Told, check, event, told},
};

/// One source whose handlers live as long as their session, and one whose handlers are persistent.
const SOURCES: [&str; 2] = ["brief", "lasting"];
/// From one publish and query to the next, and from one event to the next.
const MESSAGE_EVERY: Duration = Duration::from_millis(2);
const EVENT_EVERY: Duration = Duration::from_millis(1);
/// One in so many changes is changed again before anybody can have it.
const CHANGED_AGAIN: u32 = 8;
/// One in so many changes comes while more publishes wait than can be handled within the grace: they pass on to
/// the next session then. Each takes so long.
const OVERTAKES: u64 = 20;
const OVERTAKEN: u64 = 50;
const OVERTAKEN_PAUSE: Duration = Duration::from_millis(50);
/// Far more than any query takes, even on a loaded machine, and less than [`OVERTAKEN`] publishes.
const GRACE: Duration = Duration::from_secs(2);
/// After such a change the next one comes while the session between the two still waits for its turn, of whose
/// grace so much is left then.
const NEXT_CHANGE: Duration = Duration::from_secs(1);
/// More publishes than ever wait.
const PUBLISHES: usize = 100_000;
/// At most so many publishes come between `reconnectRequired` and the next `connectExtension`.
const MOST_EARLY: u64 = 3;
/// More than are ever under way: none is to be refused.
const QUERIES_AT_ONCE: usize = 100_000;
/// Far more than any run sends.
const RECORDING: usize = 1 << 30;
/// Within which every receipt is to come, from the first event to the last.
const IN_TIME: Duration = Duration::from_mins(5);
/// Longest wait of the simulator for one thing.
const DEADLINE: Duration = Duration::from_mins(1);

/// A configuration, with its number.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Config {
    number: u64,
    /// How long `connect` takes.
    pause: Duration,
}

/// A publish or a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Message {
    number: u64,
    /// The number of the last configuration that the server had sent before.
    configuration: u64,
    /// How long it takes.
    pause: Duration,
}

/// What happened to a handler.
#[derive(Debug, Clone, Copy)]
enum Happened {
    Began,
    Connected,
    Published(Message),
    Asked(Message),
    Closed,
}

/// What happened to the handlers of each source, with the number of their configuration, in order.
#[derive(Debug, Default)]
struct Notes(watch::Sender<HashMap<String, Noted>>);

#[derive(Debug, Default)]
struct Noted {
    all: Vec<(u64, Happened)>,
    published: usize,
}

impl Notes {
    fn note(&self, source: &Source, config: Config, happened: Happened) {
        self.0.send_modify(|notes| {
            let noted = notes.entry(source.name().to_owned()).or_default();
            noted.all.push((config.number, happened));
            noted.published += usize::from(matches!(happened, Happened::Published(_)));
        });
    }

    fn of(&self, source: &str) -> Vec<(u64, Happened)> {
        self.0.borrow().get(source).map(|noted| noted.all.clone()).unwrap_or_default()
    }

    /// Waits until so many publishes of a source came to a handler.
    async fn published(&self, source: &str, times: usize) {
        let mut notes = self.0.subscribe();
        let came = notes.wait_for(|notes| notes.get(source).is_some_and(|noted| noted.published >= times));
        within(came).await.expect("the notes hold the sender");
    }
}

/// Notes what happens to it.
#[derive(VantiqSource)]
#[vantiq_source("brief", config = Config, publish = Message, query = Message)]
struct Brief {
    source: Source,
    config: Config,
    notes: Arc<Notes>,
}

/// The same, persistent.
#[derive(VantiqSource)]
#[vantiq_source("lasting", persistent, config = Config, publish = Message, query = Message)]
struct Lasting(Brief);

impl Brief {
    fn note(&self, happened: Happened) {
        self.notes.note(&self.source, self.config, happened);
    }
}

impl SourceHandler for Brief {
    async fn connect(source: Source, config: Config) -> Result<Self> {
        let notes = source.shared::<Notes>()?;
        let handler = Self { source, config, notes };
        handler.note(Happened::Began);
        sleep(config.pause).await;
        handler.note(Happened::Connected);
        Ok(handler)
    }

    async fn publish(&self, message: Message) -> Result<()> {
        self.note(Happened::Published(message));
        sleep(message.pause).await;
        Ok(())
    }

    async fn query(&self, query: Message, _: &mut Rows) -> Result<Answer> {
        self.note(Happened::Asked(query));
        sleep(query.pause).await;
        Answer::row(&query)
    }

    async fn close(self) {
        self.note(Happened::Closed);
    }
}

impl SourceHandler for Lasting {
    async fn connect(source: Source, config: Config) -> Result<Self> {
        Ok(Self(Brief::connect(source, config).await?))
    }

    async fn publish(&self, message: Message) -> Result<()> {
        self.0.publish(message).await
    }

    async fn query(&self, query: Message, rows: &mut Rows) -> Result<Answer> {
        self.0.query(query, rows).await
    }

    async fn close(self) {
        self.0.close().await;
    }
}

pub(crate) fn lose_and_mistake_nothing(run: &Run) -> String {
    block_on(change_under_load(run))
}

async fn change_under_load(run: &Run) -> String {
    let (changes, mut random) = (run.count(200), run.random());
    let simulator = Simulator::builder().recording_limit(RECORDING).deadline(DEADLINE);
    let first = json!(Config { number: 1, pause: Duration::ZERO });
    let simulator = SOURCES.iter().fold(simulator, |simulator, name| simulator.source(*name, first.clone()));
    let simulator = simulator.start().await.expect("there is a port");
    let notes = Arc::<Notes>::default();
    let handlers = hasty::<Brief>()
        .source::<Lasting>()
        .max_queries(QUERIES_AT_ONCE)
        .publish_queue(PUBLISHES, 64 << 20)
        .grace(GRACE);
    let connector = Connector::start(handlers.shared_arc(Arc::clone(&notes)), &simulator, &SOURCES);

    let loads = SOURCES.map(|name| Load::new(&simulator, &notes, name, random.random()));
    let sent =
        join_all(loads.iter().map(|load| load.run(connector.source(load.source.name()), changes))).await;
    for (name, sent) in SOURCES.iter().zip(&sent) {
        notes.published(name, sent.published.len()).await;
    }
    let links = SOURCES.map(|name| connector.source(name).status().counts.links);
    connector.stop().await.expect("nothing is left undone");
    let no_links = simulator.wait_for("no link", |simulator| simulator.links() == 0);
    no_links.await.expect("every link ends");

    assert_eq!(links, [1, 1], "all on one link");
    assert_eq!(simulator.violations(), [] as [String; 0]);
    for (name, sent) in SOURCES.iter().zip(&sent) {
        sent.judge_notifications(&simulator, name);
        sent.judge_calls(&notes.of(name));
    }
    let sum = |of: fn(&Sent) -> usize| sent.iter().map(of).sum::<usize>();
    format!(
        "{} changes, {} publishes, {} queries, {} notifications: 0 lost, 0 inversions, 0 at a handler of an earlier \
         configuration; {} messages came to a later one",
        changes * SOURCES.len() as u64,
        sum(|sent| sent.published.len()),
        sum(|sent| sent.asked.len()),
        sum(|sent| sent.told.len()),
        SOURCES.iter().map(|name| crossed(&notes.of(name))).sum::<usize>(),
    )
}

/// Messages that were handled by a later handler than the one that was there when they were sent.
fn crossed(notes: &[(u64, Happened)]) -> usize {
    let crossed = notes.iter().filter(|(handler, happened)| match happened {
        Happened::Published(message) | Happened::Asked(message) => message.configuration < *handler,
        _ => false,
    });
    crossed.count()
}

/// All that flows on one source, and its changes of configuration.
struct Load<'a> {
    simulator: &'a Simulator,
    source: vantiq_simulator::Source,
    notes: &'a Notes,
    seed: u64,
    /// Number of the last configuration that the server has sent.
    delivered: AtomicU64,
    done: CancellationToken,
    /// In the order of the wire.
    published: Mutex<Vec<Message>>,
}

/// A query and what came of it.
type Asked = (Message, Result<QueryReply, SimulatorError>);

/// What a server sent to an attached link, and what came of the events.
struct Sent {
    published: Vec<Message>,
    asked: Vec<Asked>,
    told: Vec<Told>,
    last_configuration: u64,
}

impl<'a> Load<'a> {
    fn new(simulator: &'a Simulator, notes: &'a Notes, name: &str, seed: u64) -> Self {
        let (delivered, done) = (AtomicU64::new(1), CancellationToken::new());
        let published = Mutex::default();
        Self { simulator, source: simulator.source(name), notes, seed, delivered, done, published }
    }

    async fn run(&self, source: Source, changes: u64) -> Sent {
        self.source.wait_attached().await.expect("it connects");
        let first = self.ask_one(0).await;
        // When the connector knows that answers are not acknowledged, it never holds them back, and the grace is
        // enough for each.
        let receipt = source.notify(&"first").await.expect("the source is open");
        within(receipt).await.expect("it is delivered");
        let told = told(self.events(source), self.simulator);
        let ((), asked, last_configuration, told) =
            join!(self.publish(), self.ask(), self.change(changes), timeout(IN_TIME, told));
        let told = told.expect("every receipt comes");
        // It comes behind all publishes: when it is answered, they have come, too.
        let last = self.ask_one(asked.len() + 1).await;
        let asked = [first].into_iter().chain(asked).chain([last]).collect();
        let published = self.published.lock().await.clone();
        Sent { published, asked, told, last_configuration }
    }

    /// Changes the configuration again and again. Returns the number of the last one.
    async fn change(&self, changes: u64) -> u64 {
        let (mut random, mut number) = (SmallRng::seed_from_u64(self.seed), 1);
        for change in 0..changes {
            sleep(Duration::from_millis(random.random_range(0..=300))).await;
            if change % OVERTAKES == OVERTAKES / 2 {
                self.overtake().await;
                number = self.configure(number, 1, &mut random).await;
                sleep(NEXT_CHANGE).await;
                number = self.configure(number, 1, &mut random).await;
                let sent = self.published.lock().await.len();
                self.notes.published(self.source.name(), sent).await;
            } else {
                let times = if random.random_ratio(1, CHANGED_AGAIN) { 2 } else { 1 };
                number = self.configure(number, times, &mut random).await;
            }
        }
        self.done.cancel();
        number
    }

    /// Changes the configuration so many times without waiting for the connector, and then waits for it. Returns
    /// the number of the last one.
    async fn configure(&self, mut number: u64, times: u64, random: &mut SmallRng) -> u64 {
        let sessions = self.source.sessions();
        for _ in 0..times {
            number += 1;
            let pause = Duration::from_millis(random.random_range(0..=10));
            let configured = self.source.configure(json!(Config { number, pause }));
            configured.await.expect("it is attached");
            self.publish_early(random.random_range(0..=MOST_EARLY)).await;
        }
        self.source.wait_sessions(sessions + 1).await.expect("it attaches again");
        self.delivered.store(number, Ordering::SeqCst);
        number
    }

    async fn publish(&self) {
        let mut random = SmallRng::seed_from_u64(self.seed + 1);
        let mut ticks = ticks(MESSAGE_EVERY);
        while !self.done.is_cancelled() {
            ticks.tick().await;
            let pause = Duration::from_millis(u64::from(random.random_ratio(1, 20)));
            self.publish_one(pause, async |message| is_sent(self.source.publish(message).await)).await;
        }
    }

    /// Publishes at once what takes longer than the grace.
    async fn overtake(&self) {
        for _ in 0..OVERTAKEN {
            let send = async |message| is_sent(self.source.publish(message).await);
            self.publish_one(OVERTAKEN_PAUSE, send).await;
        }
    }

    /// A server that has just sent `reconnectRequired` may have more on its way.
    async fn publish_early(&self, times: u64) {
        for _ in 0..times {
            let send = async |message| {
                let frame = json!({"op": "publish", "resourceId": self.source.name(), "object": message});
                self.source.send_raw(frame.to_string()).await.ok()
            };
            self.publish_one(Duration::ZERO, send).await;
        }
    }

    /// One after the other, for the order of the wire is to be known.
    async fn publish_one(&self, pause: Duration, send: impl AsyncFnOnce(Value) -> Option<()>) {
        let mut published = self.published.lock().await;
        let message = self.message(published.len(), pause);
        if send(json!(message)).await.is_some() {
            published.push(message);
        }
    }

    async fn ask_one(&self, number: usize) -> Asked {
        let message = self.message(number, Duration::ZERO);
        (message, self.source.query(json!(message)).await)
    }

    async fn ask(&self) -> Vec<Asked> {
        let (mut random, mut asked) = (SmallRng::seed_from_u64(self.seed + 2), JoinSet::new());
        let (mut ticks, mut number) = (ticks(MESSAGE_EVERY), 1);
        while !self.done.is_cancelled() {
            ticks.tick().await;
            let pause = if random.random_ratio(1, 10) { random.random_range(0..100) } else { 0 };
            let message = self.message(number, Duration::from_millis(pause));
            if let Some(query) = is_sent(self.source.start_query(json!(message)).await) {
                asked.spawn(async move { (message, query.await) });
                number += 1;
            }
        }
        asked.join_all().await
    }

    /// Events with their receipts.
    fn events(&self, source: Source) -> impl Stream<Item = (u64, Receipt)> {
        stream::unfold((source, ticks(EVENT_EVERY), 0), async |(source, mut ticks, number)| {
            if self.done.is_cancelled() {
                return None;
            }
            ticks.tick().await;
            let receipt = source.notify(&event(number)).await.expect("the source is open");
            Some(((number, receipt), (source, ticks, number + 1)))
        })
    }

    fn message(&self, number: usize, pause: Duration) -> Message {
        let configuration = self.delivered.load(Ordering::SeqCst);
        Message { number: number as u64, configuration, pause }
    }
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// What was sent; `None` where the server had nobody to send it to, and its caller was told so.
fn is_sent<T>(result: Result<T, SimulatorError>) -> Option<T> {
    match result {
        Ok(sent) => Some(sent),
        Err(error) if matches!(error.kind(), SimulatorErrorKind::NoSession { .. }) => None,
        Err(other) => panic!("{other}"),
    }
}

impl Sent {
    fn judge_notifications(&self, simulator: &Simulator, name: &str) {
        let report = check(simulator, name, &self.told).report();
        report.assert_clean();
        assert!(report.given_up.is_empty() && report.duplicates.is_empty(), "{name}: {report}");
    }

    /// Every call came to one handler, which had its configuration, and no earlier one than the server had
    /// sent before the call.
    fn judge_calls(&self, notes: &[(u64, Happened)]) {
        let (mut published, mut asked) = (Vec::new(), Vec::new());
        let (mut present, mut last) = (None, 0);
        for &(handler, happened) in notes {
            match happened {
                Happened::Began => {
                    assert!(present.is_none() && handler > last, "{handler} began beside {present:?}");
                    last = handler;
                }
                Happened::Connected => present = Some(handler),
                Happened::Published(message) | Happened::Asked(message) => {
                    assert_eq!(present, Some(handler), "{message:?} came when it was not its turn");
                    assert!(message.configuration <= handler, "{message:?} came to handler {handler}");
                }
                Happened::Closed => present = None,
            }
            match happened {
                Happened::Published(message) => published.push(message),
                Happened::Asked(message) => asked.push(message),
                _ => {}
            }
        }
        assert_eq!((present, last), (None, self.last_configuration), "the last one was closed");
        let differs = published.iter().zip(&self.published).position(|(handled, sent)| handled != sent);
        let differs = differs.unwrap_or_else(|| published.len().min(self.published.len()));
        assert!(
            published == self.published,
            "every publish is handled once, in order: {:?} came where {:?} was sent, {} of {} came",
            published.get(differs),
            self.published.get(differs),
            published.len(),
            self.published.len()
        );
        for (message, reply) in &self.asked {
            let reply = reply.as_ref().expect("every query is answered");
            assert_eq!((reply.status, &reply.body), (200, &json!(message)));
        }
        asked.sort_unstable_by_key(|message| message.number);
        let mut expected: Vec<_> = self.asked.iter().map(|(message, _)| *message).collect();
        expected.sort_unstable_by_key(|message| message.number);
        assert!(asked == expected, "every query is asked once");
    }
}
