//! Faults from the command line.

use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::process::{Program, connect, next, notification, send, within};

async fn inflict(program: &Program, arguments: &[&str]) {
    let told = program.ask(&[&["fault"], arguments].concat()).await;
    assert_eq!(told.code, Some(0), "{arguments:?}: {}", told.err);
}

#[tokio::test]
async fn a_link_is_cut_in_each_way() {
    for (arguments, is_closed) in [
        (&["cut", "thermostat"][..], true),
        (&["cut", "thermostat", "--how", "midframe"], false),
        (&["abort", "thermostat"], false),
    ] {
        let (program, mut connector) = Program::with_thermostat().await;
        inflict(&program, arguments).await;
        let end = within(connector.next()).await;
        let by_handshake = matches!(&end, Some(Ok(message)) if message.is_close());
        assert_eq!(by_handshake, is_closed, "{arguments:?}: {end:?}");
    }
}

#[tokio::test]
async fn a_link_is_made_quiet_or_slow_and_healed() {
    let (program, mut connector) = Program::with_thermostat().await;
    for (arguments, pace) in [
        (&["deaf", "thermostat"][..], "deaf"),
        (&["slow", "thermostat", "--ms", "1"], "slow"),
        (&["heal", "thermostat"], "normal"),
        (&["silent", "thermostat"], "silent"),
        (&["heal", "thermostat"], "normal"),
    ] {
        inflict(&program, arguments).await;
        assert_eq!(program.state().await["pace"], pace, "{arguments:?}");
    }
    inflict(&program, &["reconnect", "thermostat"]).await;
    assert_eq!(next(&mut connector).await["op"], "reconnectRequired");
}

#[tokio::test]
async fn connectors_are_refused_as_often_as_asked_for() {
    let (program, mut connector) = Program::with_thermostat().await;
    inflict(&program, &["refuse", "thermostat", "--as", "no-stream", "--times", "1"]).await;
    send(&mut connector, &connect("thermostat")).await;
    assert_eq!(next(&mut connector).await["status"], 400);
    send(&mut connector, &connect("thermostat")).await;
    assert_eq!(next(&mut connector).await["op"], "configureExtension");
}

#[tokio::test]
async fn a_refusal_without_an_answer_is_told_of() {
    let mut program = Program::start(&["--port", "0", "--source", "thermostat"]);
    let (mut connector, token) = program.dial().await;
    inflict(&program, &["refuse", "thermostat", "--as", "no-answer"]).await;
    let validate = json!({"op": "validate", "resourceName": "system.credentials", "object": token});
    send(&mut connector, &validate).await;
    next(&mut connector).await;
    send(&mut connector, &connect("thermostat")).await;
    within(async { while program.state().await["lastRefusal"].is_null() {} }).await;
    let told = program.ask(&["sources"]).await;
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.out.contains("refused with no answer"), "{}", told.out);
}

#[tokio::test]
async fn acknowledgements_are_changed() {
    let (program, mut connector) = Program::with_thermostat().await;
    inflict(&program, &["ack", "thermostat", "error"]).await;
    send(&mut connector, &notification("thermostat", &json!(1))).await;
    assert_eq!(next(&mut connector).await["status"], 400);
    inflict(&program, &["ack", "thermostat", "merged", "--every", "2"]).await;
    for number in 2..=3 {
        send(&mut connector, &notification("thermostat", &json!(number))).await;
    }
    assert_eq!(next(&mut connector).await["status"], 200);
    assert_eq!(program.state().await["acknowledge"], "merged");
}

#[tokio::test]
async fn what_is_in_force_is_said_with_its_numbers() {
    let (program, _connector) = Program::with_thermostat().await;
    for (arguments, words) in [
        (
            &["ack", "thermostat", "omit", "--every", "10"][..],
            "ack; in force now: acknowledges: omit, 1 of 10",
        ),
        (
            &["slow", "thermostat", "--ms", "5"],
            "slow; in force now: slow, a message every 5 ms; acknowledges: omit, 1 of 10",
        ),
        (&["ack", "thermostat", "notifications"], "ack; in force now: slow, a message every 5 ms"),
        (&["heal", "thermostat"], "heal; nothing is in force now"),
        (
            &["refuse", "thermostat", "--times", "2"],
            "refuse; in force now: refuses with already-connected, 2 times more",
        ),
        (&["cut", "thermostat"], "cut"),
    ] {
        let told = program.ask(&[&["fault"], arguments].concat()).await;
        assert_eq!(told.out, format!("thermostat: {words}\n"), "{arguments:?}: {}", told.err);
    }
    let told = program.ask(&["sources"]).await;
    assert!(told.out.contains("refuses with already-connected, 2 times more"), "{}", told.out);
    let told = program.ask(&["fault", "heal", "thermostat", "--json"]).await;
    let told: Value = serde_json::from_str(&told.out).expect("it is JSON");
    assert_eq!((&told["done"], &told["inForce"]["pace"]), (&json!("heal"), &json!("normal")));
}

#[tokio::test]
async fn without_a_link_there_is_nothing_to_cut() {
    let mut program = Program::start(&["--port", "0", "--source", "thermostat"]);
    program.greeting().await;
    let told = program.ask(&["fault", "cut", "thermostat", "--json"]).await;
    assert_eq!(told.code, Some(1));
    let error: Value = serde_json::from_str(&told.out).expect("it is JSON");
    assert!(error["error"]["message"].is_string(), "{error}");
    assert!(told.err.contains("no connector is attached"), "{}", told.err);
}

#[tokio::test]
async fn numbers_that_do_nothing_are_a_usage_error() {
    let (program, _connector) = Program::with_thermostat().await;
    for (arguments, words) in [
        (&["slow", "thermostat", "--ms", "0"][..], "`ms` is 0; write 1 or more"),
        (&["refuse", "thermostat", "--times", "0"], "`times` is 0; write 1 or more"),
        (&["ack", "thermostat", "delayed"], "--ms <MS>"),
        (&["ack", "thermostat", "delayed", "--ms", "0"], "`delayed` needs `ms`"),
        (&["ack", "thermostat", "merged", "--every", "0"], "`every` is 0; write 1 or more"),
    ] {
        let told = program.ask(&[&["fault"], arguments].concat()).await;
        assert_eq!(told.code, Some(2), "{arguments:?}: {told:?}");
        assert!(told.err.contains(words), "{arguments:?}: {}", told.err);
    }
    let told = program.ask(&["fault", "slow", "thermostat", "--ms", "0", "--json"]).await;
    let error: Value = serde_json::from_str(&told.out).expect("it is JSON");
    assert_eq!(error["error"]["code"], "usage");
}
