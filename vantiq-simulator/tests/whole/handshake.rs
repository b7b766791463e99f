//! Dialling, `validate` and `connectExtension` (PROTOCOL sections 1, 3 and 5).

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};
use vantiq_simulator::{
    Acknowledge, AcknowledgeOrder, FailureBody, Refusal, Simulator, UpgradeReply, ValidateReply,
};

use crate::client::{Client, End, PATH, connect, simulator, validate, within};
use crate::rest_client::bare;

fn status_of(result: Result<Client, Error>) -> u16 {
    match result {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("expected an HTTP answer, not {other:?}"),
    }
}

#[tokio::test]
async fn a_wrong_path_is_a_failed_upgrade_with_status_200() {
    let simulator = simulator().await;
    for path in ["/", "/api/v1/wsock", "/api/one/wsock/websocket", "/base/api/v1/wsock/websocket"] {
        assert_eq!(status_of(Client::try_dial(&simulator, path).await), 200, "{path}");
    }
    assert_eq!((simulator.dials(), simulator.links()), (4, 0));
}

#[tokio::test]
async fn any_version_number_is_a_right_path() {
    let simulator = simulator().await;
    Client::try_dial(&simulator, "/api/v47/wsock/websocket").await.expect("the upgrade succeeds");
}

#[tokio::test]
async fn plain_requests_get_plain_answers() {
    let simulator = simulator().await;
    assert_eq!(bare(&simulator, "GET", "/").send().await.status, 200);
    assert_eq!(bare(&simulator, "GET", PATH).send().await.status, 400);
    assert_eq!(simulator.dials(), 0);
}

#[tokio::test]
async fn upgrades_are_refused_as_planned() {
    let simulator = simulator().await;
    simulator.on_next_upgrades(2, UpgradeReply::Status(503));
    for _ in 0..2 {
        assert_eq!(status_of(Client::try_dial(&simulator, PATH).await), 503);
    }
    Client::dial(&simulator).await;
    assert_eq!(simulator.dials(), 3);
}

