//! [`Fault`]: what is done to a source on purpose, and the words for it.
//!
//! Requests, the state, the desk and the options of the program all have their words from here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::acknowledge::Acknowledge;
use crate::cut::Cut;
use crate::refusal::Refusal;

/// Status, code and message where notifications are answered with an error and nobody said which.
const REFUSED: (u16, &str, &str) =
    (400, "io.vantiq.simulator.refused", "The simulator was told to refuse this.");

/// What is done to a source, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// The link ends.
    Cut {
        /// In which way.
        #[serde(default)]
        how: CutWord,
    },
    /// `reconnectRequired` is sent.
    Reconnect,
    /// Neither reads nor writes.
    Silent,
    /// Writes, but does not read.
    Deaf,
    /// Takes one message, and then none for a time.
    Slow {
        /// How long, in milliseconds.
        ms: u64,
    },
    /// `connectExtension` is refused.
    Refuse {
        /// With which answer.
        #[serde(default, rename = "as")]
        kind: RefusalWord,
        /// How often; until it is healed, if absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        times: Option<usize>,
    },
    /// Notifications are acknowledged in another way.
    Acknowledge {
        /// In which.
        what: AcknowledgeWord,
        /// How late, in milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        ms: Option<u64>,
        /// Of how many there is one that is treated so.
        #[serde(skip_serializing_if = "Option::is_none")]
        every: Option<u64>,
    },
}

// The comments of the choices below are the help of the program, too.

/// Ways to end a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "program", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum CutWord {
    /// By the closing handshake
    #[default]
    Close,
    /// By a TCP reset
    Abort,
    /// By half a frame and the end of the connection
    Midframe,
}

/// Ways to refuse a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "program", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum RefusalWord {
    /// Another connector holds the source
    #[default]
    AlreadyConnected,
    /// There is no such source
    UnknownSource,
    /// The source restarts
    NoStream,
    /// A server that is gone still owns the source
    OwnershipTimeout,
    /// The source is switched off
    NotActive,
    /// A status without an error
    NoBody,
    /// There is none
    NoAnswer,
    /// One that only a test can ask for
    #[serde(skip_deserializing)]
    #[cfg_attr(feature = "program", value(skip))]
    Other,
}

/// What is acknowledged, or how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "program", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum AcknowledgeWord {
    /// Notifications, as it is by default
    Notifications,
    /// Query answers and connectExtension, too
    Everything,
    /// Nothing, but notifications are accepted
    Nothing,
    /// Notifications, but --ms later
    Delayed,
    /// Notifications are refused with an error
    Error,
    /// One status for --every so many
    Merged,
    /// All but --every which
    Omit,
}

impl Fault {
    /// Whether its numbers do anything.
    ///
    /// # Errors
    ///
    /// What to write instead, in words that both requests and options have.
    pub fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Slow { ms: 0 } => Err("`ms` is 0; write 1 or more, the milliseconds for each message"),
            Self::Refuse { times: Some(0), .. } => {
                Err("`times` is 0; write 1 or more, or leave it out to refuse until that is healed")
            }
            Self::Acknowledge { what: AcknowledgeWord::Delayed, ms: None | Some(0), .. } => {
                Err("`delayed` needs `ms`; write 1 or more, the milliseconds until the acknowledgement")
            }
            Self::Acknowledge { every: Some(0), .. } => {
                Err("`every` is 0; write 1 or more, of how many notifications one is treated so")
            }
            _ => Ok(()),
        }
    }

    /// To acknowledge by this policy, as far as it has words.
    pub(crate) fn of_policy(policy: &Acknowledge) -> Self {
        let (what, (delay, every)) = (AcknowledgeWord::of(policy), policy_numbers(policy));
        Self::Acknowledge { what, ms: delay.map(milliseconds), every }
    }

    /// To be as slow as this.
    pub(crate) fn slow(pause: Duration) -> Self {
        Self::Slow { ms: milliseconds(pause) }
    }
}

/// Whole ones, as faults are asked for.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl CutWord {
    pub(crate) fn of(cut: Cut) -> Self {
        match cut {
            Cut::Close => Self::Close,
            Cut::Abort => Self::Abort,
            Cut::MidFrame => Self::Midframe,
        }
    }
}

impl From<CutWord> for Cut {
    fn from(word: CutWord) -> Self {
        match word {
            CutWord::Close => Self::Close,
            CutWord::Abort => Self::Abort,
            CutWord::Midframe => Self::MidFrame,
        }
    }
}

impl RefusalWord {
    /// The refusal of this word; there is none for those that have no word of their own.
    pub(crate) fn refusal(self) -> Option<Refusal> {
        Some(match self {
            Self::AlreadyConnected => Refusal::AlreadyConnected,
            Self::UnknownSource => Refusal::UnknownSource,
            Self::NoStream => Refusal::NoAssociatedStream,
            Self::OwnershipTimeout => Refusal::OwnershipTimeout,
            Self::NotActive => Refusal::NotActive,
            Self::NoBody => Refusal::BodyMissing(REFUSED.0),
            Self::NoAnswer => Refusal::Silent,
            Self::Other => return None,
        })
    }

    pub(crate) fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::AlreadyConnected => Self::AlreadyConnected,
            Refusal::UnknownSource => Self::UnknownSource,
            Refusal::NoAssociatedStream => Self::NoStream,
            Refusal::OwnershipTimeout => Self::OwnershipTimeout,
            Refusal::NotActive => Self::NotActive,
            Refusal::BodyMissing(_) => Self::NoBody,
            Refusal::Silent => Self::NoAnswer,
            Refusal::Other { .. } => Self::Other,
        }
    }
}

