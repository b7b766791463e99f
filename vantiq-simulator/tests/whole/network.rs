//! What networks and servers do to a connection (PROTOCOL sections 2, 9 and 10).

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use vantiq_simulator::{Cut, Ending, Simulator, SimulatorErrorKind};

use crate::client::{Client, End, simulator, within};

#[tokio::test]
async fn a_close_is_a_handshake_after_everything_sent_before() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    source.publish(json!("last words")).await.expect("it is attached");
    let cut = source.cut(Cut::Close);
    let seen = async { (client.next().await, client.end().await) };
    let (cut, (words, end)) = tokio::join!(cut, seen);
    cut.expect("the link ends");
    assert_eq!((&words["object"], end), (&json!("last words"), End::Close(1000)));
    assert!(!source.is_attached());
    assert_eq!(simulator.link_ends()[0].ending, Ending::Cut(Cut::Close));
}

#[tokio::test]
async fn an_abort_is_a_reset() {
    let simulator = simulator().await;
    let client = Client::attached(&simulator, "thermostat").await;
    simulator.source("thermostat").cut(Cut::Abort).await.expect("it is attached");
    let error = within(client.into_connection().read_u8()).await.expect_err("the connection is gone");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_break_in_the_middle_of_a_frame_leaves_half_of_it() {
    let simulator = simulator().await;
    let client = Client::attached(&simulator, "thermostat").await;
    simulator.source("thermostat").cut(Cut::MidFrame).await.expect("it is attached");
    let mut rest = Vec::new();
    within(client.into_connection().read_to_end(&mut rest)).await.expect("the connection ends with a FIN");
    assert_eq!(rest[..4], [0x82, 126, 0x03, 0xe8], "a binary frame of 1,000 bytes");
    assert!(rest.len() < 1_000);
}

#[tokio::test]
async fn all_links_can_be_cut_at_any_stage() {
    let simulator = simulator().await;
    let mut clients = [Client::dial(&simulator).await, Client::validated(&simulator).await];
    simulator.cut_links(Cut::Abort).await.expect("the links end");
    for client in &mut clients {
        assert_eq!(client.end().await, End::Lost);
    }
    assert_eq!(simulator.links(), 0);
}

#[tokio::test]
async fn a_slow_link_takes_one_message_at_a_time() {
    const PAUSE: Duration = Duration::from_millis(50);
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    let began = Instant::now();
    source.slow_down(PAUSE).expect("it is attached");
    for _ in 0..2 {
        source.publish(json!({})).await.expect("it is attached");
        client.notify("thermostat", json!({})).await;
    }
    for _ in 0..4 {
        client.next().await;
    }
    // What was published before the order was obeyed came at once.
    assert!(began.elapsed() >= 2 * PAUSE, "{:?}", began.elapsed());

    source.slow_down(Duration::from_hours(1)).expect("it is attached");
    source.speak().expect("it is attached");
    source.publish(json!("at once")).await.expect("it is attached");
    assert_eq!(client.next().await["object"], "at once");
}

#[tokio::test]
async fn a_silent_link_answers_nothing_until_it_speaks() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    source.go_silent().expect("it is attached");
    source.publish(json!("held back")).await.expect("the session is believed alive");
    client.send_frame(Message::Ping("hello".into())).await;
    client.notify("thermostat", json!({})).await;
    // Another link's exchange proves that there was time enough to answer.
    Client::validated(&simulator).await;
    assert_eq!((simulator.pings(), source.notification_count()), (0, 0));

    source.speak().expect("it is attached");
    source.wait_notifications(1).await.expect("it is heard now");
    let mut seen = [false; 3];
    for _ in 0..3 {
        match client.next_frame().await {
            Message::Pong(_) => seen[0] = true,
            frame if frame.to_text().is_ok_and(|text| text == r#"{"status":200}"#) => seen[1] = true,
            _ => seen[2] = true,
        }
    }
    assert_eq!((seen, simulator.pings()), ([true; 3], 1));
}

#[tokio::test]
async fn a_link_that_does_not_read_still_writes() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    source.stop_reading().expect("it is attached");
    source.publish(json!("one way")).await.expect("it is attached");
    client.notify("thermostat", json!({})).await;
    assert_eq!(client.next().await["object"], "one way");
    // Another link's exchange proves that there was time enough to read.
    Client::validated(&simulator).await;
    assert_eq!(source.notification_count(), 0);
    source.speak().expect("it is attached");
    source.wait_notifications(1).await.expect("it is read now");
}

#[tokio::test]
async fn a_connector_that_does_not_read_makes_publish_wait() {
    let builder = Simulator::builder().any_source(true).deadline(Duration::from_millis(200));
    let simulator = builder.start().await.expect("a free port");
    let source = simulator.source("any");
    let _client = Client::attached(&simulator, "any").await;
    let large = json!("x".repeat(1 << 20));
    for _ in 0..200 {
        if let Err(error) = source.publish(large.clone()).await {
            assert!(matches!(error.kind(), SimulatorErrorKind::Deadline { .. }), "{error}");
            return;
        }
    }
    panic!("200 MiB went nowhere without a complaint");
}

