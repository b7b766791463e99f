//! What applications and administrators do by REST (PROTOCOL section 11).

use serde_json::json;
use vantiq_simulator::Simulator;

use crate::client::{Client, connect, simulator};
use crate::rest_client::{bare, request};

const SOURCES: &str = "/api/v1/resources/sources";
const THERMOSTAT: &str = "/api/v1/resources/sources/thermostat";

#[tokio::test]
async fn one_logs_in_with_a_password_or_the_token() {
    let simulator = Simulator::builder().login("me", "secret").start().await.expect("it starts");
    let token = json!(simulator.token());
    // me:secret
    let basic = bare(&simulator, "GET", "/authenticate").header("Authorization", "Basic bWU6c2VjcmV0");
    assert_eq!(basic.send().await.ok()["accessToken"], token);
    let refreshed = bare(&simulator, "POST", "/authenticate/refresh").text(simulator.token()).send().await;
    assert_eq!(refreshed.ok()["accessToken"], token);
    request(&simulator, "GET", "/api/v1/_status").send().await.ok();
    for refused in [
        bare(&simulator, "GET", "/authenticate"),
        bare(&simulator, "GET", "/authenticate").header("Authorization", "Basic bWU6d3Jvbmc="),
        bare(&simulator, "GET", "/api/v1/_status").header("Authorization", "Bearer wrong"),
        bare(&simulator, "POST", "/authenticate/refresh").text("wrong"),
        bare(&simulator, "GET", SOURCES),
        bare(&simulator, "POST", THERMOSTAT).text("{}"),
        bare(&simulator, "POST", "/api/v1/resources/topics//a").text("{}"),
    ] {
        assert_eq!(refused.send().await.error(), (401, "io.vantiq.authentication.failed"));
    }
}

#[tokio::test]
async fn a_message_and_a_question_reach_the_connector() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    request(&simulator, "POST", THERMOSTAT).body(json!({"target": 21})).send().await.ok();
    assert_eq!(client.next().await["object"], json!({"target": 21}));

    let path = format!("{THERMOSTAT}/query");
    for (answers, expected) in [
        (vec![(200, json!({"t": 1}))], json!({"t": 1})),
        (vec![(200, json!([{"t": 1}]))], json!([{"t": 1}])),
        (vec![(100, json!([1, 2])), (204, json!(null))], json!([1, 2])),
        (vec![(204, json!(null))], json!([])),
    ] {
        let asked = request(&simulator, "POST", &path).body(json!({"op": "current"})).send();
        let answered = async {
            let query = client.next().await;
            assert_eq!((&query["op"], &query["object"]["op"]), (&json!("query"), &json!("current")));
            for (status, body) in answers {
                client.answer(&query, status, body).await;
            }
        };
        let (asked, ()) = tokio::join!(asked, answered);
        assert_eq!(asked.ok(), expected);
    }
}

#[tokio::test]
async fn what_a_source_cannot_do_is_an_error_as_a_server_has_it() {
    let simulator = simulator().await;
    let query = format!("{THERMOSTAT}/query");
    let nobody = request(&simulator, "POST", &query).text("{}").send().await;
    assert_eq!(nobody.error(), (400, "com.accessg2.ag2rs.streams.source.not_found"));
    let message = nobody.body[0]["message"].as_str().expect("a text");
    assert!(message.ends_with("has no associated session for operation query."), "{message}");

    let mut client = Client::attached(&simulator, "thermostat").await;
    let asked = request(&simulator, "POST", &query).text("{}").send();
    let answered = async {
        let query = client.next().await;
        let error =
            json!({"messageCode": "com.example.bad", "messageTemplate": "Bad {0}", "parameters": ["x"]});
        client.answer(&query, 400, error).await;
    };
    let (asked, ()) = tokio::join!(asked, answered);
    assert_eq!((asked.error(), &asked.body[0]["message"]), ((400, "com.example.bad"), &json!("Bad x")));

    let missing = request(&simulator, "POST", &format!("{SOURCES}/nowhere")).text("{}").send().await;
    assert_eq!(missing.error(), (404, "io.vantiq.resource.not.found"));
    let torn = request(&simulator, "POST", THERMOSTAT).text("{").send().await;
    assert_eq!(torn.error(), (400, "io.vantiq.server.error"));
    let elsewhere = request(&simulator, "GET", "/api/v1/resources/types").send().await;
    assert_eq!(elsewhere.error(), (404, "io.vantiq.resource.not.found"));
    let odd = request(&simulator, "PUT", SOURCES).text("{}").send().await;
    assert_eq!(odd.error(), (405, "io.vantiq.server.error"));
}

