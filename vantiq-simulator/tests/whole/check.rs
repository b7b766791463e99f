//! The check, fed by the simulator itself, about a connector that the test plays over cut connections.

use serde_json::{Value, json};
use vantiq_simulator::{
    Acknowledge, BlackHole, Check, CutKind, Direction, DuplicateCause, FaultProxy, Line, ReceiptSays,
    Simulator, Source,
};

use crate::client::{Client, PATH, connect, simulator, validate};

/// A connector without a memory of its own, behind a proxy.
struct Play {
    simulator: Simulator,
    proxy: FaultProxy,
    source: Source,
    client: Client,
    check: Check,
}

impl Play {
    async fn begin() -> Self {
        let simulator = simulator().await;
        let proxy = FaultProxy::builder(simulator.addr()).seed(1).start().await.expect("a free port");
        let source = simulator.source("thermostat");
        let client = attach(&simulator, &proxy).await;
        Self { simulator, proxy, source, client, check: Check::new() }
    }

    async fn send(&mut self, numbers: std::ops::RangeInclusive<u64>) {
        for number in numbers {
            self.client.notify("thermostat", json!({ "number": number })).await;
        }
    }

    async fn acknowledgements(&mut self, number: usize) {
        for _ in 0..number {
            assert_eq!(self.client.next().await, json!({"status": 200}));
        }
    }

    async fn cut(&mut self) {
        self.proxy.cut(CutKind::Reset).await.expect("there is something to cut");
        self.source.wait_detached().await.expect("the server notices");
        self.client = attach(&self.simulator, &self.proxy).await;
    }

    fn finish(mut self, sent: u64) -> Check {
        (1..=sent).for_each(|number| self.check.sent(number));
        self.check.server(&self.simulator, "thermostat", number);
        self.check
    }
}

async fn attach(simulator: &Simulator, proxy: &FaultProxy) -> Client {
    let mut client = Client::dial_at(proxy.addr(), PATH).await.expect("the upgrade succeeds");
    client.send(validate(simulator.token())).await;
    assert_eq!(client.next().await["status"], 200);
    client.send(connect("thermostat", Some("secret"))).await;
    assert_eq!(client.next().await["op"], "configureExtension");
    client
}

fn number(event: &Value) -> Option<u64> {
    event["number"].as_u64()
}

#[tokio::test]
async fn a_connector_that_sends_its_tail_again_is_clean() {
    let mut play = Play::begin().await;
    play.send(1..=3).await;
    play.acknowledgements(3).await;
    for number in 1..=3 {
        play.check.receipt(number, ReceiptSays::Delivered, play.simulator.links_opened());
    }
    play.source.acknowledge(Acknowledge::Nothing);
    play.send(4..=6).await;
    play.source.wait_notifications(6).await.expect("they arrive");
    play.cut().await;
    play.source.acknowledge(Acknowledge::NotificationsOnly);
    play.send(4..=7).await;
    play.acknowledgements(4).await;

    let report = play.finish(7).report();
    report.assert_clean();
    let causes: Vec<_> =
        report.duplicates.iter().map(|duplicate| (duplicate.number, duplicate.cause)).collect();
    assert_eq!(causes, [4, 5, 6].map(|number| (number, DuplicateCause::Unacknowledged)));
    assert_eq!(
        report.to_string(),
        "7 sent, 10 received by 2 links, 3 receipts: 0 lost, 0 given up, 0 inverted, 3 duplicates of tails, 0 undue duplicates"
    );
}

#[tokio::test]
async fn a_connector_that_forgets_its_tail_loses_it() {
    let mut play = Play::begin().await;
    play.send(1..=3).await;
    play.acknowledgements(3).await;
    play.proxy.set_line(Direction::ToServer, Line::clear().black_hole(BlackHole::Swallows));
    play.send(4..=5).await;
    play.proxy.cut(CutKind::Reset).await.expect("there is something to cut");
    play.proxy.set_lines(&Line::clear());
    play.source.wait_detached().await.expect("the server notices");
    play.client = attach(&play.simulator, &play.proxy).await;
    play.send(6..=6).await;
    play.acknowledgements(1).await;
    let report = play.finish(6).report();
    assert_eq!((report.lost.as_slice(), report.is_clean()), ([4, 5].as_slice(), false));
}

#[tokio::test]
async fn a_connector_that_sends_everything_again_repeats_without_need() {
    let mut play = Play::begin().await;
    play.send(1..=2).await;
    play.acknowledgements(2).await;
    for number in 1..=2 {
        play.check.receipt(number, ReceiptSays::Delivered, play.simulator.links_opened());
    }
    play.cut().await;
    play.send(1..=3).await;
    play.acknowledgements(3).await;
    let report = play.finish(3).report();
    let undue: Vec<_> =
        report.undue_duplicates().map(|duplicate| (duplicate.number, duplicate.cause)).collect();
    assert_eq!(undue, [1, 2].map(|number| (number, DuplicateCause::AfterReceipt)));
}

#[tokio::test]
#[should_panic(expected = "notifications are forgotten")]
async fn a_recording_that_is_too_short_is_no_evidence() {
    let builder = Simulator::builder().any_source(true).recording_limit(1_500);
    let simulator = builder.start().await.expect("a free port");
    let mut client = Client::attached(&simulator, "any").await;
    for number in 0..10 {
        client.notify("any", json!({ "number": number })).await;
        client.next().await;
    }
    Check::new().server(&simulator, "any", number);
}
