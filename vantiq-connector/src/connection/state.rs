//! [`Protocol`]: what a message or a lapse of time means on one link. Pure: no I/O, no clock.
//!
//! ```text
//! Authenticating --ok--> Attaching --configureExtension--> Attached
//!       |                 ^  |  ^                             |
//!    refused         retry|  |refused     reconnectRequired   |
//!       v                 |  v  +------------------------------+
//!      end               Refused
//! ```
//!
//! Optional status messages may come anywhere; only `configureExtension` means success
//! (`docs/PROTOCOL.md`, section 5).

use super::retry::{LinkEnd, Step};
use crate::protocol::{Inbound, Payload, ReplyAddress, ServerError, StatusMessage};

/// How often `validate` is sent before giving up: its delivery is not guaranteed (section 3).
const VALIDATE_ATTEMPTS: u32 = 3;

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `validate` was sent, this many times.
    Authenticating(u32),
    /// `connectExtension` was sent.
    Attaching,
    /// `connectExtension` was refused; it is sent again after a delay.
    Refused,
    /// `configureExtension` came.
    Attached,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// The server sent a message.
    Message(Inbound),
    /// The time of the present phase is over.
    TimeOver,
    /// The author asked for a new session.
    ReconnectAsked,
    /// A new session was asked for, by the server or the author, soon after the last one began: done at once it
    /// could go on without end.
    ReconnectHurried,
}

/// What is to be done about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    /// Send `validate` again.
    Validate,
    /// Send `connectExtension`, after ending the session where there is one.
    Attach,
    /// Begin a session with this configuration, after ending the one before.
    Configure(Payload),
    Publish(Payload),
    Query {
        reply_address: Option<ReplyAddress>,
        object: Payload,
    },
    /// A status that answers something sent earlier.
    Reply(StatusMessage),
    /// The source was refused: send `connectExtension` again after a delay.
    AttachLater(ServerError),
    /// End the session, and send `connectExtension` after a delay.
    AttachDelayed,
    /// A message that means nothing here.
    Ignore(&'static str),
    /// Let the link go.
    End(LinkEnd),
}

impl Effect {
    /// Whether it is a step towards a new session.
    pub(crate) const fn is_handshake(&self) -> bool {
        matches!(self, Self::Validate | Self::Attach | Self::AttachLater(_) | Self::AttachDelayed)
    }
}

/// The state of the protocol on one link. It begins when `validate` was sent for the first time.
#[derive(Debug)]
pub(crate) struct Protocol {
    phase: Phase,
}

impl Protocol {
    pub(crate) const fn new() -> Self {
        Self { phase: Phase::Authenticating(1) }
    }

    /// The state in the middle of a link.
    #[cfg(any(test, fuzzing, feature = "internals"))]
    pub(crate) const fn at(phase: Phase) -> Self {
        Self { phase }
    }

    pub(crate) const fn phase(&self) -> Phase {
        self.phase
    }

    /// Takes one event.
    pub(crate) fn on(&mut self, event: Event) -> Effect {
        match (self.phase, event) {
            (Phase::Authenticating(_), Event::Message(message)) => self.authenticating(message),
            (Phase::Authenticating(attempts), Event::TimeOver) if attempts < VALIDATE_ATTEMPTS => {
                self.phase = Phase::Authenticating(attempts + 1);
                Effect::Validate
            }
            (Phase::Authenticating(_), Event::TimeOver) => Effect::End(LinkEnd::Silent(Step::Validate)),
            (Phase::Attaching, Event::TimeOver) => Effect::End(LinkEnd::Silent(Step::ConnectExtension)),
            (Phase::Refused, Event::TimeOver) | (Phase::Attached, Event::ReconnectAsked) => self.attach(),
            (Phase::Attached, Event::ReconnectHurried) => {
                self.phase = Phase::Refused;
                Effect::AttachDelayed
            }
            (_, Event::Message(message)) => self.authenticated(message),
            // Attaching already, or no time is set.
            (_, Event::ReconnectAsked | Event::ReconnectHurried) | (Phase::Attached, Event::TimeOver) => {
                Effect::Nothing
            }
        }
    }

    fn authenticating(&mut self, message: Inbound) -> Effect {
        match message {
            Inbound::Status(status) => match status.error() {
                None => self.attach(),
                Some(error) => Effect::End(LinkEnd::of_refused_validate(error)),
            },
            // A server that sends before it knows us sends to somebody else.
            _ => Effect::Ignore("came before authentication"),
        }
    }

    fn authenticated(&mut self, message: Inbound) -> Effect {
        match message {
            Inbound::ConfigureExtension { config } => {
                self.phase = Phase::Attached;
                Effect::Configure(config)
            }
            Inbound::ReconnectRequired if self.phase == Phase::Attached => self.attach(),
            // `connectExtension` is under way, or will be after its delay.
            Inbound::ReconnectRequired => Effect::Nothing,
            // Even before the configuration; the link keeps them until then.
            Inbound::Publish { object } => Effect::Publish(object),
            Inbound::Query { reply_address, object } => Effect::Query { reply_address, object },
            Inbound::Status(status) if status.is_validation() => {
                Effect::Ignore("answers a `validate` that was sent again")
            }
            Inbound::Status(status) => self.status(status),
            Inbound::Unknown { .. } => Effect::Ignore("has an unknown operation"),
        }
    }

    fn status(&mut self, status: StatusMessage) -> Effect {
        match (self.phase, status.error()) {
            (Phase::Attaching, Some(error)) => {
                self.phase = Phase::Refused;
                Effect::AttachLater(error)
            }
            _ => Effect::Reply(status),
        }
    }