#[tokio::test]
async fn a_query_without_an_answer_is_timed_out() {
    let timeout = std::time::Duration::from_millis(1);
    let builder = Simulator::builder().source("thermostat", json!({})).query_timeout(timeout);
    let simulator = builder.start().await.expect("it starts");
    let _client = Client::attached(&simulator, "thermostat").await;
    let answer = request(&simulator, "POST", &format!("{THERMOSTAT}/query")).text("{}").send().await;
    assert_eq!(answer.error(), (400, "io.vantiq.sourcemgr.request.timeout"));
}

#[tokio::test]
async fn sources_are_created_listed_changed_and_deleted() {
    let simulator = simulator().await;
    let record = json!({"name": "meter", "type": "METER", "config": {"unit": "kWh"}});
    let created = request(&simulator, "POST", SOURCES).body(record.clone()).send().await.ok();
    assert_eq!((&created["active"], &created["config"]), (&json!(true), &record["config"]));
    let again = request(&simulator, "POST", SOURCES).body(record.clone()).send().await;
    assert_eq!(again.error(), (409, "io.vantiq.resource.already.exists"));
    let upserted = request(&simulator, "POST", &format!("{SOURCES}?upsert=true"))
        .body(json!({"name": "meter", "config": 1}));
    assert_eq!(upserted.send().await.ok()["type"], "METER", "what is absent stays");

    let listed =
        request(&simulator, "GET", &format!("{SOURCES}?count=true&props=%5B%22name%22%5D")).send().await;
    assert!(listed.head.contains("x-total-count: 2"), "{}", listed.head);
    assert_eq!(listed.ok(), json!([{"name": "meter"}, {"name": "thermostat"}]));

    let updated =
        request(&simulator, "PUT", &format!("{SOURCES}/meter")).body(json!({"config": {"unit": "J"}}));
    assert_eq!(updated.send().await.ok()["config"], json!({"unit": "J"}));
    let renamed =
        request(&simulator, "PUT", &format!("{SOURCES}/meter")).body(json!({"name": "other"})).send().await;
    assert_eq!(renamed.error(), (400, "io.vantiq.resource.invalid"));
    for wrong in [json!([]), json!({"config": {}}), json!({"name": "x", "active": 1})] {
        let refused = request(&simulator, "POST", SOURCES).body(wrong).send().await;
        assert_eq!(refused.error(), (400, "io.vantiq.resource.invalid"));
    }

    request(&simulator, "DELETE", &format!("{SOURCES}/meter")).send().await.ok();
    let gone = request(&simulator, "GET", &format!("{SOURCES}/meter")).send().await;
    assert_eq!(gone.error(), (404, "io.vantiq.resource.not.found"));
    let deleted = request(
        &simulator,
        "DELETE",
        &format!("{SOURCES}?where=%7B%22name%22%3A%22thermostat%22%7D&count=true"),
    );
    let deleted = deleted.send().await;
    assert!(deleted.head.contains("x-total-count: 1"), "{}", deleted.head);
    assert_eq!(request(&simulator, "GET", SOURCES).send().await.ok(), json!([]));
}

