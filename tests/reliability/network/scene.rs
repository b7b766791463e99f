//! One scene: a connector and its server in a simulated network, as a [`Plan`] says.

use std::{rc::Rc, time::Duration};

use tokio::{
    task::{JoinSet, yield_now},
    time::{Instant, sleep, timeout},
};
use turmoil::{Builder, Sim, net::TcpStream};
use vantiq_connector::{ConnectorError, ConnectorSet, Delivery, DeliveryError, Receipt, Source};
use vantiq_connector_tests::{Connector, config_at};

use super::{
    handler::{Witness, name},
    history::{Event, History, Moment, Outcome},
    plan::{Plan, Trouble, millis},
    server::{PORT, Server},
};
use crate::told::event;

/// Longest time for one scene: the longest waits below together.
const LONGEST: Duration = Duration::from_mins(4);
/// How long the connector is waited for after the repair.
const BACK: Duration = Duration::from_secs(40);
/// How long receipts are waited for: longer than the connector's patience with acknowledgements.
const PATIENCE: Duration = Duration::from_secs(75);
/// From the repair to the stop at least: then the server is at rest.
const REST: Duration = Duration::from_secs(5);
/// How often the connector's side looks around.
const LOOK: Duration = Duration::from_millis(50);
/// For calls in flight when a session ends.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// Segments that a socket holds.
const SEGMENTS: usize = 1_024;

const SERVER: &str = "server";
const CONNECTOR: &str = "connector";

/// Plays the scene. Returns what happened.
///
/// # Errors
/// If it does not come to its end.
pub(super) fn play(plan: &Plan) -> Result<Vec<Moment>, String> {
    let history = History::default();
    let server = Server::new(plan, history.clone());
    let (least, most) = plan.latency;
    let mut sim = Builder::new()
        .simulation_duration(LONGEST)
        .tick_duration(plan.tick)
        .min_message_latency(least)
        .max_message_latency(most)
        .tcp_capacity(SEGMENTS)
        .rng_seed(plan.seed)
        .build();
    let listening = Rc::clone(&server);
    sim.host(SERVER, move || Rc::clone(&listening).listen());
    sim.client(CONNECTOR, connect(plan.clone(), history.clone()));
    let ended = run(&mut sim, plan, &server, &history);
    // What is dropped with the simulation has nobody to tell it to.
    drop(sim);
    ended.map_err(|error| error.to_string())?;
    Ok(history.take())
}

/// Steps through the scene, and makes the trouble.
fn run(sim: &mut Sim<'_>, plan: &Plan, server: &Server, history: &History) -> turmoil::Result {
    let mut troubles = plan.troubles.iter().copied().peekable();
    let mut repaired = false;
    loop {
        while let Some((_, trouble)) = troubles.next_if(|(at, _)| *at <= sim.elapsed()) {
            make(sim, server, trouble);
        }
        if !repaired && sim.elapsed() >= plan.repaired_at {
            repair(sim, server);
            repaired = true;
            history.note_at(sim.elapsed(), Event::Repaired);
        }
        if sim.step()? {
            return Ok(());
        }
    }
}

fn make(sim: &mut Sim<'_>, server: &Server, trouble: Trouble) {
    server.suffer(trouble);
    match trouble {
        Trouble::Hold => sim.hold(CONNECTOR, SERVER),
        Trouble::Partition => sim.partition(CONNECTOR, SERVER),
        Trouble::LosesToServer => sim.partition_oneway(CONNECTOR, SERVER),
        Trouble::LosesToConnector => sim.partition_oneway(SERVER, CONNECTOR),
        // Together with `hold` a mere `repair` would forget what is held.
        Trouble::Release | Trouble::Repair => sim.release(CONNECTOR, SERVER),
        Trouble::Latency(latency) => sim.set_link_max_message_latency(CONNECTOR, SERVER, millis(latency)),
        Trouble::Crash => sim.crash(SERVER),
        Trouble::Bounce if !sim.is_host_running(SERVER) => sim.bounce(SERVER),
        _ => {}
    }
}

fn repair(sim: &mut Sim<'_>, server: &Server) {
    for cure in [Trouble::Release, Trouble::Latency(50), Trouble::Bounce, Trouble::Accept, Trouble::Resume] {
        make(sim, server, cure);
    }
}