impl AcknowledgeWord {
    pub(crate) fn policy(self, ms: Option<u64>, every: Option<u64>) -> Acknowledge {
        let (status, code, message) = (REFUSED.0, REFUSED.1.to_owned(), REFUSED.2.to_owned());
        match (self, every) {
            (Self::Notifications, _) => Acknowledge::NotificationsOnly,
            (Self::Everything, _) => Acknowledge::Everything,
            (Self::Nothing, _) => Acknowledge::Nothing,
            (Self::Delayed, _) => Acknowledge::Delayed(Duration::from_millis(ms.unwrap_or_default())),
            (Self::Error, None) => Acknowledge::WithError { status, code, message },
            (Self::Error, Some(every)) => Acknowledge::WithErrorEvery { every, status, code, message },
            (Self::Merged, every) => Acknowledge::Merged(every.unwrap_or(1)),
            (Self::Omit, every) => Acknowledge::OmittedEvery(every.unwrap_or(1)),
        }
    }

    pub(crate) fn of(policy: &Acknowledge) -> Self {
        match policy {
            Acknowledge::NotificationsOnly => Self::Notifications,
            Acknowledge::Everything => Self::Everything,
            Acknowledge::Nothing => Self::Nothing,
            Acknowledge::Delayed(_) => Self::Delayed,
            Acknowledge::OmittedEvery(_) => Self::Omit,
            Acknowledge::Merged(_) => Self::Merged,
            Acknowledge::WithError { .. }
            | Acknowledge::WithErrorEvery { .. }
            | Acknowledge::WithErrorWhere { .. } => Self::Error,
        }
    }
}

/// How late a policy is, and of how many there is one that it treats otherwise.
pub(crate) fn policy_numbers(policy: &Acknowledge) -> (Option<Duration>, Option<u64>) {
    match policy {
        Acknowledge::Delayed(delay) => (Some(*delay), None),
        Acknowledge::Merged(every)
        | Acknowledge::OmittedEvery(every)
        | Acknowledge::WithErrorEvery { every, .. } => (None, Some(*every)),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::AcknowledgeWord::{Delayed, Error, Everything, Merged, Nothing, Notifications, Omit};
    use super::RefusalWord::{
        AlreadyConnected, NoAnswer, NoBody, NoStream, NotActive, OwnershipTimeout, UnknownSource,
    };
    use super::*;

    fn read(text: &str) -> Result<Fault, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_fault_has_its_name_and_what_it_needs() {
        let refusal = Fault::Refuse { kind: NoStream, times: Some(3) };
        let policy = Fault::Acknowledge { what: Delayed, ms: Some(20), every: None };
        for (text, fault) in [
            (r#"{"fault":"cut","how":"midframe"}"#, Fault::Cut { how: CutWord::Midframe }),
            (r#"{"fault":"slow","ms":200}"#, Fault::Slow { ms: 200 }),
            (r#"{"fault":"refuse","as":"no-stream","times":3}"#, refusal),
            (r#"{"fault":"acknowledge","what":"delayed","ms":20}"#, policy),
        ] {
            let written: Value = serde_json::from_str(text).expect("it is JSON");
            assert_eq!(json!(fault), written, "it is written as it is read");
            assert_eq!(read(text), Ok(fault));
        }
        assert_eq!(read(r#"{"fault":"cut"}"#), Ok(Fault::Cut { how: CutWord::Close }));
    }

    #[test]
    fn a_mistake_is_told() {
        for (text, words) in [
            (r#"{"fault":"dance"}"#, "unknown variant `dance`"),
            (r#"{"fault":"slow"}"#, "missing field `ms`"),
            (r#"{"fault":"cut","who":"me"}"#, "unknown field `who`"),
            (r#"{"fault":"refuse","as":"other"}"#, "unknown variant `other`"),
            ("{}", "missing field `fault`"),
        ] {
            let complaint = read(text).expect_err("it is a mistake");
            assert!(complaint.contains(words), "{text}: {complaint}");
        }
    }

    #[test]
    fn numbers_that_do_nothing_are_told() {
        for (text, words) in [
            (r#"{"fault":"slow","ms":0}"#, "`ms` is 0; write 1 or more"),
            (r#"{"fault":"refuse","times":0}"#, "`times` is 0; write 1 or more, or leave it out"),
            (r#"{"fault":"acknowledge","what":"delayed"}"#, "`delayed` needs `ms`"),
            (r#"{"fault":"acknowledge","what":"delayed","ms":0}"#, "`delayed` needs `ms`"),
            (r#"{"fault":"acknowledge","what":"omit","every":0}"#, "`every` is 0; write 1 or more"),
        ] {
            let complaint = read(text).expect("it has all members").check().expect_err("it does nothing");
            assert!(complaint.starts_with(words), "{text}: {complaint}");
        }
        for text in [r#"{"fault":"slow","ms":1}"#, r#"{"fault":"acknowledge","what":"error"}"#] {
            assert_eq!(read(text).expect("it has all members").check(), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_in_force_has_the_word_that_it_was_asked_for_by() {
        for word in [CutWord::Close, CutWord::Abort, CutWord::Midframe] {
            assert_eq!(CutWord::of(word.into()), word);
        }
        for word in [Notifications, Everything, Nothing, Delayed, Error, Merged, Omit] {
            assert_eq!(AcknowledgeWord::of(&word.policy(None, None)), word);
            assert_eq!(AcknowledgeWord::of(&word.policy(Some(1), Some(2))), word);
        }
        for word in [AlreadyConnected, UnknownSource, NoStream, OwnershipTimeout, NotActive, NoBody, NoAnswer]
        {
            assert_eq!(word.refusal().as_ref().map(RefusalWord::of), Some(word));
        }
    }
}
