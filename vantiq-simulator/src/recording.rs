//! [`Recording`]: the messages of both directions, kept in order and within bounds.

use std::collections::{VecDeque, vec_deque};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use serde_json::Value;

use crate::fault::Direction;
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
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Received {
    /// Its place in the recording, from 1, over all links and both directions.
    pub number: u64,
    /// When it came.
    pub at: SystemTime,
    /// The link it came by, from 1.
    pub link: u64,
    /// The frame it came in.
    pub kind: FrameKind,
    /// The message, `null` when it is not JSON.
    pub json: Value,
    /// The message to the letter; what is not UTF-8 is replaced.
    pub text: String,
}

impl fmt::Debug for Received {
    /// Without the message, which may have a token in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut received = f.debug_struct("Received");
        received.field("number", &self.number).field("link", &self.link).field("kind", &self.kind);
        received.field("op", &self.op()).finish_non_exhaustive()
    }
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
    /// Place of the message in the recording, see [`Received::number`].
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

/// What a message takes besides its bytes: the entry, and what the allocator adds to its parts.
const OVERHEAD: usize = size_of::<Entry>() + 64;

/// A message as it passed.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) link: u64,
    pub(crate) direction: Direction,
    pub(crate) kind: FrameKind,
    pub(crate) payload: Bytes,
    /// The source that it is about, as far as that is known.
    pub(crate) source: Option<Arc<str>>,
    /// Whether it is a notification that was accepted.
    pub(crate) is_notification: bool,
    /// The notifications that it acknowledges, by number.
    pub(crate) acknowledges: Box<[u64]>,
}

/// A message in the recording.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) at: SystemTime,
    /// Of a notification, whether a status 200 for it was handed to the socket.
    acknowledged: bool,
    pub(crate) frame: Frame,
}

/// The messages of the recent past.
#[derive(Debug)]
pub(crate) struct Recording {
    /// Bytes to keep; the oldest messages go first.
    limit: usize,
    bytes: usize,
    last: u64,
    entries: VecDeque<Entry>,
}

impl Recording {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, bytes: 0, last: 0, entries: VecDeque::new() }
    }

    /// The number of the message that is entered next.
    pub(crate) fn next_number(&self) -> u64 {
        self.last + 1
    }

    pub(crate) fn push(&mut self, frame: Frame) {
        self.last += 1;
        self.bytes += frame.size();
        let at = SystemTime::now();
        self.entries.push_back(Entry { number: self.last, at, acknowledged: false, frame });
        while self.bytes > self.limit
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= oldest.frame.size();
        }
    }

    /// Notes that these messages were acknowledged; some may be forgotten already.
    pub(crate) fn acknowledge(&mut self, numbers: &[u64]) {
        for number in numbers {
            if let Some(index) = self.index(*number) {
                self.entries[index].acknowledged = true;
            }
        }
    }

    /// What connectors sent.
    pub(crate) fn received(&self) -> Vec<Received> {
        let received = self.entries.iter().filter(|entry| entry.frame.direction == Direction::ToServer);
        received.map(Entry::received).collect()
    }

    pub(crate) fn notifications(&self, source: &str) -> Vec<Notification> {
        self.entries.iter().filter(|entry| entry.notifies(source)).map(Entry::notification).collect()
    }

    /// The first notification of the source behind the message with this number.
    pub(crate) fn notification_after(&self, source: &str, number: u64) -> Option<Notification> {
        self.after(number).find(|entry| entry.notifies(source)).map(Entry::notification)
    }

    /// The messages behind the one with this number.
    pub(crate) fn after(&self, number: u64) -> impl ExactSizeIterator<Item = &Entry> {
        self.between(number, u64::MAX)
    }

    /// The messages behind the first and before the second of these numbers.
    pub(crate) fn between(&self, after: u64, before: u64) -> vec_deque::Iter<'_, Entry> {
        let start = self.entries.partition_point(|entry| entry.number <= after);
        let end = self.entries.partition_point(|entry| entry.number < before);
        self.entries.range(start..end.max(start))
    }

    /// The message with this number, unless it is forgotten.
    pub(crate) fn get(&self, number: u64) -> Option<&Entry> {
        self.index(number).map(|index| &self.entries[index])
    }

    // The numbers are without gaps.
    fn index(&self, number: u64) -> Option<usize> {
        let index = usize::try_from(number.checked_sub(self.entries.front()?.number)?).ok()?;
        (index < self.entries.len()).then_some(index)
    }
}

