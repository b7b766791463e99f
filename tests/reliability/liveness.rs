//! Links whose network fails in one direction, and links that only look as if: handlers slower than the server.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::join_all;
use rand::RngExt;
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, interval, sleep, timeout},
};
use vantiq_connector::{SourceState, prelude::*};
use vantiq_connector_tests::{Connector, Fault, MemoryServer, config_at, hasty, within};
use vantiq_simulator::{BlackHole, Direction, FaultProxy, Line, Simulator};

use crate::{
    caller::Caller,
    run::{Run, block_on, block_on_paused},
};

/// The promise for half-open links.
const NOTICED_WITHIN: Duration = Duration::from_secs(25);
/// A busy link has 1,000 messages a second in each direction: so many at once, every so often.
const BUSY_MESSAGES: usize = 20;
const BUSY_PERIOD: Duration = Duration::from_millis(20);
/// Longer than anything here may take.
const FOR_EVER: Duration = Duration::from_hours(2);

/// Takes as long for a publish as that says, in seconds, and counts those it has handled.
#[derive(VantiqSource)]
#[vantiq_source(publish = Pause)]
struct Slow(Arc<watch::Sender<Vec<u64>>>);

#[derive(serde::Deserialize)]
struct Pause {
    number: u64,
    seconds: u64,
}

impl SourceHandler for Slow {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        Ok(Self(source.shared_or_init(|| watch::Sender::new(Vec::new()))))
    }

    async fn publish(&self, pause: Pause) -> Result<()> {
        sleep(Duration::from_secs(pause.seconds)).await;
        self.0.send_modify(|handled| handled.push(pause.number));
        Ok(())
    }
}

/// `publish` number `number`, which takes the handler so many seconds.
fn publish(number: u64, seconds: u64) -> Value {
    json!({"op": "publish", "object": {"number": number, "seconds": seconds}})
}

// ---- slow handlers ----

pub(crate) fn keeps_the_link_of_a_slow_handler(_: &Run) -> String {
    block_on_paused(async {
        const PUBLISHES: u64 = 300;
        let (server, handled) = (MemoryServer::default(), Arc::new(watch::Sender::new(Vec::<u64>::new())));
        let set = ConnectorSet::builder().source::<Slow>().shared_arc(Arc::clone(&handled));
        let connector = server.connector(set, &["a"]);
        let (caller, began) = (Caller::of(server.attached().await), Instant::now());
        (0..PUBLISHES).for_each(|number| caller.send(publish(number, 2)));
        let mut done = handled.subscribe();
        let all = done.wait_for(|handled| handled.len() as u64 == PUBLISHES);
        let all = timeout(FOR_EVER, all).await.expect("all are handled").expect("there is a sender").clone();
        let took = began.elapsed();
        assert!(all.into_iter().eq(0..PUBLISHES), "in the order of the wire");
        let counts = connector.source("a").status().counts;
        assert_eq!((counts.links, counts.sessions, counts.publishes_failed), (1, 1, 0), "the link is kept");
        connector.stop().await.expect("nothing is left undone");
        format!("{PUBLISHES} of {PUBLISHES} handled in {} s, 1 link", took.as_secs())
    })
}

// ---- half-open links ----

/// What a link does while it becomes half open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// Nothing but pings.
    Idle,
    /// Notifications and publishes, 1,000 of each a second.
    Busy,
    /// Notifications alone, 1,000 a second.
    Notifying,
    /// A publish whose handler takes 60 s.
    Handling,
}

/// A link and its end.
#[derive(Debug, Clone, Copy)]
struct Case {
    doing: Doing,
    fault: Fault,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { doing, fault } = self;
        write!(f, "{fault:?}, {doing:?}")
    }
}

/// All cases. Only one is missing: what swallows all that the connector sends while the server's publishes go on
/// for ever is no half-open link, and any frame counts as life.
fn cases() -> impl Iterator<Item = Case> {
    use Doing::{Busy, Handling, Idle, Notifying};
    let lost = |direction| {
        [Idle, Busy, Notifying, Handling].map(|doing| Case { doing, fault: Fault::Loses(direction) })
    };
    let swallowed = |direction| {
        [Idle, Notifying, Handling].map(|doing| Case { doing, fault: Fault::Swallows(direction) })
    };
    let directions = [Direction::ToServer, Direction::ToClient];
    directions.into_iter().flat_map(move |direction| lost(direction).into_iter().chain(swallowed(direction)))
}

