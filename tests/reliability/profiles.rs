//! Servers that acknowledge in every way there is, behind a network that is cut.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::json;
use tokio::{join, select, time::timeout};
use vantiq_connector::{AckProfile, Delivery, DeliveryError};
use vantiq_connector_tests::{Connector, Quiet, hasty};
use vantiq_simulator::{Acknowledge, Check, EventPredicate, Simulator};

use crate::{
    bad_network::{BadNetwork, SOURCE},
    run::{Run, block_on},
    told::{Told, fill_receipts, notify_all, number},
};

/// Until all receipts are there: a server that leaves acknowledgements out is waited for 30 s, for each window
/// anew.
const PATIENCE: Duration = Duration::from_mins(3);
/// All events take about as long as the cuts go on.
const BANDWIDTH: u64 = 50_000;
/// Every so many events are merged, left out or refused.
const EVERY: u64 = 7;

/// A way to acknowledge, and what the connector knows of it.
#[derive(Debug, Clone)]
struct Profile {
    acknowledge: Acknowledge,
    request_ids: bool,
    known: AckProfile,
}

/// What came of a profile.
#[derive(Debug)]
struct Figures {
    cuts: usize,
    /// From the last cut to the last receipt.
    last_receipt: Duration,
}

pub(crate) fn lose_nothing(run: &Run) -> String {
    block_on(every_profile(run))
}

async fn every_profile(run: &Run) -> String {
    let events = run.count(10_000);
    let profiles = profiles();
    let runs = profiles.iter().zip(run.seed..).map(|(profile, seed)| {
        let mut run = *run;
        run.seed = seed;
        async move { cut(&run, profile, events).await }
    });
    let figures = join_all(runs).await;
    let cuts: usize = figures.iter().map(|figures| figures.cuts).sum();
    let slow = figures.iter().filter(|figures| figures.last_receipt > Duration::from_secs(10)).count();
    let slowest = figures.iter().map(|figures| figures.last_receipt).max().unwrap_or_default();
    format!(
        "{} profiles of {events} notifications, {cuts} cuts, 0 lost, 0 released early; receipts at most {:.0} s late, {slow} profiles more than 10 s",
        profiles.len(),
        slowest.as_secs_f64()
    )
}

/// Each with and without request ids, and those the connector can be told of.
fn profiles() -> Vec<Profile> {
    let (status, code, message) = (429, "test.refused".to_owned(), "refused".to_owned());
    let refused = EventPredicate::new(|event| is_refused(number(event).unwrap_or_default()));
    let ways = [
        Acknowledge::NotificationsOnly,
        Acknowledge::Everything,
        Acknowledge::Nothing,
        Acknowledge::Delayed(Duration::from_millis(30)),
        Acknowledge::OmittedEvery(EVERY),
        Acknowledge::Merged(EVERY),
        Acknowledge::WithError { status, code: code.clone(), message: message.clone() },
        Acknowledge::WithErrorEvery { every: EVERY, status, code: code.clone(), message: message.clone() },
        Acknowledge::WithErrorWhere { refused, status, code, message },
    ];
    let unknown = ways.iter().flat_map(|acknowledge| {
        [false, true].map(|request_ids| (acknowledge.clone(), request_ids, AckProfile::Auto))
    });
    let known = [
        (Acknowledge::NotificationsOnly, false, AckProfile::Notifications),
        (Acknowledge::Everything, false, AckProfile::All),
        (Acknowledge::Nothing, false, AckProfile::None),
    ];
    unknown
        .chain(known)
        .map(|(acknowledge, request_ids, known)| Profile { acknowledge, request_ids, known })
        .collect()
}

const fn is_refused(number: u64) -> bool {
    number % EVERY == 3
}

async fn cut(run: &Run, profile: &Profile, events: u64) -> Figures {
    let simulator =
        Simulator::builder().acknowledge(profile.acknowledge.clone()).request_id_headers(profile.request_ids);
    let network = BadNetwork::start(run, simulator, BANDWIDTH).await;
    let config = network.config().ack_profile(profile.known).request_ids(profile.request_ids);
    let connector = Connector::start_with(hasty::<Quiet>(), config);
    let source = connector.source(SOURCE);

    let enough = || {
        let accepted = source.status().counts.notifications == events;
        accepted && network.proxy.cuts().len() as u64 >= run.count(200)
    };
    let attacked = async {
        select! {
            () = network.cut_until(run, enough) => Instant::now(),
            never = ask(&network.simulator) => never,
        }
    };
    let told = timeout(PATIENCE, notify_all(&source, &network.simulator, 0..events));
    let (told, attacked) = join!(told, attacked);
    let told = told.unwrap_or_else(|_| panic!("{profile:?}: receipts are missing, {:?}", source.status()));
    let last_receipt = attacked.elapsed();
    connector.stop().await.expect("everything is settled");
    network.all_ended().await;

    judge(&network.simulator, profile, &told);
    Figures { cuts: network.proxy.cuts().len(), last_receipt }
}

/// Asks one query after the other: their answers may be acknowledged, too.
async fn ask<T>(simulator: &Simulator) -> T {
    let source = simulator.source(SOURCE);
    loop {
        source.wait_attached().await.expect("the connector attaches again");
        // Links are cut under many of them.
        let _ = source.query(json!("query")).await;
    }
}

fn judge(simulator: &Simulator, profile: &Profile, told: &[Told]) {
    let (mut check, mut accepted) = (Check::new(), HashMap::new());
    fill_receipts(&mut check, told);
    let notifications = simulator.source(SOURCE).notifications();
    let arrivals: HashMap<_, _> = notifications.iter().map(|it| (it.number, it.acknowledged)).collect();
    // What the server refused has arrived, too.
    for message in simulator.received().iter().filter(|message| message.op() == Some("notification")) {
        let event = number(&message.json["object"]).expect("every event has a number");
        check.received(message.link, event);
        if arrivals.get(&message.number) == Some(&true) {
            check.acknowledged(message.link, event);
        }
        accepted.insert(event, arrivals.contains_key(&message.number));
    }
    for end in simulator.link_ends() {
        check.cut(end.link);
    }
    let report = check.report();
    assert!(report.is_clean() && report.given_up.is_empty(), "{profile:?}: {report}");
    for told in told {
        judge_receipt(profile, told, accepted[&told.number]);
    }
}

/// The receipt says what the server did with the last arrival of the event, and with no other event.
fn judge_receipt(profile: &Profile, told: &Told, accepted: bool) {
    let expected = match &told.outcome {
        Ok(Delivery::Acknowledged) => accepted && profile.acknowledge != Acknowledge::Nothing,
        Ok(_) => true,
        Err(DeliveryError::Rejected(_)) => !accepted,
        Err(_) => false,
    };
    assert!(expected, "{profile:?}: accepted {accepted}, {told:?}");
}
