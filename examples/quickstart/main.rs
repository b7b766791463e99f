//! Everything a connector does, in one process and without a Vantiq account: the simulator stands in for
//! the server, publishes to the connector, queries it, reads its notifications and changes its
//! configuration. Each line of the transcript is checked; a step that does not happen ends it with an error.
//!
//! `cargo run --example quickstart`

mod sensor;
mod transcript;

use anyhow::{Context, ensure};
use sensor::Sensor;
use serde_json::json;
use transcript::{connector, explain, server};
use vantiq_connector::{CancellationToken, prelude::*};
use vantiq_simulator::Simulator;

const SOURCE: &str = "sensor";

#[tokio::main]
async fn main() -> Result<()> {
    explain("A simulated Vantiq server starts, with one source and its configuration.");
    let simulator = Simulator::builder().source(SOURCE, json!({"unit": "celsius"})).start().await?;
    server(&format!("listening on {}", simulator.url()));

    explain("A connector for that source starts and connects: settings, handler, set.");
    let config = ServerConfig::builder()
        .target_server(simulator.url())
        .auth_token(simulator.token())
        .source(SOURCE)
        .build()?;
    let set = ConnectorSet::builder().source::<Sensor>().config(config).build()?;
    let stop = CancellationToken::new();
    let serving = tokio::spawn(set.serve(stop.clone()));

    talk(&simulator).await?;

    explain("The connector is asked to stop, and does.");
    stop.cancel();
    serving.await?.context("the connector ended with an error")?;
    connector("stopped");
    ensure!(simulator.violations().is_empty(), "the protocol was violated: {:?}", simulator.violations());
    explain("Done: every step happened. Next, read examples/quickstart/sensor.rs.");
    Ok(())
}

/// What a rule in Vantiq would do, and what it would see.
async fn talk(simulator: &Simulator) -> Result<()> {
    let source = simulator.source(SOURCE);
    source.wait_sessions(1).await?;
    let hello = source.next_notification().await?.object;
    server(&format!("event {hello}"));
    ensure!(hello == json!({"ready": "celsius"}), "not the event expected");

    explain("PUBLISH {target: 23} TO SOURCE sensor. The connector confirms with an event.");
    source.publish(json!({"target": 23.0})).await?;
    let event = source.next_notification().await?.object;
    server(&format!("event {event}"));
    ensure!(event == json!({"target": 23.0, "unit": "celsius"}), "not the event expected");

    explain("SELECT * FROM SOURCE sensor WITH days = 1200. The rows are streamed in bundles.");
    let reply = source.query(json!({"days": 1200})).await?;
    for partial in &reply.partials {
        server(&format!("status 100 with {} rows", partial.as_array().map_or(1, Vec::len)));
    }
    server(&format!("status {}, {} rows in all", reply.status, reply.rows().len()));
    ensure!(reply.partials.len() >= 2 && reply.rows().len() == 1200, "not the rows expected");

    explain("SELECT * FROM SOURCE sensor WITH days = \"many\". A wrong question gets a useful error.");
    let error = source.query(json!({"days": "many"})).await?.error().context("no error came")?;
    server(&format!("error {}: {}", error.message_code, json!(error.parameters)));

    explain("The source's configuration changes: the session ends, the next begins with the new one.");
    source.configure(json!({"unit": "kelvin"})).await?;
    source.wait_sessions(2).await?;
    let hello = source.next_notification().await?.object;
    server(&format!("event {hello}"));
    ensure!(hello == json!({"ready": "kelvin"}), "not the event expected");
    Ok(())
}