/// The connector's side: starts it, notifies, and stops it when all is well again.
async fn connect(plan: Plan, history: History) -> turmoil::Result {
    let connector = start(&plan, &history);
    let mut notifying = JoinSet::new();
    for source in 0..plan.sources {
        let handle = connector.source(&name(source));
        notifying.spawn_local(notify(source, handle, plan.clone(), history.clone()));
    }
    let mut receipts = JoinSet::new();
    let repaired = Instant::now() + plan.repaired_at;
    let mut last = Vec::new();
    while let Some(ended) = notifying.join_next().await {
        let (number, own) = ended?;
        last.push(number);
        receipts.spawn_local(own);
    }
    if timeout(BACK, recovered(&history, &last)).await.is_ok() {
        history.note(Event::Recovered);
    }
    tokio::time::sleep_until(repaired + REST).await;
    if plan.patient && timeout(PATIENCE, all(&mut receipts)).await.is_ok() {
        history.note(Event::Settled);
    }
    history.note(Event::Stopping);
    let clean = match connector.stop().await {
        Ok(()) => true,
        Err(ConnectorError::Abandoned(_)) => false,
        Err(other) => return Err(other.into()),
    };
    history.note(Event::Stopped { clean });
    // Whatever was not resolved by now never will be.
    let _ = timeout(LOOK, all(&mut receipts)).await;
    Ok(())
}

async fn all(receipts: &mut JoinSet<()>) {
    while receipts.join_next().await.is_some() {}
}

fn start(plan: &Plan, history: &History) -> Connector {
    let names: Vec<_> = (0..plan.sources).map(name).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let set = ConnectorSet::builder()
        .source::<Witness>()
        .shared(history.clone())
        .seed(plan.seed)
        .dial_with(|host, port| TcpStream::connect((host, port)))
        .backoff(millis(200), Duration::from_secs(2))
        .heartbeat(Duration::from_secs(2), Duration::from_secs(5))
        .dial_deadline(Duration::from_secs(3))
        .step_deadline(Duration::from_secs(3))
        .bundle(2, millis(50))
        .grace(GRACE);
    let config = config_at(&format!("http://{SERVER}:{PORT}"), "token", &names)
        .send_pings(plan.pings)
        .request_ids(plan.request_ids)
        .ack_profile(plan.profile);
    Connector::start_with(set, config)
}

/// Notifies until all is well again, and once more. Returns the last number, and what awaits all receipts.
async fn notify(
    source: usize,
    handle: Source,
    plan: Plan,
    history: History,
) -> ((usize, u64), impl Future<Output = ()>) {
    let mut receipts = JoinSet::new();
    let repaired = Instant::now() + plan.repaired_at;
    let mut number = 0;
    loop {
        let is_last = Instant::now() > repaired;
        let receipt = handle.notify(&event(number)).await.expect("the source is open");
        history.note(Event::Accepted { source, number });
        receipts.spawn_local(tell(receipt, source, number, history.clone()));
        if is_last {
            break;
        }
        sleep(pause(&plan, number)).await;
        number += 1;
    }
    ((source, number), async move { all(&mut receipts).await })
}

/// Mostly short pauses, so that there are bursts.
const fn pause(plan: &Plan, number: u64) -> Duration {
    let spread = (plan.seed ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    if spread.is_multiple_of(4) { millis(spread % (4 * plan.pause) + 1) } else { millis(spread % 20 + 1) }
}

async fn tell(receipt: Receipt, source: usize, number: u64, history: History) {
    let outcome = match receipt.await {
        Ok(Delivery::Acknowledged) => Outcome::Acknowledged,
        Ok(Delivery::Arrived) => Outcome::Arrived,
        Ok(_) => Outcome::Sent,
        Err(DeliveryError::Rejected(_)) => Outcome::Rejected,
        Err(_) => Outcome::Unknown,
    };
    history.note(Event::Told { source, number, outcome });
}

/// Waits until the server has kept or refused the last notification of each source.
async fn recovered(history: &History, last: &[(usize, u64)]) {
    for (wanted, last) in last {
        let came = |event: &Event| match event {
            Event::Stored { source, number } | Event::Refused { source, number } => {
                (source, number) == (wanted, last)
            }
            _ => false,
        };
        while !history.has(came) {
            sleep(LOOK).await;
        }
    }
    yield_now().await;
}
