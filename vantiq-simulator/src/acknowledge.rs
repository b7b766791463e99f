//! How the simulator acknowledges what a connector sends (PROTOCOL section 8).
//!
//! Nobody outside Vantiq knows for certain what a real server acknowledges besides notifications,
//! so it is a switch: [`Acknowledge`] for the server or one source, [`AcknowledgeOrder`] for the
//! status messages around `configureExtension`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::envelope::Status;

/// What is acknowledged, and how.
///
/// Set for the server with [`SimulatorBuilder::acknowledge`](crate::SimulatorBuilder::acknowledge) and
/// for one source with [`Source::acknowledge`](crate::Source::acknowledge). Acknowledgements leave in the
/// order of the messages they are for, also when the policy changes in between. Whether they carry the
/// notification's request id is
/// [`SimulatorBuilder::request_id_headers`](crate::SimulatorBuilder::request_id_headers).
///
/// Policies that count begin with 1 when they are set, and count the notifications of one source, over all
/// its links.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Acknowledge {
    /// Each notification is answered by a bare `{"status":200}`.
    #[default]
    NotificationsOnly,
    /// Notifications, query responses and `connectExtension` are, the latter at least once.
    Everything,
    /// Nothing is ever acknowledged; notifications are accepted all the same.
    Nothing,
    /// Like [`NotificationsOnly`](Self::NotificationsOnly), but this much later.
    ///
    /// What waits is kept in memory; the connector's own window bounds it.
    Delayed(Duration),
    /// Like [`NotificationsOnly`](Self::NotificationsOnly), but every n-th notification is accepted without
    /// a word. 1 is as good as [`Nothing`](Self::Nothing), 0 leaves none out.
    OmittedEvery(u64),
    /// So many notifications get one status between them, when the last of them comes. 0 means 1.
    ///
    /// With request ids the status carries the last one's, and then only that notification counts as
    /// [acknowledged](crate::Notification::acknowledged): the connector cannot know of the others. What is
    /// left over when the link ends or the policy changes is never answered.
    Merged(u64),
    /// Notifications are refused with this error. They show up in
    /// [`received`](crate::Simulator::received) but not among the
    /// [`notifications`](crate::Source::notifications) of the source.
    WithError {
        /// Status of the message, 300 or above.
        status: u16,
        /// `code` in the error body.
        code: String,
        /// `message` in the error body.
        message: String,
    },
    /// Every n-th notification is refused like [`WithError`](Self::WithError), the others are acknowledged.
    /// 0 refuses none.
    WithErrorEvery {
        /// Refuse the notifications whose count is a multiple of this.
        every: u64,
        /// Status of the message, 300 or above.
        status: u16,
        /// `code` in the error body.
        code: String,
        /// `message` in the error body.
        message: String,
    },
    /// Notifications of certain events are refused like [`WithError`](Self::WithError), the others are
    /// acknowledged.
    WithErrorWhere {
        /// Refuse the events that this says yes to.
        refused: EventPredicate,
        /// Status of the message, 300 or above.
        status: u16,
        /// `code` in the error body.
        code: String,
        /// `message` in the error body.
        message: String,
    },
}

/// A question about an event, for [`Acknowledge::WithErrorWhere`]. Equal to its clones only.
///
/// ```
/// use vantiq_simulator::EventPredicate;
///
/// let odd = EventPredicate::new(|event| event["number"].as_u64().is_some_and(|number| number % 2 == 1));
/// # let _ = odd;
/// ```
#[derive(Clone)]
pub struct EventPredicate(Arc<dyn Fn(&Value) -> bool + Send + Sync>);

impl EventPredicate {
    /// Asks this function, which must not call the simulator: it runs while a message is decided about.
    pub fn new(says_yes: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(says_yes))
    }

    fn holds(&self, event: Option<&RawValue>) -> bool {
        let event = event.and_then(|event| serde_json::from_str(event.get()).ok());
        (self.0)(&event.unwrap_or_default())
    }
}

impl fmt::Debug for EventPredicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventPredicate").finish_non_exhaustive()
    }
}

impl PartialEq for EventPredicate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for EventPredicate {}

/// What a policy remembers of the notifications of one source.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Notifications since the policy was set.
    count: u64,
    /// The link of the last one.
    link: u64,
    /// Those that wait for a common acknowledgement, by number.
    together: Vec<u64>,
}

/// One notification, as far as policies look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) link: u64,
    /// Its number in the recording.
    pub(crate) number: u64,
    pub(crate) event: Option<&'a RawValue>,
}

/// What a policy makes of a notification.
#[derive(Debug, PartialEq)]
pub(crate) struct Judgement {
    /// Whether it counts as received.
    pub(crate) accepted: bool,
    /// What is answered, and when.
    pub(crate) answer: Option<(Status, Duration)>,
    /// The notifications that are acknowledged by that answer, by number.
    pub(crate) acknowledged: Vec<u64>,
}