#[tokio::test]
async fn a_fragmented_message_is_several_frames_and_one_message() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    simulator.source("thermostat").send_fragmented(json!({"whole": true})).await.expect("it is attached");
    assert_eq!(client.next().await["object"], json!({"whole": true}));

    simulator.source("thermostat").send_fragmented(json!({"whole": true})).await.expect("it is attached");
    let mut head = [0; 1];
    let mut connection = client.into_connection();
    within(connection.read_exact(&mut head)).await.expect("the connection is open");
    assert_eq!(head, [0x02], "binary, not the last frame");
}

#[tokio::test]
async fn raw_frames_are_sent_to_the_letter() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    source.send_raw("{broken").await.expect("it is attached");
    assert_eq!(client.next_frame().await, Message::text("{broken"));
    source.send_raw(vec![0xff, 0x00]).await.expect("it is attached");
    assert_eq!(client.next_frame().await, Message::binary(vec![0xff, 0x00]));
}

#[tokio::test]
async fn a_stopped_simulator_is_gone_and_a_restarted_one_remembers() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    let (stopped, end) = tokio::join!(simulator.stop(), client.end());
    stopped.expect("everything ends");
    assert_eq!(end, End::Close(1001));
    assert_eq!((simulator.links(), source.is_attached()), (0, false));
    Client::try_dial(&simulator, "/").await.expect_err("nobody listens");

    simulator.restart().await.expect("the port is free again");
    Client::attached(&simulator, "thermostat").await;
    assert_eq!((source.sessions(), simulator.dials()), (2, 2));
}

#[tokio::test]
async fn a_restart_does_not_wait_for_a_stop() {
    let simulator = simulator().await;
    let addr = simulator.addr();
    simulator.restart().await.expect("the port is free again");
    assert_eq!(simulator.addr(), addr);
    Client::attached(&simulator, "thermostat").await;
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let simulator = simulator().await;
    let error =
        Simulator::builder().port(simulator.addr().port()).start().await.expect_err("the port is taken");
    assert_eq!(*error.kind(), SimulatorErrorKind::Listen { address: simulator.addr() });
}

#[tokio::test]
async fn a_dropped_simulator_lets_its_connectors_go() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    drop(simulator);
    assert_eq!(client.end().await, End::Close(1001));
}

#[tokio::test]
async fn a_connector_that_breaks_the_websocket_protocol_loses_its_link() {
    let simulator = simulator().await;
    let client = Client::attached(&simulator, "thermostat").await;
    let mut connection = client.into_connection();
    within(connection.write_all(&[0xff; 16])).await.expect("the connection is open");
    simulator.source("thermostat").wait_detached().await.expect("the link ends");
    assert_eq!(simulator.link_ends()[0].ending, Ending::Lost);
}

#[tokio::test]
async fn a_server_may_ping_and_close_who_is_idle() {
    const IDLE: Duration = Duration::from_millis(500);
    let builder = Simulator::builder().any_source(true).ping_interval(IDLE / 10).idle_timeout(IDLE);
    let simulator = builder.start().await.expect("a free port");
    let mut client = Client::attached(&simulator, "any").await;
    // The client answers each ping when it reads on, so it is not idle.
    for _ in 0..15 {
        assert!(matches!(client.next_frame().await, Message::Ping(_)));
    }
    assert_eq!(simulator.links(), 1);
    // One that does not read answers nothing.
    simulator
        .wait_for("the link to be closed", |simulator| simulator.links() == 0)
        .await
        .expect("it is idle");
    assert_eq!(simulator.link_ends()[0].ending, Ending::Idle);
}

#[tokio::test]
async fn a_server_may_close_over_what_is_too_large() {
    let builder = Simulator::builder().any_source(true).inbound_limit(1_000).close_oversized(true);
    let simulator = builder.start().await.expect("a free port");
    let mut client = Client::attached(&simulator, "any").await;
    client.notify("any", json!("x".repeat(1_000))).await;
    assert_eq!(client.end().await, End::Close(1009));
    assert_eq!(simulator.link_ends()[0].ending, Ending::Oversized);
}

#[tokio::test]
async fn who_speaks_to_a_slow_server_is_not_idle() {
    const IDLE: Duration = Duration::from_millis(100);
    let simulator =
        Simulator::builder().any_source(true).idle_timeout(IDLE).start().await.expect("a free port");
    let mut client = Client::attached(&simulator, "any").await;
    simulator.source("any").slow_down(2 * IDLE).expect("it is attached");
    // All of it has come long before it is read.
    for number in 0..5 {
        client.notify("any", json!(number)).await;
    }
    for _ in 0..5 {
        assert_eq!(client.next().await, json!({"status": 200}));
    }
}