pub(crate) fn notices_half_open_links(run: &Run) -> String {
    let mut slowest = [Duration::ZERO; 4];
    let mut random = run.random();
    let mut number = 0;
    // How long after the last ping it happens decides how long it takes to be noticed.
    for _ in 0..run.count(10) {
        for case in cases() {
            let healthy = Duration::from_millis(random.random_range(100..10_000));
            let noticed = block_on_paused(notices(case, healthy));
            assert!(
                noticed <= NOTICED_WITHIN,
                "{case}: noticed after {noticed:?}, after {healthy:?} of health"
            );
            let slot = &mut slowest[case.doing as usize];
            *slot = noticed.max(*slot);
            number += 1;
        }
    }
    let scaled = block_on(notices_through_tcp());
    let [idle, busy, notifying, handling] = slowest.map(|noticed| noticed.as_secs_f64());
    format!(
        "{number} links noticed, at the latest: idle {idle:.1} s, busy {busy:.1} s, notifying {notifying:.1} s, \
         in a 60 s handler {handling:.1} s; through TCP with a patience of 2 s {scaled:.1} s"
    )
}

/// How long it takes until a link is given up that becomes half open after so much time.
async fn notices(case: Case, healthy: Duration) -> Duration {
    let server = MemoryServer::default();
    let connector = server.connector(ConnectorSet::builder().source::<Slow>(), &["a"]);
    let caller = Caller::of(server.attached().await);
    connector.connected("a").await;
    let _busy = begin(case.doing, &caller, &connector);
    sleep(healthy).await;
    assert_eq!(connector.source("a").status().counts.links, 1, "{case}: nothing is wrong yet");
    server.faults().set(case.fault);
    let since = Instant::now();
    let given_up = connector.source("a");
    let given_up = given_up.wait_for(|state| matches!(state, SourceState::Waiting(_)));
    timeout(FOR_EVER, given_up).await.expect("it is noticed at some time");
    since.elapsed()
}

/// How long it takes at most through real sockets, idle and busy, with a tenth of the default patience.
async fn notices_through_tcp() -> f64 {
    let directions = [Direction::ToServer, Direction::ToClient].into_iter();
    let holes = directions
        .flat_map(|direction| [BlackHole::Holds, BlackHole::Swallows].map(|hole| (direction, hole)));
    let cases = holes
        .flat_map(|(direction, hole)| [false, true].map(|busy| notices_black_hole(direction, hole, busy)));
    join_all(cases).await.into_iter().max().unwrap_or_default().as_secs_f64()
}

async fn notices_black_hole(direction: Direction, black_hole: BlackHole, busy: bool) -> Duration {
    let simulator = Simulator::builder().source("a", json!({})).start().await.expect("it starts");
    let proxy = FaultProxy::start(simulator.addr()).await.expect("it starts");
    let set = hasty::<Slow>().heartbeat(Duration::from_millis(900), Duration::from_secs(2));
    let connector = Connector::start_with(set, config_at(&proxy.url(), simulator.token(), &["a"]));
    connector.connected("a").await;
    let source = connector.source("a");
    let _busy = busy.then(|| Task::every(move || drop(source.try_notify("busy"))));
    proxy.set_line(direction, Line::clear().black_hole(black_hole));
    let since = Instant::now();
    let source = connector.source("a");
    within(source.wait_for(|state| *state != SourceState::Connected)).await;
    let noticed = since.elapsed();
    assert!(
        noticed <= NOTICED_WITHIN,
        "{direction:?}, {black_hole:?}, busy {busy}: noticed after {noticed:?}"
    );
    noticed
}

/// Begins what the link is to do.
fn begin(doing: Doing, caller: &Caller, connector: &Connector) -> Vec<Task> {
    let (source, outgoing) = (connector.source("a"), caller.sender());
    let notifying = move || Task::every(move || drop(source.try_notify("busy")));
    let publishing = move || Task::every(move || drop(outgoing.send(publish(0, 0))));
    match doing {
        Doing::Idle => vec![],
        Doing::Busy => vec![notifying(), publishing()],
        Doing::Notifying => vec![notifying()],
        Doing::Handling => {
            caller.send(publish(0, 60));
            vec![]
        }
    }
}

/// A task that ends with this.
struct Task(AbortHandle);

impl Task {
    /// Does something 1,000 times a second.
    fn every(mut what: impl FnMut() + Send + 'static) -> Self {
        let mut ticks = interval(BUSY_PERIOD);
        Self(
            tokio::spawn(async move {
                loop {
                    ticks.tick().await;
                    (0..BUSY_MESSAGES).for_each(|_| what());
                }
            })
            .abort_handle(),
        )
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
