//! The control interface, as the console and the program's commands use it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vantiq_simulator::{Acknowledge, Refusal, Simulator};

use crate::client::{Client, End, connect, simulator};
use crate::rest_client::{Answer, AnswerLines, bare, request};

const STATE: &str = "/simulator/state";
const FAULTS: &str = "/simulator/sources/thermostat/faults";

async fn state(simulator: &Simulator) -> Value {
    let mut state = request(simulator, "GET", STATE).send().await.ok();
    state["sources"][0].take()
}

async fn frames(simulator: &Simulator, wanted: &str) -> AnswerLines {
    request(simulator, "GET", &format!("/simulator/frames?{wanted}")).stream().await
}

async fn inflict(simulator: &Simulator, fault: Value) -> Answer {
    request(simulator, "POST", FAULTS).body(fault).send().await
}

#[tokio::test]
async fn nobody_is_told_anything_without_the_token() {
    let simulator = simulator().await;
    for (method, path) in [
        ("GET", STATE),
        ("GET", "/simulator/frames"),
        ("POST", "/simulator/sources/thermostat/query"),
        ("POST", FAULTS),
        ("DELETE", FAULTS),
    ] {
        let answer = bare(&simulator, method, path).send().await;
        assert_eq!(answer.error(), (401, "io.vantiq.authentication.failed"), "{method} {path}");
    }
}

#[tokio::test]
async fn the_state_follows_a_source_through_its_life() {
    let simulator = simulator().await;
    let mut states = request(&simulator, "GET", &format!("{STATE}?follow=true")).stream().await;
    let first = states.next().await.expect("there is a state at once");
    assert_eq!(
        (&first["sources"][0]["state"], &first["sources"][0]["since"]),
        (&json!("waiting"), &json!(null))
    );

    let mut client = Client::attached(&simulator, "thermostat").await;
    let connected = states.find(|state| state["sources"][0]["state"] == "connected").await;
    assert!(connected["sources"][0]["since"].as_f64() >= first["started"].as_f64());

    client.notify("thermostat", json!({"celsius": 21})).await;
    let notified = states.find(|state| state["sources"][0]["notifications"] == 1).await;
    assert_eq!(notified["sources"][0]["lastNotification"]["object"], json!({"celsius": 21}));

    simulator.source("thermostat").configure(json!({"unit": "kelvin"})).await.expect("it is attached");
    let told = states.find(|state| state["sources"][0]["state"] == "reconnecting").await;
    assert_eq!(told["sources"][0]["config"], json!({"unit": "kelvin"}));
    drop(client);
    states.find(|state| state["sources"][0]["state"] == "waiting").await;
}

#[tokio::test]
async fn a_refusal_is_shown_until_the_source_is_healed() {
    let simulator = simulator().await;
    inflict(&simulator, json!({"fault": "refuse", "as": "no-stream"})).await.ok();
    let mut client = Client::validated(&simulator).await;
    client.send(connect("thermostat", None)).await;
    assert_eq!(client.next().await["status"], 400);
    let refused = state(&simulator).await;
    assert_eq!((&refused["refusing"], &refused["lastRefusal"]["status"]), (&json!("no-stream"), &json!(400)));
    assert!(
        refused["lastRefusal"]["message"].as_str().is_some_and(|text| text.contains("associated stream"))
    );

    request(&simulator, "DELETE", FAULTS).send().await.ok();
    assert_eq!(state(&simulator).await["refusing"], json!(null));
    client.send(connect("thermostat", None)).await;
    assert_eq!(client.next().await["op"], "configureExtension");
}

fn unusable_configuration() -> Value {
    json!({
        "messageCode": "vantiq.connector.configuration",
        "messageTemplate": "cannot use it: {0}",
        "parameters": ["missing field `unit`"],
    })
}

#[tokio::test]
async fn a_late_answer_says_nothing_of_the_configuration_of_a_new_source() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    let source = simulator.source("thermostat");
    let pending = source.start_query(json!({})).await.expect("it is attached");
    let query = client.next().await;
    source.remove().await.expect("it is attached");
    source.configure(json!({})).await.expect("nobody needs to be attached");
    client.answer(&query, 400, unusable_configuration()).await;
    pending.await.expect("it is answered");
    assert_eq!(state(&simulator).await["configurationError"], json!(null));
}

