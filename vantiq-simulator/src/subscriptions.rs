//! [`Subscriptions`]: who wants to hear of which events (PROTOCOL section 11). No I/O here.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::envelope::NAMESPACE;

/// Subscriptions at most, of all links together.
const MOST: usize = 10_000;
/// Bytes of a path and of a `requestId`, each.
const LONGEST: usize = 1_024;
/// The user on whose behalf everything happens here.
const USERNAME: &str = "simulator";

/// The paths to which links have subscribed.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    /// By path and link, the `requestId` by which the link knows it.
    by_path: BTreeMap<String, BTreeMap<u64, String>>,
    count: usize,
}

/// There are too many, or its names are too long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// An event for one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) link: u64,
    pub(crate) text: String,
}

/// What a subscriber is sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    status: u16,
    content_type: &'static str,
    headers: Headers<'a>,
    body: Body<'a>,
}

#[derive(Serialize)]
struct Headers<'a> {
    #[serde(rename = "X-Request-Id")]
    request_id: &'a str,
}

#[derive(Serialize)]
struct Body<'a> {
    path: &'a str,
    value: &'a RawValue,
    namespace: &'static str,
    username: &'static str,
}

impl Subscriptions {
    /// Adds one, or gives it another `requestId`.
    pub(crate) fn add(&mut self, link: u64, path: &str, request_id: &str) -> Result<(), TooMany> {
        let is_known = self.by_path.get(path).is_some_and(|links| links.contains_key(&link));
        if !is_known {
            if self.count >= MOST || path.len() > LONGEST || request_id.len() > LONGEST {
                return Err(TooMany);
            }
            self.count += 1;
        }
        self.by_path.entry(path.to_owned()).or_default().insert(link, request_id.to_owned());
        Ok(())
    }

    /// Ends one, if there is such.
    pub(crate) fn remove(&mut self, link: u64, path: &str) {
        if let Some(links) = self.by_path.get_mut(path) {
            self.count -= usize::from(links.remove(&link).is_some());
            if links.is_empty() {
                self.by_path.remove(path);
            }
        }
    }

    /// Ends those of a link.
    pub(crate) fn link_lost(&mut self, link: u64) {
        let count = &mut self.count;
        self.by_path.retain(|_, links| {
            *count -= usize::from(links.remove(&link).is_some());
            !links.is_empty()
        });
    }

    /// What the subscribers of `/sources/SOURCE` are sent for a notification.
    pub(crate) fn of_source(&self, source: &str, value: Option<&RawValue>) -> Vec<Event> {
        // Most sources have no subscribers.
        if self.by_path.is_empty() {
            return Vec::new();
        }
        self.events(&format!("/sources/{source}"), "receive", value)
    }

    /// What the subscribers of `/topics/TOPIC` are sent for a message published to it; a topic begins with `/`.
    pub(crate) fn of_topic(&self, topic: &str, value: Option<&RawValue>) -> Vec<Event> {
        self.events(&format!("/topics{topic}"), "publish", value)
    }

    fn events(&self, path: &str, operation: &str, value: Option<&RawValue>) -> Vec<Event> {
        let Some(links) = self.by_path.get(path) else { return Vec::new() };
        let path = format!("{path}/{operation}");
        let value = value.unwrap_or(RawValue::NULL);
        let event = |(link, request_id): (&u64, &String)| {
            let body = Body { path: &path, value, namespace: NAMESPACE, username: USERNAME };
            let headers = Headers { request_id };
            let envelope = Envelope { status: 100, content_type: "application/json", headers, body };
            let text = serde_json::to_string(&envelope).expect("an event is strings and JSON only");
            Event { link: *link, text }
        };
        links.iter().map(event).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;

    #[test]
    fn an_event_has_the_members_of_the_documented_one() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add(7, "/sources/mySource", "mine").expect("there is room");
        let value = to_raw_value(&serde_json::json!({"temp": 21})).expect("it is JSON");
        let text = r#"{"status":100,"contentType":"application/json","headers":{"X-Request-Id":"mine"},"body":{"path":"/sources/mySource/receive","value":{"temp":21},"namespace":"simulator","username":"simulator"}}"#;
        assert_eq!(
            subscriptions.of_source("mySource", Some(&value)),
            [Event { link: 7, text: text.to_owned() }]
        );
        assert!(subscriptions.of_source("other", Some(&value)).is_empty());
    }

    #[test]
    fn a_topic_is_a_path_of_its_own() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add(1, "/topics/a/b", "t").expect("there is room");
        let event = subscriptions.of_topic("/a/b", None).remove(0);
        assert!(event.text.contains(r#""path":"/topics/a/b/publish","value":null"#), "{}", event.text);
    }

    #[test]
    fn what_ends_makes_room() {
        let mut subscriptions = Subscriptions::default();
        for link in 0..MOST as u64 {
            subscriptions.add(link, "/sources/a", "a").expect("there is room");
        }
        let long = "/".repeat(LONGEST + 1);
        assert_eq!(Subscriptions::default().add(0, &long, "a"), Err(TooMany));
        assert_eq!(subscriptions.add(MOST as u64, "/sources/a", "a"), Err(TooMany));
        subscriptions.add(0, "/sources/a", "another").expect("it is there already");
        subscriptions.remove(0, "/sources/a");
        subscriptions.link_lost(1);
        subscriptions.link_lost(1);
        assert_eq!(subscriptions.count, MOST - 2);
        assert_eq!(subscriptions.of_source("a", None).len(), MOST - 2);
    }
}