#[tokio::test]
async fn a_change_has_the_connector_attach_anew() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    request(&simulator, "PUT", THERMOSTAT).body(json!({"config": {"unit": "kelvin"}})).send().await.ok();
    assert_eq!(client.next().await["op"], "reconnectRequired");
    client.send(connect("thermostat", Some("secret"))).await;
    assert_eq!(client.next().await["object"]["config"], json!({"unit": "kelvin"}));
}

#[tokio::test]
async fn a_source_that_is_not_active_takes_neither_connector_nor_message() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    let active = |value| json!([{"op": "replace", "path": "/active", "value": value}]);
    let patched = request(&simulator, "PATCH", THERMOSTAT).body(active(false)).send().await.ok();
    assert_eq!(patched["active"], false);
    assert_eq!(client.next().await["op"], "reconnectRequired");
    client.send(connect("thermostat", Some("secret"))).await;
    let refused = client.next().await;
    assert_eq!(refused["body"][0]["code"], "io.vantiq.sourcemgr.source.not.active");
    let published = request(&simulator, "POST", THERMOSTAT).text("{}").send().await;
    assert_eq!(published.error(), (400, "io.vantiq.sourcemgr.source.not.active"));

    request(&simulator, "PATCH", THERMOSTAT).body(active(true)).send().await.ok();
    client.send(connect("thermostat", Some("secret"))).await;
    assert_eq!(client.next().await["op"], "configureExtension");
}

#[tokio::test]
async fn kinds_of_sources_are_kept_as_they_came() {
    let simulator = simulator().await;
    let path = "/api/v1/resources/sourceimpls";
    let record = json!({"name": "METER", "baseType": "EXTENSION", "verticle": "service:extensionSource"});
    assert_eq!(request(&simulator, "POST", path).body(record.clone()).send().await.ok(), record);
    assert_eq!(request(&simulator, "GET", path).send().await.ok(), json!([record]));
    assert_eq!(request(&simulator, "GET", &format!("{path}/METER")).send().await.ok(), record);
    request(&simulator, "DELETE", &format!("{path}/METER")).send().await.ok();
    let gone = request(&simulator, "GET", &format!("{path}/METER")).send().await;
    assert_eq!(gone.error(), (404, "io.vantiq.resource.not.found"));
}

#[tokio::test]
async fn a_web_page_elsewhere_is_turned_away() {
    let simulator = simulator().await;
    let origin = request(&simulator, "GET", SOURCES).header("Origin", "http://evil.example").send().await;
    let host = request(&simulator, "GET", SOURCES).header("Host", "evil.example").send().await;
    let upgrade = bare(&simulator, "GET", "/api/v1/wsock/websocket").header("Origin", "http://evil.example");
    let upgrade = upgrade.header("Upgrade", "websocket").send().await;
    assert_eq!([origin.status, host.status, upgrade.status], [403; 3]);
}

#[tokio::test]
async fn nobody_else_is_served_unless_that_is_allowed() {
    let open = || Simulator::builder().address([0, 0, 0, 0].into());
    let refused = open().start().await.expect_err("others could reach it");
    assert!(refused.to_string().contains("others can reach 0.0.0.0"), "{refused}");
    open().allow_remote(true).start().await.expect("it is allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_the_same_time_do_not_undo_each_other() {
    const CHANGES: usize = 20;
    let simulator = simulator().await;
    let mut changes = tokio::task::JoinSet::new();
    let simulator = std::sync::Arc::new(simulator);
    for number in 0..CHANGES {
        let simulator = std::sync::Arc::clone(&simulator);
        changes.spawn(async move {
            let place = format!("/config/{number}");
            let patch = json!([{"op": "add", "path": place, "value": number}]);
            request(&simulator, "PATCH", THERMOSTAT).body(patch).send().await.ok()
        });
    }
    changes.join_all().await;
    let record = request(&simulator, "GET", THERMOSTAT).send().await.ok();
    assert_eq!(record["config"].as_object().map(serde_json::Map::len), Some(CHANGES + 1), "{record}");
}