#[tokio::test]
async fn a_configuration_that_a_connector_cannot_use_shows_in_its_answers() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    let source = simulator.source("thermostat");
    let pending = source.start_query(json!({})).await.expect("it is attached");
    let query = client.next().await;
    client.answer(&query, 400, unusable_configuration()).await;
    pending.await.expect("it is answered");
    assert_eq!(state(&simulator).await["configurationError"], "cannot use it: missing field `unit`");

    client.send(connect("thermostat", Some("secret"))).await;
    client.next().await;
    assert_eq!(state(&simulator).await["configurationError"], json!(null));
}

#[tokio::test]
async fn answers_come_as_they_are_given() {
    let simulator = simulator().await;
    let path = "/simulator/sources/thermostat/query";
    let refused = request(&simulator, "POST", path).send().await;
    assert_eq!(refused.error(), (400, "com.accessg2.ag2rs.streams.source.not_found"));

    let mut client = Client::attached(&simulator, "thermostat").await;
    let asking = request(&simulator, "POST", path).body(json!({"op": "history"})).stream();
    let (mut answers, query) = tokio::join!(asking, client.next());
    assert_eq!(query["object"], json!({"op": "history"}));
    client.answer(&query, 100, json!([{"day": 1}])).await;
    let part = answers.next().await.expect("it comes before the end");
    assert_eq!(part["partial"], json!([{"day": 1}]));
    client.answer(&query, 204, json!(null)).await;
    let end = answers.next().await.expect("there is an end");
    assert_eq!((&end["status"], &end["body"]), (&json!(204), &json!(null)));
    assert!(end["ms"].as_f64() >= part["ms"].as_f64());
    assert_eq!(answers.next().await, None);

    let asking = request(&simulator, "POST", path).body(json!({})).stream();
    let (mut answers, _) = tokio::join!(asking, client.next());
    drop(client);
    assert!(answers.next().await.expect("there is an end")["error"]["message"].is_string());
    assert_eq!(answers.next().await, None);
}

#[tokio::test]
async fn frames_of_both_directions_are_told_and_secrets_are_not() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    client.notify("thermostat", json!({"celsius": 21})).await;
    client.next().await;
    let told = frames(&simulator, "").await.rest().await;
    let ways: Vec<_> = told.iter().map(|frame| (frame["direction"].as_str(), frame["op"].as_str())).collect();
    let (received, sent) = (Some("received"), Some("sent"));
    assert_eq!(
        ways,
        [
            (received, Some("validate")),
            (sent, None),
            (received, Some("connectExtension")),
            (sent, Some("configureExtension")),
            (received, Some("notification")),
            (sent, None),
        ]
    );
    assert_eq!(told[5]["acknowledges"], json!([5]));
    assert_eq!((&told[4]["source"], &told[5]["source"]), (&json!("thermostat"), &json!("thermostat")));
    let text = json!(told).to_string();
    assert!(!text.contains(simulator.token()) && !text.contains(r#""secret""#), "{text}");

    assert_eq!(
        frames(&simulator, "op=notification&direction=received").await.rest().await,
        [told[4].clone()]
    );
    assert_eq!(frames(&simulator, "after=4&last=2").await.rest().await, told[4..]);
    assert_eq!(
        frames(&simulator, "last=1&source=thermostat&direction=sent").await.rest().await,
        [told[5].clone()]
    );
    assert!(frames(&simulator, "source=other").await.rest().await.is_empty());
}

#[tokio::test]
async fn a_follower_sees_what_comes_and_how_much_was_left_out() {
    const NOTIFICATIONS: u64 = 2_000;
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    let mut all = frames(&simulator, "follow=true&last=0&op=notification").await;
    let began = Instant::now();
    let mut some = frames(&simulator, "follow=true&last=0&rate=10").await;
    for number in 0..NOTIFICATIONS {
        client.notify("thermostat", json!(number)).await;
    }
    for number in 0..NOTIFICATIONS {
        assert_eq!(all.next().await.expect("it goes on")["message"]["object"], number);
    }
    // With an acknowledgement for each.
    let (mut told, mut skipped) = (0_u32, 0);
    while u64::from(told) + skipped < 2 * NOTIFICATIONS {
        let line = some.next().await.expect("it goes on");
        match line["skipped"].as_u64() {
            Some(more) => skipped += more,
            None => told += 1,
        }
    }
    assert_eq!(u64::from(told) + skipped, 2 * NOTIFICATIONS);
    // One in each tenth of a second, and one each at the beginning and at the end.
    assert!(f64::from(told) <= began.elapsed().as_secs_f64() * 10.0 + 2.0, "{told} in {:?}", began.elapsed());
}

#[tokio::test]
async fn what_is_asked_for_once_ends_while_more_comes() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    let flow = async {
        loop {
            client.notify("thermostat", json!({})).await;
            client.next().await;
        }
    };
    let asking = async {
        simulator.source("thermostat").wait_notifications(50).await.expect("they come");
        for _ in 0..20 {
            assert_eq!(frames(&simulator, "last=10").await.rest().await.len(), 10);
            assert!(frames(&simulator, "").await.rest().await.len() >= 50);
        }
    };
    tokio::select! {
        () = flow => unreachable!("it has no end"),
        () = asking => {}
    }
}

