//! Serving, as a person or a supervisor starts it.

use serde_json::json;
use tokio::net::TcpListener;

use crate::process::{Outcome, Program, TOKENS, command, next, outcome, send, within};

/// Exit code and complaint of a program that is not expected to start.
async fn failure(arguments: &[&str]) -> (Option<i32>, String) {
    let Outcome { code, err, .. } = outcome(command(arguments)).await;
    (code, err)
}

#[tokio::test]
async fn what_is_typed_reaches_the_connector_and_answers_come_back() {
    let mut program = Program::start(&["--port", "0", "--source", r#"thermostat={"unit":"celsius"}"#]);
    let mut connector = program.attach("thermostat").await;
    program.type_in(r#"publish thermostat {"target": 21}"#).await;
    assert_eq!(next(&mut connector).await["object"], json!({"target": 21}));

    program.type_in(r#"query thermostat {"op": "current"}"#).await;
    let query = next(&mut connector).await;
    let headers = json!({"X-Reply-Address": query["messageHeaders"]["REPLY_ADDR_HEADER"]});
    send(&mut connector, &json!({"status": 100, "headers": headers, "body": [1]})).await;
    send(&mut connector, &json!({"status": 200, "headers": headers, "body": {"celsius": 21}})).await;
    assert_eq!(program.line("thermostat answers in part:").await, " [1]");
    assert_eq!(program.line("thermostat answers with status").await, r#" 200: {"celsius":21}"#);

    program.type_in("publish nobody {}").await;
    program.line("no connector is attached to the source `nobody`").await;
    drop(connector);
    program.type_in("quit").await;
    assert_eq!(program.exit_code().await, Some(0));
}

#[tokio::test]
async fn the_end_of_standard_input_is_not_the_end() {
    let mut program = Program::start(&["--port", "0"]);
    drop(program.stdin.take());
    program.attach("anything").await;
    assert!(program.child.try_wait().expect("it was started").is_none());
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_ends_it_with_exit_code_0() {
    for signal in ["-TERM", "-INT"] {
        let mut program = Program::start(&["--port", "0"]);
        program.line("Type `help`").await;
        program.signal(signal).await;
        assert_eq!(program.exit_code().await, Some(0), "{signal}");
    }
}

#[tokio::test]
async fn a_taken_port_is_one_clear_error() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let (code, complaint) = failure(&["--port", &port]).await;
    assert_eq!(code, Some(1));
    assert!(
        complaint.starts_with(&format!("vantiq-simulator: cannot listen on 127.0.0.1:{port}: ")),
        "{complaint}"
    );
    assert_eq!(complaint.lines().count(), 1);
}

#[tokio::test]
async fn bad_json_and_a_missing_file_are_usage_errors() {
    let (code, complaint) = failure(&["--source", "a={"]).await;
    assert_eq!(code, Some(2));
    assert!(complaint.contains("the part after `=` is not JSON"), "{complaint}");
    let (code, complaint) = failure(&["--sources", "no/such/file.json"]).await;
    assert_eq!(code, Some(2));
    assert!(complaint.starts_with("vantiq-simulator: cannot read no/such/file.json: "), "{complaint}");
    let (code, complaint) = failure(&["--sources", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]).await;
    assert_eq!(code, Some(2));
    assert!(complaint.contains("must be an object of source names"), "{complaint}");
}

#[tokio::test]
async fn unlisted_sources_are_refused_where_asked_to() {
    let mut program = Program::start(&["--port", "0", "--only-listed", "--token", "secret"]);
    assert_eq!(program.line("Access token: ").await, "secret");
    let mut connector = program.attach("anything").await;
    send(&mut connector, &json!({"op": "connectExtension", "resourceName": "sources", "resourceId": "x"}))
        .await;
    assert_eq!(next(&mut connector).await["status"], 400);
}

#[tokio::test]
async fn a_refused_token_is_logged_and_not_shown() {
    let mut program = Program::spawn(command(&["--port", "0"]));
    let (mut connector, _) = program.dial().await;
    let validate = json!({"op": "validate", "resourceName": "system.credentials", "object": "canary"});
    send(&mut connector, &validate).await;
    assert_eq!(next(&mut connector).await["status"], 400);
    drop(connector);
    program.type_in("quit").await;
    let output = within(program.child.wait_with_output()).await.expect("it was started");
    let log = String::from_utf8(output.stderr).expect("the log is text");
    assert!(
        log.contains("WARN credentials refused; `authToken` is not the token of this simulator"),
        "{log}"
    );
    assert!(!log.contains("canary"), "{log}");
}

#[tokio::test]
async fn the_token_of_a_port_stays_the_same() {
    let mut first = Program::start(&["--port", "0"]);
    let (address, once) = first.greeting().await;
    let port = address.rsplit_once(':').expect("it has a port").1;
    let file = std::path::Path::new(TOKENS).join(format!("{port}.token"));
    assert_eq!(std::fs::read_to_string(&file).expect("it is kept").trim(), once);
    first.quit().await;
    assert!(!file.exists(), "nobody asks for a port by chance again");

    let mut second = Program::start(&["--port", port]);
    let token = second.line("authToken=").await;
    assert_ne!(token, once);
    second.quit().await;
    let mut third = Program::start(&["--port", port]);
    assert_eq!(third.line("authToken=").await, token);
    third.quit().await;
    let mut fourth = Program::start(&["--port", port, "--token", "given"]);
    assert_eq!(fourth.line("authToken=").await, "given");
    assert_eq!(std::fs::read_to_string(&file).expect("it is kept").trim(), token);
}
