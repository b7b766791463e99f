//! `publish`, `query` and the answers (PROTOCOL sections 7, 8 and 10).

use std::time::Duration;

use serde_json::{Value, json};
use vantiq_simulator::{Acknowledge, Cut, Simulator, SimulatorErrorKind};

use crate::client::{Client, simulator};

#[tokio::test]
async fn publish_and_query_need_a_session() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let no_session = SimulatorErrorKind::NoSession { source_name: "thermostat".into() };
    assert_eq!(*source.publish(json!({})).await.expect_err("nobody is attached").kind(), no_session);
    assert_eq!(*source.query(json!({})).await.expect_err("nobody is attached").kind(), no_session);
}

#[tokio::test]
async fn publishes_arrive_whole_and_in_order() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    for object in [json!({"a": 1}), json!(null), json!("text"), json!("x".repeat(2_000_000))] {
        source.publish(object.clone()).await.expect("it is attached");
        let message = client.next().await;
        assert_eq!((&message["op"], &message["object"]), (&json!("publish"), &object));
    }
}

#[tokio::test]
async fn the_parts_of_an_answer_come_one_by_one_and_together() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    let mut pending =
        simulator.source("thermostat").start_query(json!({"days": 3})).await.expect("it is attached");
    let query = client.next().await;
    assert_eq!(query["messageHeaders"]["REPLY_ADDR_HEADER"], pending.address());
    assert_eq!(query["object"], json!({"days": 3}));

    client.answer(&query, 100, json!([1, 2])).await;
    assert_eq!(pending.next_partial().await.expect("it comes"), Some(json!([1, 2])));
    client.answer(&query, 100, json!({"day": 3})).await;
    client.answer(&query, 204, Value::Null).await;
    let reply = pending.await.expect("the answer is complete");
    assert_eq!(reply.rows(), [json!(1), json!(2), json!({"day": 3})]);
    assert_eq!((reply.partials.len(), reply.status), (2, 204));
    assert!(simulator.violations().is_empty());
}

#[tokio::test]
async fn an_error_answer_is_a_reply() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    let pending = simulator.source("thermostat").start_query(json!({})).await.expect("it is attached");
    let query = client.next().await;
    let body = json!({"messageCode": "com.example.bad", "messageTemplate": "Bad {0}", "parameters": ["x"]});
    client.answer(&query, 400, body).await;
    let reply = pending.await.expect("an error is an answer");
    assert!(reply.is_error());
    let error = reply.error().expect("the body is an error");
    assert_eq!(
        (error.message_code.as_str(), error.message_template.as_str()),
        ("com.example.bad", "Bad {0}")
    );
}

#[tokio::test]
async fn answers_may_cross() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    let first = source.start_query(json!(1)).await.expect("it is attached");
    let second = source.start_query(json!(2)).await.expect("it is attached");
    let queries = [client.next().await, client.next().await];
    for query in queries.iter().rev() {
        client.answer(query, 200, query["object"].clone()).await;
    }
    assert_eq!(first.await.expect("it is answered").body, json!(1));
    assert_eq!(second.await.expect("it is answered").body, json!(2));
}

#[tokio::test]
async fn a_second_terminal_and_an_unknown_address_are_violations() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    let pending = simulator.source("thermostat").start_query(json!({})).await.expect("it is attached");
    let query = client.next().await;
    client.answer(&query, 200, json!(1)).await;
    client.answer(&query, 200, json!(2)).await;
    client.answer(&json!({"messageHeaders": {"REPLY_ADDR_HEADER": "nobody"}}), 200, json!(3)).await;
    assert_eq!(pending.await.expect("the first answer counts").body, json!(1));
    let noted = simulator.wait_for("two violations", |simulator| simulator.violations().len() == 2).await;
    noted.expect("both are noted");
    assert!(simulator.violations()[0].contains("second terminal"), "{:?}", simulator.violations());
    assert!(simulator.violations()[1].contains("unknown address nobody"), "{:?}", simulator.violations());
}

#[tokio::test]
async fn an_unanswered_query_times_out_and_a_late_answer_does_no_harm() {
    let timeout = Duration::from_millis(30);
    let builder =
        Simulator::builder().any_source(true).query_timeout(timeout).acknowledge(Acknowledge::Everything);
    let simulator = builder.start().await.expect("a free port");
    let mut client = Client::validated(&simulator).await;
    client.send(crate::client::connect("any", None)).await;
    assert_eq!(client.next().await, json!({"status": 200}));
    client.next().await;
    let error = simulator.source("any").query(json!({})).await.expect_err("nobody answers");
    assert!(matches!(error.kind(), SimulatorErrorKind::QueryTimeout { after, .. } if *after == timeout));
    let query = client.next().await;
    client.answer(&query, 200, json!({})).await;
    assert_eq!(client.next().await, json!({"status": 200}), "the answer is acknowledged");
    assert!(simulator.violations().is_empty());
}

#[tokio::test]
async fn a_query_ends_with_its_link() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    let pending = source.start_query(json!({})).await.expect("it is attached");
    let query = client.next().await;
    source.cut(Cut::Abort).await.expect("it is attached");
    let error = pending.await.expect_err("the link is gone");
    assert!(matches!(error.kind(), SimulatorErrorKind::LinkLost { .. }));

    let mut client = Client::attached(&simulator, "thermostat").await;
    client.answer(&query, 200, json!("replayed")).await;
    let noted = simulator.wait_for("a violation", |simulator| !simulator.violations().is_empty()).await;
    noted.expect("a replayed answer is noted");
}

#[tokio::test]
async fn a_late_answer_is_refused_where_asked_to() {
    let builder = Simulator::builder().any_source(true).query_timeout(Duration::from_millis(1));
    let simulator = builder.refuse_late_answers(true).start().await.expect("a free port");
    let mut client = Client::attached(&simulator, "any").await;
    simulator.source("any").query(json!({})).await.expect_err("nobody answers");
    let query = client.next().await;
    client.answer(&query, 200, json!({})).await;
    assert_eq!(client.next().await["body"][0]["code"], "io.vantiq.sourcemgr.request.timeout");
    assert!(simulator.violations().is_empty());
}

#[tokio::test]
async fn an_answer_without_end_comes_to_one() {
    let builder = Simulator::builder().any_source(true).answer_limit(1_000);
    let simulator = builder.start().await.expect("a free port");
    let mut client = Client::attached(&simulator, "any").await;
    let pending = simulator.source("any").start_query(json!({})).await.expect("it is attached");
    let query = client.next().await;
    for _ in 0..11 {
        client.answer(&query, 100, json!(["x".repeat(96)])).await;
    }
    let error = pending.await.expect_err("it is too large");
    assert!(matches!(error.kind(), SimulatorErrorKind::AnswerTooLarge { .. }), "{error}");
    client.answer(&query, 204, json!(null)).await;
    client.notify("any", json!({})).await;
    client.next().await;
    assert!(simulator.violations().is_empty(), "nothing of that is forbidden");
}