#[tokio::test]
async fn who_comes_back_is_told_of_the_gap() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    for _ in 0..10 {
        client.notify("thermostat", json!({})).await;
        client.next().await;
    }
    let told = frames(&simulator, "after=2&last=4").await.rest().await;
    assert_eq!(told[0], json!({"skipped": 18}));
    let numbers: Vec<_> = told[1..].iter().map(|frame| frame["number"].as_u64()).collect();
    assert_eq!(numbers, [21, 22, 23, 24].map(Some));
}

#[tokio::test]
async fn a_follower_passes_over_what_is_too_large_to_be_kept() {
    let simulator =
        Simulator::builder().any_source(true).recording_limit(1).start().await.expect("a free port");
    let mut client = Client::attached(&simulator, "thermostat").await;
    let mut following = frames(&simulator, "after=1&follow=true").await;
    assert_eq!(following.next().await, Some(json!({"skipped": 3})));
    client.notify("thermostat", json!({})).await;
    client.next().await;
    let mut skipped = 0;
    while skipped < 2 {
        skipped += following.next().await.and_then(|line| line["skipped"].as_u64()).expect("it goes on");
    }
    assert_eq!(skipped, 2);
}

#[tokio::test]
async fn incidents_stand_where_they_happened_for_those_who_ask() {
    let simulator = simulator().await;
    let mut following = frames(&simulator, "events=true&follow=true").await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    let ended = |line: &Value| line["event"] == "linkEnded";
    inflict(&simulator, json!({"fault": "slow", "ms": 1})).await.ok();
    request(&simulator, "DELETE", FAULTS).send().await.ok();
    request(&simulator, "DELETE", FAULTS).send().await.ok();
    client.notify("thermostat", json!({})).await;
    client.next().await;
    let (cut, _) = tokio::join!(inflict(&simulator, json!({"fault": "cut"})), client.end());
    cut.ok();
    let last = following.find(ended).await;

    let told = frames(&simulator, "events=true").await.rest().await;
    let order = told.iter().map(|line| match line["event"].as_str() {
        Some(event) => event.to_owned(),
        None => line["number"].to_string(),
    });
    let expected = ["linkOpened", "1", "2", "3", "4", "fault", "healed", "5", "6", "linkEnded"];
    assert_eq!(order.collect::<Vec<_>>(), expected, "healing what is healed is nothing");
    assert_eq!((&told[0]["after"], &told[5]["after"], &told[9]["after"]), (&json!(0), &json!(4), &json!(6)));
    assert_eq!((&told[5]["fault"], &told[5]["ms"]), (&json!("slow"), &json!(1)));
    assert_eq!((&told[9]["why"], &told[9]["how"]), (&json!("cut"), &json!("close")));
    assert_eq!((&told[9]["sources"], &told[9]), (&json!(["thermostat"]), &last));

    for (wanted, number) in [
        ("", 6),
        ("events=true&direction=sent", 3),
        ("events=true&op=notification", 1),
        ("events=true&source=thermostat&after=4", 5),
        ("events=true&after=6", 1),
        ("events=true&last=1", 2),
    ] {
        let told = frames(&simulator, wanted).await.rest().await;
        assert_eq!(told.len(), number, "{wanted}: {told:?}");
    }
}