#[tokio::test]
async fn the_success_body_has_the_members_of_a_real_one() {
    let simulator = simulator().await;
    let mut client = Client::dial(&simulator).await;
    client.send(validate(simulator.token())).await;
    let user = json!({
        "accessToken": "simulated-access-token", "idToken": "simulated.id.token",
        "username": "connector__simulator", "preferredUsername": "connector__simulator",
        "namespace": "simulator", "homeNamespace": "simulator", "createdBy": "simulator",
        "userType": "node", "profiles": ["simulator.admin"],
    });
    assert_eq!(
        client.next().await,
        json!({"status": 200, "contentType": "application/json", "body": {"anonymous": false, "userInfo": user}})
    );
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_the_socket_stays_usable() {
    let simulator = simulator().await;
    let mut client = Client::dial(&simulator).await;
    client.send(validate("wrong")).await;
    assert_eq!(
        client.next().await,
        json!({"status": 400, "contentType": "application/json", "body": [{
            "code": "io.vantiq.authentication.failed",
            "message": "Failed to authenticate supplied credentials.", "params": [],
        }]})
    );
    client.send(validate(simulator.token())).await;
    assert_eq!(client.next().await["status"], 200);
}

#[tokio::test]
async fn the_old_resource_name_is_refused() {
    let simulator = simulator().await;
    let mut client = Client::dial(&simulator).await;
    client.send(json!({"op": "validate", "resourceName": "users", "object": simulator.token()})).await;
    assert_eq!(client.next().await["status"], 400);
}

#[tokio::test]
async fn failures_come_in_every_known_shape() {
    let simulator = simulator().await;
    let mut client = Client::dial(&simulator).await;
    let code = "io.vantiq.authentication.failed";
    let check = |body: FailureBody, answer: &Value| match body {
        FailureBody::List => answer["body"][0]["code"] == code,
        FailureBody::Object => answer["body"]["code"] == code,
        FailureBody::Error => answer["body"]["error"].is_string(),
        FailureBody::Text => answer["body"].is_string(),
        FailureBody::Null => answer.get("body") == Some(&Value::Null),
        _ => answer.get("body").is_none(),
    };
    for body in [
        FailureBody::List,
        FailureBody::Object,
        FailureBody::Error,
        FailureBody::Text,
        FailureBody::Null,
        FailureBody::Missing,
    ] {
        simulator.on_next_validates(1, &ValidateReply::refuse_with(503, body));
        client.send(validate(simulator.token())).await;
        let answer = client.next().await;
        assert_eq!(answer["status"], 503);
        assert!(check(body, &answer), "{body:?}: {answer}");
    }
}

#[tokio::test]
async fn an_unanswered_validate_can_be_repeated() {
    let simulator = simulator().await;
    simulator.on_next_validates(2, &ValidateReply::NoAnswer);
    let mut client = Client::dial(&simulator).await;
    for request_id in ["1", "2", "3"] {
        let mut message = validate(simulator.token());
        message["parameters"] = json!({"requestId": request_id});
        client.send(message).await;
    }
    assert_eq!(client.next().await["headers"]["X-Request-Id"], "3");
}

#[tokio::test]
async fn authenticate_takes_the_configured_login_only() {
    let simulator = Simulator::builder().login("u", "p").start().await.expect("a free port");
    let mut client = Client::dial(&simulator).await;
    for (password, status) in [("q", 400), ("p", 200)] {
        let object = json!({"username": "u", "password": password});
        client
            .send(json!({"op": "authenticate", "resourceName": "system.credentials", "object": object}))
            .await;
        assert_eq!(client.next().await["status"], status);
    }
}

#[tokio::test]
async fn nothing_else_is_heard_before_validate() {
    let simulator = simulator().await;
    let mut client = Client::dial(&simulator).await;
    client.send(connect("thermostat", None)).await;
    assert_eq!(client.next().await["status"], 400);
    assert_eq!(simulator.violations(), ["link 1: sent connectExtension before validate"]);
    assert!(!simulator.source("thermostat").is_attached());
}

#[tokio::test]
async fn configure_extension_is_a_binary_frame_with_the_whole_envelope() {
    let simulator = simulator().await;
    let mut client = Client::validated(&simulator).await;
    client.send(connect("thermostat", None)).await;
    let frame = client.next_frame().await;
    assert!(matches!(frame, Message::Binary(_)));
    let mut message: Value = serde_json::from_slice(&frame.into_data()).expect("the simulator sends JSON");
    assert_eq!(message["address"].take().as_str().map(str::len), Some(36));
    assert_eq!(
        message,
        json!({
            "op": "configureExtension", "resourceName": "sources", "resourceId": "thermostat",
            "isSystemResource": true, "parameters": {}, "contentType": "application/json",
            "skipMonitoring": false, "isExternal": false, "address": null, "messageHeaders": {},
            "object": {"config": {"unit": "celsius"}},
        })
    );
}

#[tokio::test]
async fn text_frames_can_be_had() {
    let simulator = Simulator::builder().text_frames(true).start().await.expect("a free port");
    let mut client = Client::dial(&simulator).await;
    client.send(validate(simulator.token())).await;
    assert!(matches!(client.next_frame().await, Message::Text(_)));
}

#[tokio::test]
async fn binary_frames_are_understood() {
    let simulator = simulator().await;
    let mut client = Client::dial(&simulator).await;
    client.send_frame(Message::binary(validate(simulator.token()).to_string())).await;
    assert_eq!(client.next().await["status"], 200);
}

#[tokio::test]
async fn acknowledgements_go_before_or_after_the_configuration() {
    let configuration = "configureExtension";
    for (order, place) in
        [(AcknowledgeOrder::BeforeConfiguration, 2), (AcknowledgeOrder::AfterConfiguration, 0)]
    {
        let builder = Simulator::builder().any_source(true).connect_acknowledgements(2, order);
        let simulator = builder.start().await.expect("a free port");
        let mut client = Client::validated(&simulator).await;
        client.send(connect("any", None)).await;
        for index in 0..3 {
            let message = client.next().await;
            let expected = if index == place {
                message["op"] == configuration
            } else {
                message == json!({"status": 200})
            };
            assert!(expected, "{order:?}, message {index}: {message}");
        }
    }
}

#[tokio::test]
async fn everything_acknowledges_connect_extension_too() {
    let builder = Simulator::builder().any_source(true).acknowledge(Acknowledge::Everything);
    let simulator = builder.start().await.expect("a free port");
    let mut client = Client::validated(&simulator).await;
    client.send(connect("any", None)).await;
    assert_eq!(client.next().await, json!({"status": 200}));
    assert_eq!(client.next().await["op"], "configureExtension");
}

#[tokio::test]
async fn an_unlisted_source_is_refused_unless_any_is_accepted() {
    for any in [false, true] {
        let simulator = Simulator::builder().any_source(any).start().await.expect("a free port");
        let mut client = Client::validated(&simulator).await;
        client.send(connect("nowhere", None)).await;
        let message = client.next().await;
        assert_eq!(message["op"] == "configureExtension", any, "{message}");
        assert_eq!(message["status"] == 400, !any, "{message}");
    }
}

#[tokio::test]
async fn refusals_last_as_long_as_planned() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    source.refuse(Refusal::NotActive);
    source.refuse_times(1, Refusal::NoAssociatedStream);
    let mut client = Client::validated(&simulator).await;
    for words in ["does not have an associated stream", "is not currently active", "is not currently active"]
    {
        client.send(connect("thermostat", None)).await;
        let message = client.next().await;
        assert!(message["body"][0]["message"].as_str().is_some_and(|text| text.contains(words)), "{message}");
    }
    source.accept();
    client.send(connect("thermostat", None)).await;
    assert_eq!(client.next().await["op"], "configureExtension");
    assert_eq!(source.sessions(), 1);
}

#[tokio::test]
async fn a_refusal_closes_the_socket_where_asked_to() {
    let simulator = Simulator::builder().close_after_refusal(true).start().await.expect("a free port");
    let mut client = Client::dial(&simulator).await;
    client.send(validate("wrong")).await;
    assert_eq!(client.next().await["status"], 400);
    assert_eq!(client.end().await, End::Close(1000));
}

#[tokio::test]
async fn the_printed_configuration_names_url_token_and_sources() {
    let builder = Simulator::builder().token("secret").source("b", json!({})).source("a", json!({}));
    let simulator = builder.start().await.expect("a free port");
    let url = simulator.url();
    assert_eq!(simulator.server_config(), format!("targetServer={url}\nauthToken=secret\nsources=a,b\n"));
}

#[tokio::test]
async fn an_unanswered_upgrade_leaves_the_dialler_waiting() {
    let simulator = simulator().await;
    simulator.on_upgrade(UpgradeReply::NoAnswer);
    let dial = Client::try_dial(&simulator, PATH);
    tokio::select! {
        result = dial => panic!("no answer was planned, but {result:?} came"),
        dialled = simulator.wait_for("the dial", |simulator| simulator.dials() == 1) => dialled.expect("it dials"),
    }
    within(simulator.stop()).await.expect("an open question does not keep the simulator");
}
