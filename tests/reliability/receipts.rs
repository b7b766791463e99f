//! Receipts of events that are delivered, refused, dropped, too old, or left when the connector stops.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use rand::RngExt;
use tokio::{join, time::sleep};
use vantiq_connector::{
    CancellationToken, ConnectorError, DeliveryError, OverflowPolicy, Source, SourceCounts,
};
use vantiq_connector_tests::{Connector, Quiet, hasty, within};
use vantiq_simulator::{Acknowledge, CutKind, EventPredicate, RefuseBy, Simulator};

use crate::{
    bad_network::{BadNetwork, SOURCE},
    run::{Run, block_on},
    told::{Told, check, event, number, told},
};

/// Events of one connector, from its start to its stop, and of one burst in it.
const LIFE: u64 = 2_500;
const BURST: u64 = 250;
/// From one burst to the next. The network takes about as many events.
const PAUSE: Duration = Duration::from_millis(50);
/// How long some events are of use.
const MOMENT: Duration = Duration::from_millis(50);
/// Less than the network holds up in a bad moment.
const OUTBOX: usize = 600;

/// What receipts said, by kind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcomes {
    delivered: u64,
    rejected: u64,
    dropped: u64,
    expired: u64,
    unknown: u64,
}

pub(crate) fn resolve_once(run: &Run) -> String {
    let (receipts, mut all) = (run.count(100_000), Outcomes::default());
    let (mut life, mut random) = (*run, run.random());
    for _ in 0..receipts / LIFE {
        life.seed = random.random();
        all.add(&block_on(live(&life)));
    }
    let Outcomes { delivered, rejected, dropped, expired, unknown } = all;
    assert!(![delivered, rejected, dropped, expired, unknown].contains(&0), "a kind is missing: {all:?}");
    format!(
        "{receipts} receipts, each resolved once: {delivered} delivered, {rejected} refused, {dropped} dropped, {expired} expired, {unknown} unknown at a stop"
    )
}

/// One connector behind a network that is cut, at a server that refuses some events, until it is stopped with
/// work left undone.
async fn live(run: &Run) -> Outcomes {
    let refuses = Acknowledge::WithErrorWhere {
        refused: EventPredicate::new(|event| number(event).is_some_and(is_refused)),
        status: 429,
        code: "test.refused".into(),
        message: "refused".into(),
    };
    let simulator = Simulator::builder().acknowledge(refuses).request_id_headers(true);
    let network = BadNetwork::start(run, simulator, 500_000).await;
    let policies = [OverflowPolicy::Block, OverflowPolicy::DropOldest, OverflowPolicy::DropNewest];
    let policy = policies[run.random().random_range(..policies.len())];
    let set = hasty::<Quiet>().outbox(OUTBOX, 1 << 20).overflow(policy);
    let connector = Connector::start_with(set, network.config().request_ids(true));
    let source = connector.source(SOURCE);

    let all_accepted = CancellationToken::new();
    let stopped = async {
        network.cut_until(run, || all_accepted.is_cancelled()).await;
        stop(run, &network, connector).await;
    };
    let (told, ()) = join!(notify(&source, &network.simulator, &all_accepted), stopped);
    network.all_ended().await;

    check(&network.simulator, SOURCE, &told).report().assert_clean();
    let outcomes = Outcomes::of(&told, policy);
    assert_eq!(outcomes, Outcomes::counted(&source.status().counts), "seed {}", run.seed);
    outcomes
}

const fn is_refused(number: u64) -> bool {
    number % 11 == 3
}

const fn is_brief(number: u64) -> bool {
    number % 5 == 1
}

/// Notifies all events of a life, in bursts, and awaits their receipts.
async fn notify(source: &Source, simulator: &Simulator, all_accepted: &CancellationToken) -> Vec<Told> {
    let accepted = stream::iter(0..LIFE).then(|number| async move {
        if number.is_multiple_of(BURST) {
            sleep(PAUSE).await;
        }
        let event = event(number);
        let receipt = if is_brief(number) {
            source.notify_within(MOMENT, &event).await
        } else {
            source.notify(&event).await
        };
        if number + 1 == LIFE {
            all_accepted.cancel();
        }
        (number, receipt.expect("the source is open"))
    });
    within(told(accepted, simulator)).await
}

/// Stops the connector, in half of all runs when the server has just gone.
async fn stop(run: &Run, network: &BadNetwork, connector: Connector) {
    if run.seed.is_multiple_of(2) {
        network.proxy.refuse(RefuseBy::ClosedPort).await.expect("the port can be closed");
        network.proxy.cut(CutKind::Reset).await.expect("the links can be cut");
    }
    match connector.stop().await {
        Ok(()) | Err(ConnectorError::Abandoned(_)) => {}
        Err(other) => panic!("{other:?}"),
    }
}

impl Outcomes {
    /// Of all events of a life, for each of which there is exactly one receipt.
    fn of(told: &[Told], policy: OverflowPolicy) -> Self {
        let mut seen: Vec<_> = told.iter().map(|told| told.number).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..LIFE), "one receipt for each event");
        let mut outcomes = Self::default();
        for Told { number, outcome, .. } in told {
            let (count, possible) = match outcome {
                Ok(_) => (&mut outcomes.delivered, !is_refused(*number)),
                Err(DeliveryError::Rejected(_)) => (&mut outcomes.rejected, is_refused(*number)),
                Err(DeliveryError::Dropped) => (&mut outcomes.dropped, policy != OverflowPolicy::Block),
                Err(DeliveryError::Expired) => (&mut outcomes.expired, is_brief(*number)),
                Err(_) => (&mut outcomes.unknown, true),
            };
            assert!(possible, "event {number} cannot have come to this: {outcome:?}");
            *count += 1;
        }
        outcomes
    }

    /// As the source has counted them, once for each time that it resolved one.
    const fn counted(counts: &SourceCounts) -> Self {
        Self {
            delivered: counts.notifications_delivered,
            rejected: counts.notifications_rejected,
            dropped: counts.notifications_dropped,
            expired: counts.notifications_expired,
            unknown: counts.notifications_abandoned,
        }
    }

    const fn add(&mut self, more: &Self) {
        self.delivered += more.delivered;
        self.rejected += more.rejected;
        self.dropped += more.dropped;
        self.expired += more.expired;
        self.unknown += more.unknown;
    }
}