    fn attach(&mut self) -> Effect {
        self.phase = Phase::Attaching;
        Effect::Attach
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::protocol::Status;

    fn message(json: &str) -> Event {
        Event::Message(Inbound::decode(&Bytes::copy_from_slice(json.as_bytes())).unwrap())
    }

    fn ok() -> Event {
        message(r#"{"status":200}"#)
    }

    fn refusal() -> Event {
        message(r#"{"status":400,"body":[{"code":"c","message":"m"}]}"#)
    }

    fn configure() -> Event {
        message(r#"{"op":"configureExtension","object":{"config":{}}}"#)
    }

    /// Takes `event` in `phase`; returns the phase after it, and the effect.
    fn step(phase: Phase, event: Event) -> (Phase, Effect) {
        let mut protocol = Protocol::at(phase);
        let effect = protocol.on(event);
        (protocol.phase, effect)
    }

    fn error() -> ServerError {
        ServerError::read(
            Status::ERROR,
            &Payload::from_value(&serde_json::json!([{"code": "c", "message": "m"}])).unwrap(),
        )
    }

    use Phase::{Attached, Attaching, Authenticating, Refused};

    #[test]
    fn authentication() {
        assert_eq!(Protocol::new().phase(), Authenticating(1));
        assert_eq!(step(Authenticating(1), ok()), (Attaching, Effect::Attach));
        assert_eq!(step(Authenticating(1), refusal()).1, Effect::End(LinkEnd::CredentialsRefused(error())));
        let busy = message(r#"{"status":503}"#);
        assert!(matches!(step(Authenticating(1), busy).1, Effect::End(LinkEnd::ServerBusy(_))));
        for early in [configure(), message(r#"{"op":"publish"}"#), message(r#"{"op":"x"}"#)] {
            let (phase, effect) = step(Authenticating(1), early);
            assert!(matches!((phase, effect), (Authenticating(1), Effect::Ignore(_))));
        }
    }

    #[test]
    fn an_unanswered_validate_is_sent_again_and_then_given_up() {
        assert_eq!(step(Authenticating(1), Event::TimeOver), (Authenticating(2), Effect::Validate));
        assert_eq!(step(Authenticating(2), Event::TimeOver), (Authenticating(3), Effect::Validate));
        let silent = Effect::End(LinkEnd::Silent(Step::Validate));
        assert_eq!(step(Authenticating(3), Event::TimeOver).1, silent);
        let duplicate = message(r#"{"status":200,"body":{"userInfo":{}}}"#);
        assert!(matches!(step(Attached, duplicate), (Attached, Effect::Ignore(_))));
    }

    #[test]
    fn attaching() {
        assert_eq!(step(Attaching, configure()).0, Attached);
        assert!(matches!(step(Attaching, configure()).1, Effect::Configure(_)));
        assert!(matches!(step(Attaching, ok()), (Attaching, Effect::Reply(_))), "optional, and no success");
        assert_eq!(step(Attaching, refusal()), (Refused, Effect::AttachLater(error())));
        let silent = Effect::End(LinkEnd::Silent(Step::ConnectExtension));
        assert_eq!(step(Attaching, Event::TimeOver).1, silent);
        let again = message(r#"{"op":"reconnectRequired"}"#);
        assert_eq!(step(Attaching, again), (Attaching, Effect::Nothing), "one is under way");
        assert_eq!(step(Attaching, Event::ReconnectAsked), (Attaching, Effect::Nothing));
    }

    #[test]
    fn a_refused_source_is_tried_again_on_the_same_link() {
        assert_eq!(step(Refused, Event::TimeOver), (Attaching, Effect::Attach));
        assert_eq!(step(Refused, configure()).0, Attached);
        assert!(matches!(step(Refused, refusal()), (Refused, Effect::Reply(_))));
        let again = message(r#"{"op":"reconnectRequired"}"#);
        assert_eq!(step(Refused, again), (Refused, Effect::Nothing), "the delay goes on");
        assert_eq!(step(Refused, Event::ReconnectAsked), (Refused, Effect::Nothing));
    }

    #[test]
    fn attached() {
        assert!(matches!(step(Attached, ok()), (Attached, Effect::Reply(_))));
        assert!(matches!(step(Attached, refusal()), (Attached, Effect::Reply(_))));
        assert!(
            matches!(step(Attached, configure()), (Attached, Effect::Configure(_))),
            "a second one counts"
        );
        assert_eq!(step(Attached, message(r#"{"op":"reconnectRequired"}"#)), (Attaching, Effect::Attach));
        assert_eq!(step(Attached, Event::ReconnectAsked), (Attaching, Effect::Attach));
        assert_eq!(step(Attached, Event::ReconnectHurried), (Refused, Effect::AttachDelayed));
        assert_eq!(step(Attached, Event::TimeOver), (Attached, Effect::Nothing));
        assert!(matches!(step(Attached, message(r#"{"op":"x"}"#)), (Attached, Effect::Ignore(_))));
    }

    #[test]
    fn publishes_and_queries_pass_in_every_phase_after_authentication() {
        for phase in [Attaching, Refused, Attached] {
            assert!(matches!(step(phase, message(r#"{"op":"publish"}"#)).1, Effect::Publish(_)));
            assert!(matches!(step(phase, message(r#"{"op":"query"}"#)).1, Effect::Query { .. }));
        }
    }
}