impl Frame {
    /// What it takes in the recording, about.
    fn size(&self) -> usize {
        OVERHEAD + self.payload.len() + size_of_val(&*self.acknowledges)
    }
}

impl Entry {
    fn notifies(&self, source: &str) -> bool {
        self.frame.is_notification && self.frame.source.as_deref() == Some(source)
    }

    fn received(&self) -> Received {
        let Frame { link, kind, payload, .. } = &self.frame;
        Received {
            number: self.number,
            at: self.at,
            link: *link,
            kind: *kind,
            json: serde_json::from_slice(payload).unwrap_or_default(),
            text: String::from_utf8_lossy(payload).into_owned(),
        }
    }

    /// The event of a notification, `null` where it has none.
    fn event(&self) -> Value {
        let object = Inbound::parse(&self.frame.payload).ok().and_then(|message| message.object);
        object.and_then(|object| serde_json::from_str(object.get()).ok()).unwrap_or_default()
    }

    fn notification(&self) -> Notification {
        let message = Inbound::parse(&self.frame.payload).ok();
        Notification {
            number: self.number,
            link: self.frame.link,
            acknowledged: self.acknowledged,
            object: self.event(),
            request_id: message.as_ref().and_then(Inbound::request_id).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notification(source: &str, text: &str) -> Frame {
        Frame {
            link: 1,
            direction: Direction::ToServer,
            kind: FrameKind::Text,
            payload: text.as_bytes().to_vec().into(),
            source: Some(source.into()),
            is_notification: true,
            acknowledges: Box::default(),
        }
    }

    /// Room for two messages as short as those below.
    const TWO: usize = 2 * (OVERHEAD + 12);

    #[test]
    fn the_oldest_messages_go_when_the_limit_is_reached() {
        let mut recording = Recording::new(TWO);
        for text in ["111", "222", "333"] {
            recording.push(notification("a", text));
        }
        let numbers: Vec<_> = recording.received().iter().map(|received| received.number).collect();
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
        let mut recording = Recording::new(TWO);
        for _ in 0..3 {
            recording.push(notification("a", r#"{"object":1}"#));
        }
        recording.acknowledge(&[1, 3]);
        let acknowledged = recording.notifications("a").into_iter().map(|n| (n.number, n.acknowledged));
        assert_eq!(acknowledged.collect::<Vec<_>>(), [(2, false), (3, true)]);
    }

    #[test]
    fn what_was_sent_was_not_received() {
        let mut recording = Recording::new(1_000);
        recording.push(Frame {
            direction: Direction::ToClient,
            is_notification: false,
            ..notification("a", "1")
        });
        recording.push(notification("a", "2"));
        assert_eq!(recording.received().len(), 1);
        assert_eq!(recording.after(0).map(|entry| entry.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(
            (recording.after(1).len(), recording.between(0, 2).len(), recording.between(5, 2).len()),
            (1, 1, 0)
        );
        assert!(recording.get(2).is_some() && recording.get(0).is_none() && recording.get(3).is_none());
    }

    #[test]
    fn what_is_not_json_is_kept_as_text() {
        let mut recording = Recording::new(1_000);
        recording.push(notification("a", "Vantiq-Ping"));
        let received = recording.received().remove(0);
        assert_eq!((received.json, received.text.as_str()), (Value::Null, "Vantiq-Ping"));
    }
}