#[tokio::test]
async fn what_two_heal_at_once_is_healed_once() {
    const TIMES: usize = 500;
    let simulator = simulator().await;
    let _client = Client::attached(&simulator, "thermostat").await;
    let source = simulator.source("thermostat");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                source.speak().expect("there is a link");
            }
        });
        for _ in 0..TIMES {
            source.slow_down(Duration::from_millis(1)).expect("there is a link");
            source.speak().expect("there is a link");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let told = frames(&simulator, "events=true").await.rest().await;
    assert_eq!(told.iter().filter(|line| line["event"] == "healed").count(), TIMES);
}

#[tokio::test]
async fn the_end_of_an_evicted_link_names_its_source() {
    let simulator = simulator().await;
    let mut following = frames(&simulator, "events=true&follow=true&source=thermostat").await;
    let mut old = Client::attached(&simulator, "thermostat").await;
    let _new = Client::attached(&simulator, "thermostat").await;
    old.end().await;
    let ended = following.find(|line| line["event"] == "linkEnded").await;
    assert_eq!((&ended["link"], &ended["sources"]), (&json!(1), &json!(["thermostat"])));
}

#[tokio::test]
async fn the_end_of_a_refused_link_names_the_source_that_is_taken() {
    let simulator = simulator().await;
    let mut following = frames(&simulator, "events=true&follow=true&source=thermostat").await;
    let _holder = Client::attached(&simulator, "thermostat").await;
    let mut refused = Client::validated(&simulator).await;
    refused.send(connect("thermostat", Some("another"))).await;
    assert_eq!(refused.next().await["status"], 400);
    refused.close().await;
    let ended = following.find(|line| line["event"] == "linkEnded").await;
    assert_eq!((&ended["link"], &ended["sources"]), (&json!(2), &json!(["thermostat"])));
}

#[tokio::test]
async fn a_violation_says_nothing_secret_and_not_too_much() {
    let simulator = simulator().await;
    let mut client = Client::validated(&simulator).await;
    client.send(json!({"op": "connectExtension", "parameters": "canary"})).await;
    let answer = client.next().await.to_string();
    client.send(json!({"op": "x".repeat(10_000)})).await;
    client.next().await;
    let state = request(&simulator, "GET", STATE).send().await.ok();
    assert_eq!(state["violationCount"], 2);
    let told = format!("{answer} {state}");
    assert!(!told.contains("canary") && told.len() < 3_000, "{told}");
}

#[tokio::test]
async fn faults_are_inflicted_and_end() {
    let simulator = simulator().await;
    let refused = inflict(&simulator, json!({"fault": "cut"})).await;
    assert_eq!(refused.error(), (400, "com.accessg2.ag2rs.streams.source.not_found"));
    for nonsense in [json!({"fault": "dance"}), json!({"fault": "slow", "ms": 0})] {
        let refused = inflict(&simulator, nonsense).await;
        assert_eq!(refused.error(), (400, "io.vantiq.resource.invalid"));
    }

    let mut client = Client::attached(&simulator, "thermostat").await;
    inflict(&simulator, json!({"fault": "acknowledge", "what": "error"})).await.ok();
    client.notify("thermostat", json!({})).await;
    assert_eq!(client.next().await["status"], 400);
    for (fault, ms) in [("silent", Value::Null), ("deaf", Value::Null), ("slow", json!(1.0))] {
        let mut asked = json!({ "fault": fault });
        if fault == "slow" {
            asked["ms"] = json!(1);
        }
        let in_force = json!({"pace": fault, "paceMs": ms, "refusing": null, "refusingTimes": null,
            "acknowledge": "error", "acknowledgeMs": null, "acknowledgeEvery": null});
        assert_eq!(inflict(&simulator, asked).await.ok(), in_force);
        let state = state(&simulator).await;
        assert_eq!((&state["pace"], &state["acknowledge"]), (&json!(fault), &json!("error")));
    }
    let healed = request(&simulator, "DELETE", FAULTS).send().await.ok();
    assert_eq!((&healed["pace"], &healed["acknowledge"]), (&json!("normal"), &json!("notifications")));
    let healed = state(&simulator).await;
    assert_eq!((&healed["pace"], &healed["acknowledge"]), (&json!("normal"), &json!("notifications")));
    client.notify("thermostat", json!({})).await;
    assert_eq!(client.next().await["status"], 200);

    inflict(&simulator, json!({"fault": "reconnect"})).await.ok();
    assert_eq!(client.next().await["op"], "reconnectRequired");
    let (cut, end) = tokio::join!(inflict(&simulator, json!({"fault": "cut"})), client.end());
    cut.ok();
    assert_eq!(end, End::Close(1000));
}

