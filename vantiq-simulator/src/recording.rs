//! Everything the simulator received, kept in order of arrival and within bounds.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use crate::inbound::Inbound;

/// Which of the two data frames carried a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Opcode 1.
    Text,
    /// Opcode 2, what real servers send.
    Binary,
}

/// One message of a connector, as it arrived.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Received {
    /// Arrival number, from 1, over all links.
    pub number: u64,
    /// The link it came by, from 1.
    pub link: u64,
    /// The frame it came in.
    pub kind: FrameKind,
    /// The message, `null` when it is not JSON.
    pub json: Value,
    /// The message to the letter; what is not UTF-8 is replaced.
    pub text: String,
}

impl Received {
    /// The `op`, which answers to queries do not have.
    pub fn op(&self) -> Option<&str> {
        self.json["op"].as_str()
    }

    /// The `status`, which only answers to queries have.
    pub fn status(&self) -> Option<u64> {
        self.json["status"].as_u64()
    }
}

/// A notification that the simulator accepted.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Notification {
    /// Arrival number of the message, see [`Received::number`].
    pub number: u64,
    /// The link it came by, from 1.
    pub link: u64,
    /// Whether a status 200 for it was handed to the socket of that link; a cut may have lost it since.
    pub acknowledged: bool,
    /// The event.
    pub object: Value,
    /// `parameters.requestId`, if the connector sent one.
    pub request_id: Option<String>,
}

/// A message before it is entered.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) link: u64,
    pub(crate) kind: FrameKind,
    pub(crate) payload: Vec<u8>,
    /// The source that it is an accepted notification of.
    pub(crate) notification_of: Option<Arc<str>>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    acknowledged: bool,
    arrival: Arrival,
}

/// The messages of the recent past.
#[derive(Debug)]
pub(crate) struct Recording {
    /// Bytes of payload to keep; the oldest messages go first.
    limit: usize,
    bytes: usize,
    last: u64,
    entries: VecDeque<Entry>,
}

impl Recording {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, bytes: 0, last: 0, entries: VecDeque::new() }
    }

    /// The arrival number of the message that is entered next.
    pub(crate) fn next_number(&self) -> u64 {
        self.last + 1
    }

    pub(crate) fn push(&mut self, arrival: Arrival) {
        self.last += 1;
        self.bytes += arrival.payload.len();
        self.entries.push_back(Entry { number: self.last, acknowledged: false, arrival });
        while self.bytes > self.limit
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= oldest.arrival.payload.len();
        }
    }

    /// Notes that these messages were acknowledged; some may be forgotten already.
    pub(crate) fn acknowledge(&mut self, numbers: &[u64]) {
        for number in numbers {
            if let Ok(index) = self.entries.binary_search_by_key(number, |entry| entry.number) {
                self.entries[index].acknowledged = true;
            }
        }
    }

    pub(crate) fn all(&self) -> Vec<Received> {
        self.entries.iter().map(Entry::received).collect()
    }

    pub(crate) fn notifications(&self, source: &str) -> Vec<Notification> {
        self.entries.iter().filter(|entry| entry.notifies(source)).map(Entry::notification).collect()
    }

    /// The first notification of the source that arrived after the message with this number.
    pub(crate) fn notification_after(&self, source: &str, number: u64) -> Option<Notification> {
        let start = self.entries.partition_point(|entry| entry.number <= number);
        self.entries.range(start..).find(|entry| entry.notifies(source)).map(Entry::notification)
    }
}

impl Entry {
    fn notifies(&self, source: &str) -> bool {
        self.arrival.notification_of.as_deref() == Some(source)
    }

    fn received(&self) -> Received {
        let Arrival { link, kind, payload, .. } = &self.arrival;
        Received {
            number: self.number,
            link: *link,
            kind: *kind,
            json: serde_json::from_slice(payload).unwrap_or_default(),
            text: String::from_utf8_lossy(payload).into_owned(),
        }
    }

    fn notification(&self) -> Notification {
        let message = Inbound::parse(&self.arrival.payload).ok();
        let object = message.as_ref().and_then(|message| message.object);
        Notification {
            number: self.number,
            link: self.arrival.link,
            acknowledged: self.acknowledged,
            object: object.and_then(|object| serde_json::from_str(object.get()).ok()).unwrap_or_default(),
            request_id: message.as_ref().and_then(Inbound::request_id).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notification(source: &str, text: &str) -> Arrival {
        let notification_of = Some(Arc::from(source));
        Arrival { link: 1, kind: FrameKind::Text, payload: text.as_bytes().to_vec(), notification_of }
    }

    #[test]
    fn the_oldest_messages_go_when_the_limit_is_reached() {
        let mut recording = Recording::new(6);
        for text in ["111", "222", "333"] {
            recording.push(notification("a", text));
        }
        let numbers: Vec<_> = recording.all().iter().map(|received| received.number).collect();
        assert_eq!(numbers, [2, 3]);
    }

    #[test]
    fn notifications_are_told_apart_by_source() {
        let mut recording = Recording::new(1_000);
        for (source, text) in [("a", r#"{"object":1}"#), ("b", r#"{"object":2}"#), ("a", r#"{"object":3}"#)] {
            recording.push(notification(source, text));
        }
        let next = recording.notification_after("a", 1).expect("there is one");
        assert_eq!((next.number, next.object), (3, json!(3)));
        assert!(recording.notification_after("b", 2).is_none());
        assert_eq!(recording.notifications("a").len(), 2);
    }

    #[test]
    fn acknowledgements_find_their_notifications_and_forget_the_forgotten() {
        let mut recording = Recording::new(24);
        for _ in 0..3 {
            recording.push(notification("a", r#"{"object":1}"#));
        }
        recording.acknowledge(&[1, 3]);
        let acknowledged = recording.notifications("a").into_iter().map(|n| (n.number, n.acknowledged));
        assert_eq!(acknowledged.collect::<Vec<_>>(), [(2, false), (3, true)]);
    }

    #[test]
    fn what_is_not_json_is_kept_as_text() {
        let mut recording = Recording::new(1_000);
        recording.push(notification("a", "Vantiq-Ping"));
        let received = recording.all().remove(0);
        assert_eq!((received.json, received.text.as_str()), (Value::Null, "Vantiq-Ping"));
    }
}
