//! Sessions: from a configuration to its end.
#![forbid(unsafe_code)]

use serde_json::json;
use vantiq_connector::prelude::*;
use vantiq_connector_tests::{Connector, within};
use vantiq_simulator::{Cut, Simulator};

/// Notifies what it was configured with, from within `connect`, and what is published to it.
#[derive(VantiqSource)]
#[vantiq_source]
struct Echo(Source);

impl SourceHandler for Echo {
    async fn connect(source: Source, config: Self::Config) -> Result<Self> {
        source.notify(&json!({"configured": config})).await?;
        Ok(Self(source))
    }

    async fn publish(&self, message: Self::Publish) -> Result<()> {
        self.0.notify(&json!({"published": message})).await?;
        Ok(())
    }
}

/// Reads events up to `wanted`. What was not yet known to be acknowledged when a link was lost comes again.
async fn until(source: &vantiq_simulator::Source, wanted: serde_json::Value) {
    while source.next_notification().await.unwrap().object != wanted {}
}

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