#[tokio::test]
async fn deleting_a_source_heals_what_is_its_alone() {
    let simulator = simulator().await;
    let (boiler, thermostat) = (simulator.source("boiler"), simulator.source("thermostat"));
    boiler.configure(json!({})).await.expect("nobody needs to be attached");
    let mut client = Client::attached(&simulator, "thermostat").await;
    client.send(connect("boiler", None)).await;
    client.next().await;
    boiler.stop_reading().expect("there is a link");
    thermostat.refuse(Refusal::NotActive);
    thermostat.remove().await.expect("there is a link");
    assert_eq!(state(&simulator).await["pace"], "deaf", "the link is that of the boiler, too");
    boiler.remove().await.expect("there is a link");

    let told = frames(&simulator, "events=true").await.rest().await;
    let healed: Vec<_> =
        told.iter().filter(|line| line["event"] == "healed").map(|line| &line["what"]).collect();
    assert_eq!(healed, ["refuse", "pace"]);
    boiler.configure(json!({})).await.expect("nobody needs to be attached");
    assert_eq!(state(&simulator).await["pace"], "normal");
}

#[tokio::test]
async fn healing_a_source_leaves_what_others_on_its_link_delay() {
    let simulator = simulator().await;
    let (thermostat, boiler) = (simulator.source("thermostat"), simulator.source("boiler"));
    boiler.configure(json!({})).await.expect("nobody needs to be attached");
    let mut client = Client::attached(&simulator, "thermostat").await;
    client.send(connect("boiler", None)).await;
    client.next().await;
    for source in [&thermostat, &boiler] {
        source.acknowledge(Acknowledge::Delayed(Duration::from_hours(1)));
        client.notify(source.name(), json!({})).await;
        source.wait_notifications(1).await.expect("it comes");
    }
    thermostat.acknowledge_as_server();
    assert_eq!(client.next().await["status"], 200);
    boiler.publish(json!({})).await.expect("it is attached");
    assert_eq!(client.next().await["op"], "publish", "the boiler has not acknowledged");
    boiler.remove().await.expect("it is attached");
    let told = [client.next().await, client.next().await];
    assert!(told.iter().any(|message| message["status"] == 200), "{told:?}");
}

#[tokio::test]
async fn what_is_in_force_has_its_numbers() {
    let simulator = simulator().await;
    for (fault, member, number) in [
        (json!({"fault": "refuse", "as": "no-stream", "times": 3}), "refusingTimes", json!(3)),
        (json!({"fault": "acknowledge", "what": "delayed", "ms": 20}), "acknowledgeMs", json!(20.0)),
        (json!({"fault": "acknowledge", "what": "error", "every": 10}), "acknowledgeEvery", json!(10)),
        (json!({"fault": "refuse", "as": "no-stream"}), "refusingTimes", Value::Null),
    ] {
        assert_eq!(inflict(&simulator, fault.clone()).await.ok()[member], number, "{fault}");
        assert_eq!(state(&simulator).await[member], number, "{fault}");
    }
}

#[tokio::test]
async fn healing_gives_what_was_delayed_and_knows_its_source() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    inflict(&simulator, json!({"fault": "acknowledge", "what": "delayed", "ms": 3_600_000})).await.ok();
    client.notify("thermostat", json!({})).await;
    simulator.source("thermostat").wait_notifications(1).await.expect("it comes");
    request(&simulator, "DELETE", FAULTS).send().await.ok();
    assert_eq!(client.next().await, json!({"status": 200}));
    for method in ["POST", "DELETE"] {
        let path = "/simulator/sources/typo/faults";
        let fault = json!({"fault": "acknowledge", "what": "nothing"});
        let answer = request(&simulator, method, path).body(fault).send().await;
        assert_eq!(answer.error(), (404, "io.vantiq.resource.not.found"), "{method}");
    }
    inflict(&simulator, json!({"fault": "refuse", "times": u64::MAX})).await.ok();
}
