//! A server that is started anew again and again, and what that leaves behind in the connector.

use std::{
    fs,
    time::{Duration, Instant},
};

use rand::{RngExt, rngs::SmallRng};
use serde_json::{Value, json};
use tokio::{runtime::Handle, time::sleep};
use vantiq_connector::{SourceState, prelude::*};
use vantiq_connector_tests::{Connector, config, hasty, until, within};
use vantiq_simulator::{Cut, Simulator, UpgradeReply};

use crate::{
    resident::resident,
    run::{Run, block_on},
};

/// The sources, of which the last two have persistent handlers.
const SOURCES: [&str; 4] = ["brief-1", "brief-2", "lasting-1", "lasting-2"];
/// Restarts before anything is measured: allocators and runtimes need some to get what they will keep.
const WARM_UP: u64 = 50;
/// What the process may occupy more afterwards.
const MOST_GROWTH: u64 = 8 << 20;
/// Between two looks at something that nobody tells.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Longest wait for one thing.
const DEADLINE: Duration = Duration::from_mins(1);
/// The same for all servers.
const TOKEN: &str = "token";
/// How links end when their server goes down: by its own good-bye, or before.
const CUTS: [Option<Cut>; 4] = [None, Some(Cut::Close), Some(Cut::Abort), Some(Cut::MidFrame)];

/// Has a task of its own for as long as its session, notifies what is published, and answers queries with
/// themselves.
#[derive(VantiqSource)]
#[vantiq_source("brief-*")]
struct Brief(Source);

/// The same, over lost links.
#[derive(VantiqSource)]
#[vantiq_source("lasting-*", persistent)]
struct Lasting(Brief);

impl SourceHandler for Brief {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        source.spawn(std::future::pending::<()>());
        Ok(Self(source))
    }

    async fn publish(&self, message: Value) -> Result<()> {
        self.0.notify(&message).await?;
        Ok(())
    }

    async fn query(&self, query: Value, _: &mut Rows) -> Result<Answer> {
        Answer::row(&query)
    }
}

impl SourceHandler for Lasting {
    async fn connect(source: Source, config: Value) -> Result<Self> {
        Ok(Self(Brief::connect(source, config).await?))
    }

    async fn publish(&self, message: Value) -> Result<()> {
        self.0.publish(message).await
    }

    async fn query(&self, query: Value, rows: &mut Rows) -> Result<Answer> {
        self.0.query(query, rows).await
    }
}

pub(crate) fn leave_nothing_behind(run: &Run) -> String {
    block_on(restart(run))
}

async fn restart(run: &Run) -> String {
    let (restarts, mut random) = (run.count(1_000), run.random());
    let mut simulator = start(0).await;
    let connector = Connector::start_with(hasty::<Brief>().source::<Lasting>(), config(&simulator, &SOURCES));
    talk(&simulator, &connector, 0).await;
    let mut usual = Occupied::now();
    for number in 1..=WARM_UP {
        simulator = again(simulator, &connector, number, &mut random).await;
        talk(&simulator, &connector, number).await;
        usual = usual.least(Occupied::now());
    }
    let (before, mut most) = (resident(), 0);
    for number in WARM_UP + 1..=WARM_UP + restarts {
        simulator = again(simulator, &connector, number, &mut random).await;
        talk(&simulator, &connector, number).await;
        back_to(usual, number).await;
        most = most.max(resident());
    }
    let growth = most.saturating_sub(before);
    assert!(growth < MOST_GROWTH, "{growth} bytes more");
    assert_counts(&connector, WARM_UP + restarts + 1);
    connector.stop().await.expect("nothing is left undone");
    let (Occupied { tasks, descriptors }, kibibytes) = (usual, growth / 1_024);
    format!(
        "{restarts} restarts under {} sources, connected again each time; {tasks} tasks and {descriptors} descriptors \
         after each, {kibibytes} KiB more",
        SOURCES.len()
    )
}

/// A server that knows of nothing. The first one finds a port for all of them.
async fn start(port: u16) -> Simulator {
    let simulator = Simulator::builder().any_source(true).token(TOKEN).port(port).deadline(DEADLINE);
    simulator.start().await.expect("the port is free")
}

/// The server goes away, and another one comes in its place. Each source notifies meanwhile.
async fn again(simulator: Simulator, connector: &Connector, number: u64, random: &mut SmallRng) -> Simulator {
    // A server that goes down takes nobody any more.
    simulator.on_upgrade(UpgradeReply::Status(503));
    if let Some(cut) = CUTS[random.random_range(..CUTS.len())] {
        simulator.cut_links(cut).await.expect("the links end");
    }
    simulator.stop().await.expect("it stops");
    let noticed = random.random();
    for name in SOURCES {
        let source = connector.source(name);
        source.notify(&away(number)).await.expect("there is room");
        if noticed {
            within(source.wait_for(|state| matches!(state, SourceState::Waiting(_)))).await;
        }
    }
    start(simulator.addr().port()).await
}

/// Sees that everything works: what was notified while the server was away, a publish, and a query.
async fn talk(simulator: &Simulator, connector: &Connector, number: u64) {
    for name in SOURCES {
        let source = simulator.source(name);
        source.wait_attached().await.expect("it connects again");
        connector.connected(name).await;
        if number > 0 {
            until(&source, away(number)).await;
        }
        let published = json!({"published": number});
        source.publish(published.clone()).await.expect("it is attached");
        until(&source, published).await;
        let answer = source.query(number).await.expect("it is answered");
        assert_eq!((answer.status, answer.body), (200, json!(number)), "{name}");
    }
    assert_eq!(simulator.violations(), [] as [String; 0]);
}

fn away(number: u64) -> Value {
    json!({"away": number})
}

/// After so many servers.
fn assert_counts(connector: &Connector, servers: u64) {
    for name in SOURCES {
        let counts = connector.source(name).status().counts;
        let sessions = if name.starts_with("lasting") { 1 } else { servers };
        assert_eq!((counts.links, counts.sessions), (servers, sessions), "{name}: {counts:?}");
        assert_eq!((counts.publishes, counts.queries), (servers, servers), "{name}: {counts:?}");
        assert_eq!(counts.notifications, 2 * servers - 1, "{name}: {counts:?}");
    }
}

/// What the process has open.
#[derive(Debug, Clone, Copy)]
struct Occupied {
    tasks: usize,
    /// 0 where the system does not tell.
    descriptors: usize,
}

impl Occupied {
    fn now() -> Self {
        let descriptors = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        Self { tasks: Handle::current().metrics().num_alive_tasks(), descriptors }
    }

    fn least(self, other: Self) -> Self {
        Self { tasks: self.tasks.min(other.tasks), descriptors: self.descriptors.min(other.descriptors) }
    }
}

/// Waits until no more is open than usual. What has ended may need a moment to be gone.
async fn back_to(usual: Occupied, number: u64) {
    let began = Instant::now();
    loop {
        let now = Occupied::now();
        if now.tasks <= usual.tasks && now.descriptors <= usual.descriptors {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "after {number} restarts {now:?}, usual are {usual:?}");
        sleep(LOOK_EVERY).await;
    }
}