impl Acknowledge {
    /// Decides about the next notification of a source.
    pub(crate) fn judge(&self, tally: &mut Tally, candidate: Candidate<'_>) -> Judgement {
        tally.take(candidate);
        let number = candidate.number;
        match self {
            Self::NotificationsOnly | Self::Everything => Judgement::acknowledge(vec![number]),
            Self::Delayed(delay) => Judgement {
                answer: Some((Status::bare(200), *delay)),
                ..Judgement::acknowledge(vec![number])
            },
            Self::Nothing => Judgement::say_nothing(),
            Self::OmittedEvery(n) if tally.count.is_multiple_of(*n) => Judgement::say_nothing(),
            Self::Merged(n) => tally.join(number, *n),
            Self::WithError { status, code, message } => Judgement::refuse(*status, code, message),
            Self::WithErrorEvery { every, status, code, message } if tally.count.is_multiple_of(*every) => {
                Judgement::refuse(*status, code, message)
            }
            Self::WithErrorWhere { refused, status, code, message } if refused.holds(candidate.event) => {
                Judgement::refuse(*status, code, message)
            }
            Self::OmittedEvery(_) | Self::WithErrorEvery { .. } | Self::WithErrorWhere { .. } => {
                Judgement::acknowledge(vec![number])
            }
        }
    }
}

impl Tally {
    /// Counts a notification. Nobody waits on a new link for what an old one left over.
    fn take(&mut self, candidate: Candidate<'_>) {
        self.count += 1;
        if self.link != candidate.link {
            self.together.clear();
            self.link = candidate.link;
        }
    }

    fn join(&mut self, number: u64, size: u64) -> Judgement {
        self.together.push(number);
        if (self.together.len() as u64) < size {
            return Judgement::say_nothing();
        }
        Judgement::acknowledge(std::mem::take(&mut self.together))
    }
}

impl Judgement {
    fn acknowledge(acknowledged: Vec<u64>) -> Self {
        Self { accepted: true, answer: Some((Status::bare(200), Duration::ZERO)), acknowledged }
    }

    fn say_nothing() -> Self {
        Self { accepted: true, answer: None, acknowledged: Vec::new() }
    }

    fn refuse(status: u16, code: &str, message: &str) -> Self {
        let answer = Some((Status::failure(status, code, message), Duration::ZERO));
        Self { accepted: false, answer, acknowledged: Vec::new() }
    }
}

/// Where the status messages for `connectExtension` go (PROTOCOL section 5: both have been seen).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AcknowledgeOrder {
    /// Before `configureExtension`.
    #[default]
    BeforeConfiguration,
    /// After `configureExtension`.
    AfterConfiguration,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For six notifications: what each is answered by, and whom that acknowledges. `-` is nothing, `!` a
    /// refusal.
    fn six(policy: &Acknowledge, links: [u64; 6]) -> String {
        let mut tally = Tally::default();
        let judged = (1..).zip(links).map(|(number, link)| {
            let event = RawValue::from_string(number.to_string()).expect("a number is JSON");
            let judgement = policy.judge(&mut tally, Candidate { link, number, event: Some(&event) });
            match (judgement.accepted, judgement.answer) {
                (true, None) => "-".to_owned(),
                (true, Some(_)) => format!("{:?}", judgement.acknowledged),
                (false, _) => "!".to_owned(),
            }
        });
        judged.collect::<Vec<_>>().join(" ")
    }

    fn refusing(every: u64) -> Acknowledge {
        Acknowledge::WithErrorEvery { every, status: 429, code: "c".into(), message: "m".into() }
    }

    #[test]
    fn each_policy_answers_as_it_says() {
        let refused = EventPredicate::new(|event| event == 2);
        let (code, message) = ("c".to_owned(), "m".to_owned());
        let some = Acknowledge::WithErrorWhere { refused, status: 429, code, message };
        for (policy, expected) in [
            (Acknowledge::NotificationsOnly, "[1] [2] [3] [4] [5] [6]"),
            (Acknowledge::Everything, "[1] [2] [3] [4] [5] [6]"),
            (Acknowledge::Nothing, "- - - - - -"),
            (Acknowledge::OmittedEvery(3), "[1] [2] - [4] [5] -"),
            (Acknowledge::OmittedEvery(1), "- - - - - -"),
            (Acknowledge::OmittedEvery(0), "[1] [2] [3] [4] [5] [6]"),
            (Acknowledge::Merged(4), "- - - [1, 2, 3, 4] - -"),
            (Acknowledge::Merged(0), "[1] [2] [3] [4] [5] [6]"),
            (refusing(2), "[1] ! [3] ! [5] !"),
            (refusing(0), "[1] [2] [3] [4] [5] [6]"),
            (some, "[1] ! [3] [4] [5] [6]"),
        ] {
            assert_eq!(six(&policy, [1; 6]), expected, "{policy:?}");
        }
    }

    #[test]
    fn a_new_link_does_not_complete_what_an_old_one_left_over() {
        assert_eq!(six(&Acknowledge::Merged(2), [1, 1, 1, 2, 2, 2]), "- [1, 2] - - [4, 5] -");
    }
}
