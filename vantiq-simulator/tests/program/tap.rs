//! Frames on the command line.

use serde_json::{Value, json};

use crate::process::{Connector, Program, connect, next, notification, send, text_of, within};

/// Two frames that come after `tap` began: a question of the connector and its answer.
async fn traffic(connector: &mut Connector) {
    send(connector, &connect("thermostat")).await;
    next(connector).await;
}

#[tokio::test]
async fn frames_of_both_directions_are_json_lines() {
    let (program, mut connector) = Program::with_thermostat().await;
    let mut tapping = Program::spawn(program.command(&["tap"]));
    let opened = tapping.next_json().await;
    assert_eq!((&opened["event"], &opened["link"]), (&json!("linkOpened"), &json!(1)));
    let mut operations = Vec::new();
    for _ in 0..4 {
        let frame = tapping.next_json().await;
        operations.push((frame["direction"].clone(), frame["op"].clone()));
        assert!(!frame.to_string().contains(program.token()), "the token is hidden");
    }
    assert_eq!(operations[0], (json!("received"), json!("validate")));
    assert_eq!(operations[1], (json!("sent"), Value::Null));
    assert_eq!(operations[3], (json!("sent"), json!("configureExtension")));
    send(&mut connector, &notification("thermostat", &json!({"celsius": 21}))).await;
    let frame = tapping.next_json().await;
    assert_eq!((&frame["op"], &frame["source"]), (&json!("notification"), &json!("thermostat")));
    assert_eq!(frame["message"]["object"], json!({"celsius": 21}));
    next(&mut connector).await;
    tapping.next_json().await;
    drop(connector);
    let ended = tapping.next_json().await;
    assert_eq!((&ended["event"], &ended["why"]), (&json!("linkEnded"), &json!("lost")));
    assert_eq!((&ended["after"], &ended["sources"]), (&json!(6), &json!(["thermostat"])));
}

#[tokio::test]
async fn frames_are_chosen() {
    let (program, mut connector) = Program::with_thermostat().await;
    send(&mut connector, &notification("thermostat", &json!(1))).await;
    next(&mut connector).await;
    for (choice, number) in [
        (&["--op", "notification"][..], 1),
        (&["--direction", "sent"], 3),
        (&["--direction", "received", "--last", "2"], 2),
        (&["--source", "nobody"], 0),
        (&["--source", "thermostat", "--op", "validate"], 0),
    ] {
        let told = program.ask(&[&["tap", "--no-follow"], choice].concat()).await;
        assert_eq!((told.code, told.out.lines().count()), (Some(0), number), "{choice:?}: {}", told.out);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn frames_are_saved_until_a_signal() {
    let (program, mut connector) = Program::with_thermostat().await;
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/saved.jsonl");
    let _ = std::fs::remove_file(path); // of an earlier run, if there was one
    let saving = Program::spawn(program.command(&["tap", "--save", path]));
    traffic(&mut connector).await;
    let saved = || std::fs::read_to_string(path).unwrap_or_default();
    within(async {
        while saved().lines().count() < 7 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    saving.signal("-INT").await;
    let told = saving.outcome().await;
    assert_eq!((told.code, told.out.as_str()), (Some(0), ""));
    assert_eq!(told.err, format!("7 lines saved in {path}\n"));
    for line in saved().lines() {
        serde_json::from_str::<Value>(line).expect("each line is JSON");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_ends_it_also_where_the_reader_does_not_read() {
    let (program, mut connector) = Program::with_thermostat().await;
    // More than a pipe and all that waits for it can hold.
    for _ in 0..100 {
        send(&mut connector, &notification("thermostat", &json!("x".repeat(20_000)))).await;
        next(&mut connector).await;
    }
    for arguments in [&["tap"][..], &["notifications", "thermostat", "--follow"]] {
        for signals in 1..=2 {
            let mut blocked = Program::spawn(program.command(arguments));
            blocked.next_json().await;
            for _ in 0..signals {
                blocked.signal("-INT").await;
            }
            assert_eq!(blocked.exit_code().await, Some(0), "{arguments:?} after {signals}");
        }
    }
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    let (program, mut connector) = Program::with_thermostat().await;
    let mut tapping = Program::spawn(program.command(&["tap", "--direction", "received"]));
    tapping.next_json().await;
    let mut child = tapping.deafened();
    let ended = async {
        loop {
            traffic(&mut connector).await;
            if let Some(status) = child.try_wait().expect("it was started") {
                return status;
            }
        }
    };
    assert_eq!(within(ended).await.code(), Some(0));
    let complaint = text_of(child.stderr.take()).await;
    assert_eq!(complaint, "");
}

#[tokio::test]
async fn the_end_of_the_simulator_is_said() {
    let (program, _connector) = Program::with_thermostat().await;
    let mut tapping = Program::spawn(program.command(&["tap"]));
    tapping.next_json().await;
    program.quit().await;
    let told = tapping.outcome().await;
    assert_eq!(told.code, Some(3));
    assert!(told.err.contains(" went away"), "{}", told.err);
}
