//! Recordings, done again.

use serde_json::{Value, json};

use crate::process::{Connector, Program, answer, command, next, notification, outcome, send};

/// Answers the next query with its own `rows`, in two parts, after the publish before it.
async fn serve(connector: &mut Connector) {
    assert_eq!(next(connector).await["object"], json!({"target": 23}));
    let query = next(connector).await;
    answer(connector, &query, 100, json!([1, 2])).await;
    answer(connector, &query, 200, query["object"]["last"].clone()).await;
}

/// A recording of a publish and a query.
async fn record(name: &str) -> (Program, Connector, String) {
    let (program, mut connector) = Program::with_thermostat().await;
    assert_eq!(program.ask(&["publish", "thermostat", r#"{"target": 23}"#]).await.code, Some(0));
    let asking = program.ask(&["query", "thermostat", r#"{"last": 3}"#]);
    let (told, ()) = tokio::join!(asking, serve(&mut connector));
    assert_eq!(told.out, "1\n2\n3\n");
    let path = format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"));
    assert_eq!(program.ask(&["tap", "--no-follow", "--save", &path]).await.code, Some(0));
    (program, connector, path)
}

#[tokio::test]
async fn what_is_answered_as_recorded_is_the_same() {
    let (program, mut connector, path) = record("same.jsonl").await;
    for speed in ["max", "1000"] {
        let replaying = program.ask(&["replay", &path, "--speed", speed]);
        let (told, ()) = tokio::join!(replaying, serve(&mut connector));
        assert_eq!(told.code, Some(0), "{told:?}");
        assert!(told.out.contains("200, 3 rows in ") && told.out.contains("as recorded\n"), "{}", told.out);
        let summary = "1 publish, 1 query: 1 as recorded, 0 otherwise, 0 without comparison, 0 failed\n";
        assert!(told.out.ends_with(summary), "{}", told.out);
    }
}

#[tokio::test]
async fn another_answer_is_not_done() {
    let (program, mut connector, path) = record("different.jsonl").await;
    let replaying = program.ask(&["replay", &path, "--speed", "max", "--json"]);
    let serving = async {
        next(&mut connector).await;
        let query = next(&mut connector).await;
        answer(&mut connector, &query, 200, json!([1, 3])).await;
    };
    let (told, ()) = tokio::join!(replaying, serving);
    assert_eq!(told.code, Some(1));
    let lines: Vec<Value> =
        told.out.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    assert_eq!((&lines[0]["op"], &lines[0]["outcome"]), (&json!("publish"), &json!("done")));
    assert_eq!((&lines[1]["outcome"], &lines[1]["rows"]), (&json!("different"), &json!(2)));
    assert_eq!(lines[1]["difference"], "row 2 is 3 instead of 2");
    assert_eq!(lines[2]["summary"]["different"], 1);
}

#[tokio::test]
async fn all_of_it_can_go_to_another_source() {
    let (mut program, _connector, path) = record("elsewhere.jsonl").await;
    let mut other = program.attach("other").await;
    let replaying = program.ask(&["replay", &path, "--speed", "max", "--source", "other"]);
    let (told, ()) = tokio::join!(replaying, serve(&mut other));
    assert_eq!(told.code, Some(0), "{told:?}");
}

#[tokio::test]
async fn what_is_refused_is_counted() {
    let (program, connector, path) = record("refused.jsonl").await;
    drop(connector);
    let told = program.ask(&["replay", &path, "--speed", "max", "--source", "nobody"]).await;
    assert_eq!(told.code, Some(1));
    assert!(told.out.ends_with("0 without comparison, 2 failed\n"), "{}", told.out);
}

#[tokio::test]
async fn what_was_too_long_to_be_recorded_is_counted() {
    let (program, mut connector) = Program::with_thermostat().await;
    let long = format!("{}/long.json", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&long, json!({"long": "x".repeat(70 << 10)}).to_string()).expect("the folder is there");
    send(&mut connector, &notification("thermostat", &json!("x".repeat(70 << 10)))).await;
    assert_eq!(next(&mut connector).await["status"], 200);
    for object in [&format!("@{long}"), "1"] {
        assert_eq!(program.ask(&["publish", "thermostat", object]).await.code, Some(0));
        next(&mut connector).await;
    }
    let serve = async |connector: &mut Connector| {
        let query = next(connector).await;
        answer(connector, &query, 200, json!("x".repeat(70 << 10))).await;
    };
    let (told, ()) =
        tokio::join!(program.ask(&["query", "thermostat", r#"{"long": true}"#]), serve(&mut connector));
    assert_eq!(told.code, Some(0));
    let path = format!("{}/long.jsonl", env!("CARGO_TARGET_TMPDIR"));
    assert_eq!(program.ask(&["tap", "--no-follow", "--save", &path]).await.code, Some(0));

    for more in [&[][..], &["--json"]] {
        let replaying = program.ask(&[&["replay", &path, "--speed", "max"], more].concat());
        let serving = async {
            assert_eq!(next(&mut connector).await["object"], 1);
            serve(&mut connector).await;
        };
        let (told, ()) = tokio::join!(replaying, serving);
        assert_eq!(told.code, Some(1), "{told:?}");
        let summary = if more.is_empty() {
            "2 publishes, 1 query: 0 as recorded, 0 otherwise, 1 without comparison, 0 failed, 1 not replayed\n"
        } else {
            r#""notReplayed":1"#
        };
        assert!(told.out.contains(summary), "{}", told.out);
    }
}

#[tokio::test]
async fn a_line_that_makes_no_sense_is_a_usage_error() {
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/senseless.jsonl");
    std::fs::write(path, "{\"skipped\":1}\n\nnonsense\n").expect("the folder is there");
    let told = outcome(command(&["replay", path])).await;
    assert_eq!(told.code, Some(2));
    let start = format!("vantiq-simulator: {path}, line 3: no frame of `tap`: expected ident");
    assert!(told.err.starts_with(&start), "{}", told.err);
}

#[tokio::test]
async fn an_empty_file_is_a_usage_error() {
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/empty.jsonl");
    std::fs::write(path, "").expect("the folder is there");
    let told = outcome(command(&["replay", path])).await;
    let hint = "write some with `vantiq-simulator tap --no-follow --save FILE`";
    assert_eq!((told.code, told.out.as_str()), (Some(2), ""));
    assert_eq!(told.err, format!("vantiq-simulator: {path} has no frames; {hint}\n"));
}

#[tokio::test]
async fn a_recording_of_a_connector_alone_is_a_usage_error() {
    let (program, _connector) = Program::with_thermostat().await;
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/idle.jsonl");
    assert_eq!(program.ask(&["tap", "--no-follow", "--save", path]).await.code, Some(0));
    let told = outcome(command(&["replay", path])).await;
    assert_eq!((told.code, told.out.as_str()), (Some(2), ""));
    let start = format!("vantiq-simulator: {path} has neither publishes nor queries, ");
    assert!(told.err.starts_with(&start) && told.err.lines().count() == 1, "{}", told.err);
}
