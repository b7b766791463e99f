//! Links that are cut while notifications flow.

use std::time::{Duration, Instant};

use tokio::join;
use vantiq_connector_tests::{Connector, Quiet, hasty};
use vantiq_simulator::Simulator;

use crate::{
    bad_network::{BadNetwork, SOURCE},
    run::{Run, block_on},
    told::{check, notify_all},
};

/// Within which all is to be delivered.
const IN_TIME: Duration = Duration::from_mins(2);

pub(crate) fn lose_nothing(run: &Run) -> String {
    block_on(cut(run))
}

async fn cut(run: &Run) -> String {
    let events = run.count(100_000);
    let network = BadNetwork::start(run, Simulator::builder(), 1_000_000).await;
    let connector = Connector::start_with(hasty::<Quiet>(), network.config());
    let (source, began) = (connector.source(SOURCE), Instant::now());
    // The last of a link is in doubt until a quiet moment, which no link sees that is cut.
    let enough = || source.status().counts.notifications_delivered + 1 >= events;
    let (told, ()) =
        join!(notify_all(&source, &network.simulator, 0..events), network.cut_until(run, enough));
    let time = began.elapsed();
    connector.stop().await.expect("everything is delivered");
    network.all_ended().await;

    let report = check(&network.simulator, SOURCE, &told).report();
    report.assert_clean();
    assert_eq!(report.given_up, [] as [u64; 0], "{report}");
    assert!(time < IN_TIME, "it took {time:?}");
    let (cuts, duplicates) = (network.proxy.cuts().len(), report.duplicates.len());
    format!(
        "{events} notifications, {cuts} cuts, 0 lost, 0 inversions, {duplicates} duplicates, all of tails, in {:.0} s",
        time.as_secs_f64()
    )
}
