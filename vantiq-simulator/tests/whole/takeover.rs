//! One holder per source, and `reconnectSecret` (PROTOCOL section 5).

use serde_json::json;
use vantiq_simulator::{Cut, Ending, Simulator};

use crate::client::{Client, End, connect, simulator};

#[tokio::test]
async fn the_same_secret_evicts_the_incumbent() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut old = Client::attached(&simulator, "thermostat").await;
    let mut new = Client::attached(&simulator, "thermostat").await;
    assert_eq!(old.end().await, End::Close(1000));
    simulator.wait_for("the old link to end", |simulator| simulator.links() == 1).await.expect("it ends");
    assert_eq!((source.is_attached(), source.sessions()), (true, 2));
    assert_eq!(simulator.link_ends()[0].ending, Ending::Cut(Cut::Close));
    source.publish(json!({"for": "new"})).await.expect("the new one is attached");
    assert_eq!(new.next().await["object"], json!({"for": "new"}));
}

#[tokio::test]
async fn another_secret_or_none_is_refused_while_the_incumbent_lives() {
    let simulator = simulator().await;
    let _incumbent = Client::attached(&simulator, "thermostat").await;
    let mut other = Client::validated(&simulator).await;
    for secret in [Some("other"), None] {
        other.send(connect("thermostat", secret)).await;
        let message = other.next().await;
        assert!(message["body"][0]["message"].as_str().is_some_and(|text| text.contains("already exists")));
    }
    assert_eq!(simulator.source("thermostat").sessions(), 1);
}

#[tokio::test]
async fn the_source_is_free_once_the_incumbent_has_closed() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    Client::attached(&simulator, "thermostat").await.close().await;
    source.wait_detached().await.expect("closing detaches");
    assert!(matches!(simulator.link_ends()[0].ending, Ending::ClosedByConnector { .. }));
    let mut other = Client::validated(&simulator).await;
    other.send(connect("thermostat", Some("other"))).await;
    assert_eq!(other.next().await["op"], "configureExtension");
}

#[tokio::test]
async fn a_ghost_holds_the_source_until_the_secret_matches() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let ghost = Client::attached(&simulator, "thermostat").await;
    source.go_silent().expect("the ghost has a link");
    drop(ghost);

    let mut other = Client::validated(&simulator).await;
    other.send(connect("thermostat", Some("other"))).await;
    assert_eq!(other.next().await["status"], 400);
    Client::attached(&simulator, "thermostat").await;
    assert_eq!(source.sessions(), 2);
}

#[tokio::test]
async fn one_socket_may_carry_several_sources() {
    let simulator = simulator().await;
    simulator.source("boiler").configure(json!({"bar": 2})).await.expect("nobody needs to be attached");
    let mut client = Client::attached(&simulator, "thermostat").await;
    client.send(connect("boiler", None)).await;
    assert_eq!(client.next().await["object"], json!({"config": {"bar": 2}}));
    simulator.source("boiler").publish(json!(1)).await.expect("it is attached");
    assert_eq!(client.next().await["resourceId"], "boiler");
}

#[tokio::test]
async fn a_server_may_want_a_socket_for_each_source() {
    let builder = Simulator::builder().any_source(true).one_source_per_link(true);
    let simulator = builder.start().await.expect("a free port");
    let mut client = Client::attached(&simulator, "one").await;
    client.send(connect("another", Some("secret"))).await;
    assert_eq!(client.next().await["status"], 400);
    client.send(connect("one", Some("secret"))).await;
    assert_eq!(client.next().await["op"], "configureExtension");
}
