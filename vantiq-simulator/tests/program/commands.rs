//! Publishing, asking, configuring and listing from the command line.

use std::process::Stdio;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

use crate::process::{Program, answer, command, next, notification, outcome, send, within};

/// A file with this text, for one test.
fn file(name: &str, text: &str) -> String {
    let path = format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, text).expect("the folder is there");
    path
}

#[tokio::test]
async fn a_publish_takes_its_json_from_anywhere() {
    let (program, mut connector) = Program::with_thermostat().await;
    let path = file("publish.json", "{\n  \"from\": \"file\"\n}\n");
    for (argument, object) in [
        (r#"{"from": "argument"}"#, json!({"from": "argument"})),
        (&format!("@{path}"), json!({"from": "file"})),
        ("-5", json!(-5)),
    ] {
        let told = program.ask(&["publish", "thermostat", argument]).await;
        assert_eq!((told.code, told.out.as_str()), (Some(0), "thermostat: published\n"), "{told:?}");
        assert_eq!(next(&mut connector).await["object"], object);
    }

    let mut reading = Program::spawn(program.command(&["publish", "thermostat", "-", "--json"]));
    let mut stdin = reading.stdin.take().expect("it is piped");
    within(stdin.write_all(br#"{"from": "stdin"}"#)).await.expect("it reads");
    drop(stdin);
    assert_eq!(reading.next_json().await, json!({"done": "published", "source": "thermostat"}));
    assert_eq!(reading.exit_code().await, Some(0));
    assert_eq!(next(&mut connector).await["object"], json!({"from": "stdin"}));
}

#[tokio::test]
async fn nobody_there_is_not_done() {
    let mut program = Program::start(&["--port", "0", "--source", "nobody"]);
    program.greeting().await;
    for verb in ["publish", "query"] {
        let told = program.ask(&[verb, "nobody", "{}"]).await;
        assert_eq!((told.code, told.out.as_str()), (Some(1), ""));
        assert!(told.err.starts_with("vantiq-simulator: "), "{}", told.err);
        assert!(told.err.contains("no connector is attached at present"), "{}", told.err);
        assert_eq!(told.err.lines().count(), 1);

        let told = program.ask(&[verb, "nobody", "{}", "--json"]).await;
        let error: Value = serde_json::from_str(&told.out).expect("it is JSON");
        assert_eq!(error["error"]["code"], "com.accessg2.ag2rs.streams.source.not_found");
        assert_eq!(told.code, Some(1));
    }
    let told = program.ask(&["publish", "no-source", "{}"]).await;
    assert_eq!(told.code, Some(1));
    assert!(
        told.err.ends_with("could not be found; `vantiq-simulator sources` lists those that there are\n"),
        "{}",
        told.err
    );
}

#[tokio::test]
async fn bad_json_is_a_usage_error_with_a_place() {
    let path = file("bad.json", "{\n  'from': 1\n}");
    for (argument, words) in [
        (
            "{from: 1}",
            "the argument: not JSON: key must be a string at line 1 column 2; write keys and texts in double",
        ),
        ("{\"from\":", "put all of it in single quotes"),
        (
            &format!("@{path}"),
            "bad.json: not JSON: key must be a string at line 2 column 3; write keys and texts",
        ),
        ("@no/such/file", "cannot read no/such/file: "),
        ("-", "standard input: the JSON is missing"),
    ] {
        // Before anything is asked: nothing needs to listen.
        let told = outcome(command(&["publish", "thermostat", argument])).await;
        assert_eq!(told.code, Some(2));
        assert!(told.err.starts_with("vantiq-simulator: ") && told.err.contains(words), "{}", told.err);
    }
}

#[tokio::test]
async fn nothing_that_listens_is_one_clear_error() {
    let mut program = Program::start(&["--port", "0"]);
    let (address, _) = program.greeting().await;
    program.quit().await;
    let port = address.rsplit_once(':').expect("it has a port").1;
    let told = outcome(command(&["sources", "--port", port])).await;
    let complaint = format!(
        "vantiq-simulator: nothing listens at http://127.0.0.1:{port}; start it with `vantiq-simulator`, or say where \
         it is with --url\n"
    );
    assert_eq!((told.code, told.err), (Some(3), complaint));
}

#[tokio::test]
async fn errors_are_json_where_that_was_asked_for() {
    let mut program = Program::start(&["--port", "0", "--token", "right"]);
    let (address, _) = program.greeting().await;
    let url = format!("http://{address}");
    let expect = async |code: i32, word: &str, url: &str| {
        for arguments in [
            &["publish", "thermostat", "{}"][..],
            &["query", "thermostat", "{}"],
            &["configure", "thermostat", "{}"],
            &["fault", "heal", "thermostat"],
        ] {
            let told = outcome(command(&[arguments, &["--json", "--url", url]].concat())).await;
            let error: Value = serde_json::from_str(&told.out).expect("it is JSON");
            assert_eq!((told.code, &error["error"]["code"]), (Some(code), &json!(word)), "{told:?}");
            let message = error["error"]["message"].as_str().expect("it is text");
            assert!(told.err.contains(message), "{told:?}");
        }
    };
    expect(2, "usage", "https://127.0.0.1").await;
    expect(3, "token-refused", &url).await;
    program.quit().await;
    expect(3, "unreachable", &url).await;
    let told = outcome(command(&["publish", "thermostat", "{from: 1}", "--json"])).await;
    let error: Value = serde_json::from_str(&told.out).expect("it is JSON");
    assert_eq!((told.code, &error["error"]["code"]), (Some(2), &json!("usage")), "{told:?}");
}

#[tokio::test]
async fn a_refused_token_says_where_it_is_from() {
    let mut program = Program::start(&["--port", "0", "--token", "right"]);
    program.greeting().await;
    let told = program.ask(&["sources", "--token", "wrong"]).await;
    assert_eq!(told.code, Some(3));
    assert!(
        told.err.starts_with("vantiq-simulator: the token of --token is refused at http://"),
        "{}",
        told.err
    );

    let mut asking = program.command(&["sources"]);
    asking.env("VANTIQ_SIMULATOR_TOKEN", "wrong");
    let told = outcome(asking).await;
    assert_eq!(told.code, Some(3));
    assert!(told.err.contains("the token of VANTIQ_SIMULATOR_TOKEN is refused"), "{}", told.err);
    // A token of its own is not kept.
    assert_eq!(program.ask(&["sources"]).await.code, Some(3));
}

#[tokio::test]
async fn the_environment_says_where_it_is() {
    let mut serving = command(&["--port", "0"]);
    serving.env("VANTIQ_SIMULATOR_TOKEN", "right");
    let mut program = Program::spawn(serving);
    let (address, token) = program.greeting().await;
    assert_eq!(token, "right");
    let mut asking = command(&["sources", "--json"]);
    asking.env("VANTIQ_SIMULATOR_URL", format!("http://{address}/")).env("VANTIQ_SIMULATOR_TOKEN", "right");
    // It is on this machine.
    asking.env("HTTP_PROXY", "http://127.0.0.1:1").env("http_proxy", "http://127.0.0.1:1");
    let told = outcome(asking).await;
    assert_eq!((told.code, told.out.as_str()), (Some(0), "[]\n"), "{}", told.err);
}

#[tokio::test]
async fn what_is_no_simulator_is_said_to_be_none() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port().to_string();
    let serving = async {
        let (mut connection, _) = within(listener.accept()).await.expect("somebody comes");
        let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello";
        within(connection.write_all(page.as_bytes())).await.expect("it reads");
        connection
    };
    let (told, _connection) = tokio::join!(outcome(command(&["sources", "--port", &port])), serving);
    assert_eq!(told.code, Some(3));
    assert!(told.err.contains("is not what this command needs: it answers 200: hello"), "{}", told.err);
}

#[tokio::test]
async fn rows_come_as_they_are_answered() {
    let (program, mut connector) = Program::with_thermostat().await;
    let mut asking = Program::spawn(program.command(&["query", "thermostat", r#"{"op": "history"}"#]));
    let query = next(&mut connector).await;
    assert_eq!(query["object"], json!({"op": "history"}));
    answer(&mut connector, &query, 100, json!([{"day": 1}, {"day": 2}])).await;
    // Before the end is sent.
    assert_eq!(asking.next_json().await, json!({"day": 1}));
    assert_eq!(asking.next_json().await, json!({"day": 2}));
    answer(&mut connector, &query, 200, json!({"day": 3})).await;
    let told = asking.outcome().await;
    assert_eq!((told.code, told.out.as_str()), (Some(0), "{\"day\":3}\n"));
    assert!(told.err.starts_with("200: 3 rows in 2 parts, the first after "), "{}", told.err);
}

#[tokio::test]
async fn messages_of_an_answer_are_json_lines() {
    let (program, mut connector) = Program::with_thermostat().await;
    let mut asking = Program::spawn(program.command(&["query", "thermostat", "{}", "--json"]));
    let query = next(&mut connector).await;
    answer(&mut connector, &query, 100, json!([1])).await;
    let part = asking.next_json().await;
    assert_eq!(part["partial"], json!([1]));
    answer(&mut connector, &query, 204, Value::Null).await;
    let end = asking.next_json().await;
    assert_eq!((&end["status"], &end["body"]), (&json!(204), &Value::Null));
    assert!(part["ms"].as_f64() <= end["ms"].as_f64());
    let told = asking.outcome().await;
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn an_answer_that_says_no_is_not_done() {
    let (program, mut connector) = Program::with_thermostat().await;
    let asking = Program::spawn(program.command(&["query", "thermostat", "{}"]));
    let query = next(&mut connector).await;
    let body = json!({"messageCode": "my.code", "messageTemplate": "no {0}", "parameters": ["sensor"]});
    answer(&mut connector, &query, 400, body).await;
    let told = asking.outcome().await;
    let complaint = "vantiq-simulator: the connector answers with status 400: no sensor (my.code)\n";
    assert_eq!((told.code, told.out.as_str(), told.err.as_str()), (Some(1), "", complaint));
}

#[tokio::test]
async fn a_configuration_reaches_the_connector() {
    let (program, mut connector) = Program::with_thermostat().await;
    let path = file("configure.json", r#"{"unit": "kelvin"}"#);
    let told = program.ask(&["configure", "thermostat", &path]).await;
    assert_eq!((told.code, told.out.as_str()), (Some(0), "thermostat: configured\n"));
    assert_eq!(next(&mut connector).await["op"], "reconnectRequired");
    assert_eq!(program.state().await["config"], json!({"unit": "kelvin"}));
}

#[tokio::test]
async fn sources_are_a_table_or_json() {
    let (program, _connector) = Program::with_thermostat().await;
    assert_eq!(program.ask(&["fault", "ack", "z y/x", "nothing"]).await.code, Some(0));
    let table = program.ask(&["sources"]).await;
    let lines: Vec<_> = table.out.lines().collect();
    assert_eq!(lines[0], "NAME        STATE      SINCE  SESSIONS  NOTIFICATIONS  REMARKS");
    assert!(lines.iter().any(|line| line.starts_with("thermostat  connected  ")), "{lines:?}");
    assert!(!table.out.contains('\u{1b}'), "colours are for terminals");
    let state = program.state().await;
    assert_eq!((&state["name"], &state["sessions"]), (&json!("thermostat"), &json!(1)));
}

#[tokio::test]
async fn notifications_are_one_event_a_line() {
    let (program, mut connector) = Program::with_thermostat().await;
    for number in 1..=3 {
        send(&mut connector, &notification("thermostat", &json!({"number": number}))).await;
        next(&mut connector).await;
    }
    let told = program.ask(&["notifications", "thermostat", "--last", "2"]).await;
    assert_eq!((told.code, told.out.as_str()), (Some(0), "{\"number\":2}\n{\"number\":3}\n"));
    let told = program.ask(&["notifications", "thermostat", "--last", "1", "--json"]).await;
    let frame: Value = serde_json::from_str(&told.out).expect("it is JSON");
    assert_eq!((&frame["op"], &frame["message"]["object"]), (&json!("notification"), &json!({"number": 3})));

    let told = program.ask(&["notifications", "termostat"]).await;
    assert_eq!((told.code, told.out.as_str()), (Some(0), ""));
    assert_eq!(told.err, "there is no source `termostat` so far\n");
}

#[tokio::test]
async fn notifications_are_printed_as_they_came() {
    let (program, mut connector) = Program::with_thermostat().await;
    let deep = "[".repeat(140) + &"]".repeat(140);
    let events = [r#""\ud800""#, "1e400", &deep, r#"{"b":1.50, "a":2}"#];
    for event in events {
        let frame = notification("thermostat", &json!("EVENT")).to_string().replace(r#""EVENT""#, event);
        within(connector.send(Message::text(frame))).await.expect("the link is open");
        next(&mut connector).await;
    }
    let told = program.ask(&["notifications", "thermostat"]).await;
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""));
    assert_eq!(told.out.lines().collect::<Vec<_>>(), events);
}

#[cfg(unix)]
#[tokio::test]
async fn notifications_are_followed_until_a_signal() {
    let (program, mut connector) = Program::with_thermostat().await;
    send(&mut connector, &notification("thermostat", &json!(1))).await;
    let mut following = Program::spawn(program.command(&["notifications", "thermostat", "--follow"]));
    assert_eq!(following.next_json().await, json!(1));
    send(&mut connector, &notification("thermostat", &json!(2))).await;
    assert_eq!(following.next_json().await, json!(2));
    following.signal("-INT").await;
    let told = following.outcome().await;
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let told = outcome(command(&["completions", shell])).await;
        assert_eq!(told.code, Some(0));
        for word in
            ["publish", "query", "notifications", "sources", "configure", "fault", "tap", "replay", "silent"]
        {
            assert!(told.out.contains(word), "{shell}: {word}");
        }
    }
}

#[tokio::test]
async fn help_has_examples_and_exit_codes() {
    let told = outcome(command(&["--help"])).await;
    assert!(told.out.contains("Examples:") && told.out.contains("Exit codes:"));
    let mut asking = command(&["query", "--help"]);
    asking.stdout(Stdio::piped());
    assert!(outcome(asking).await.out.contains("Examples:"));
}
