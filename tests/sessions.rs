//! Sessions: from a configuration to its end.
#![forbid(unsafe_code)]

use serde_json::json;
use vantiq_connector::ConnectorSet;
use vantiq_connector_tests::{Connector, Echo, until, within};
use vantiq_simulator::{Cut, Simulator};

#[tokio::test]
async fn a_lost_link_is_dialled_again_and_the_session_begins_anew() {
    let simulator = Simulator::builder().source("a", json!({"n": 1})).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(ConnectorSet::builder().source::<Echo>(), &simulator, &["a"]);
    for (n, cut) in [Cut::Close, Cut::Abort, Cut::MidFrame].into_iter().enumerate() {
        until(&source, json!({"configured": {"n": 1}})).await;
        source.publish(json!(n)).await.unwrap();
        until(&source, json!({"published": n})).await;
        let sessions = source.sessions();
        source.cut(cut).await.unwrap();
        source.wait_sessions(sessions + 1).await.unwrap();
    }
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
    within(source.wait_detached()).await.unwrap();
}
