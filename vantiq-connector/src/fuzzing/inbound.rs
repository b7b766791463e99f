//! A frame of the server, through all that is decided about it.

use std::collections::HashMap;

use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::assert_hidden;
use crate::{
    connection::{Effect, Event, LinkEnd, Phase, Protocol},
    protocol::{DecodeError, Inbound, Payload, ServerError, excerpt},
};

/// The longest line that one frame may cause, with some room for what is around the frame's own text.
const LINE: usize = 2_000;

/// What a connector may want of a payload.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape matters")]
struct Strict {
    general: Vec<u16>,
    ports: Option<HashMap<String, i64>>,
    message: Unit,
}

#[derive(Debug, Deserialize)]
enum Unit {
    #[serde(rename = "a")]
    A,
    #[serde(rename = "b")]
    B { _code: f64 },
}

/// A value whose own check tells what it got.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Checked;

impl TryFrom<String> for Checked {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Err(format!("{text} is no unit"))
    }
}

/// Whatever `frame` is: nothing panics, one that is no message is dropped, only the documented messages change
/// the state of a link, and no log line shows a value of it or is very long. It is read alike by the shortcut.
pub fn inbound(frame: &[u8]) {
    let frame = Bytes::copy_from_slice(frame);
    let decoded = Inbound::decode(&frame);
    assert_eq!(outcome(&decoded), outcome(&Inbound::decode_without_shortcut(&frame)));
    match decoded {
        Ok(message) => {
            if let Some(object) = payload_of(&message) {
                payload(object);
            }
            shown(&message);
            for phase in PHASES {
                decided(phase, &message);
            }
        }
        Err(error) => dropped(&frame, &error),
    }
}

fn outcome(decoded: &Result<Inbound, DecodeError>) -> Result<&Inbound, String> {
    decoded.as_ref().map_err(ToString::to_string)
}

/// What `Link` logs of a frame that it drops.
fn dropped(frame: &[u8], error: &DecodeError) {
    let excerpt = excerpt(frame);
    // Cut after 120 characters, but not within a word.
    assert!(excerpt.chars().count() <= 140 && !excerpt.contains(char::is_control), "{excerpt:?}");
    assert_hidden(&format!("{excerpt} {error} {error:?}"));
}

fn payload_of(message: &Inbound) -> Option<&Payload> {
    match message {
        Inbound::ConfigureExtension { config: payload }
        | Inbound::Publish { object: payload }
        | Inbound::Query { object: payload, .. } => Some(payload),
        Inbound::Status(status) => Some(&status.body),
        Inbound::ReconnectRequired | Inbound::Unknown { .. } => None,
    }
}

fn payload(payload: &Payload) {
    assert_hidden(&format!("{payload:?}"));
    wrong::<Value>(payload);
    wrong::<Strict>(payload);
    wrong::<Unit>(payload);
    wrong::<Checked>(payload);
    wrong::<Vec<Checked>>(payload);
    wrong::<(u8, String)>(payload);
    let whole = serde_json::to_vec(payload).expect("a payload is JSON");
    assert_eq!(whole, payload.as_bytes());
}

/// What a log shows of a payload that is no `T`.
fn wrong<T: DeserializeOwned>(payload: &Payload) {
    let Err(error) = payload.parse::<T>() else { return };
    let redacted = error.redacted();
    assert!(redacted.to_string().len() <= LINE, "{} bytes", redacted.to_string().len());
    // The name of a field that nobody knows is a name, and not a value.
    if !redacted.message().starts_with("unknown field") {
        assert_hidden(redacted.message());
    }
    assert_eq!(redacted.path(), redacted.redacted().path());
}

/// What a log shows of a message at the level TRACE.
fn shown(message: &Inbound) {
    let shown = format!("{message:?}");
    assert!(shown.len() <= LINE, "{} bytes", shown.len());
    let says = |text: &Option<String>| text.as_deref().is_some_and(|text| text.contains(super::CANARY));
    let is_named = match message {
        Inbound::Unknown { op } => op.contains(super::CANARY),
        Inbound::Query { reply_address: Some(address), .. } => {
            String::from_utf8_lossy(address.as_bytes()).contains(super::CANARY)
        }
        Inbound::Status(status) => says(&status.request_id),
        _ => false,
    };
    if !is_named {
        assert_hidden(&shown);
    }
    if let Inbound::Status(status) = message {
        let error = status.error();
        assert_eq!(error.is_some(), status.status.is_error());
        assert!(error.is_none_or(|error: ServerError| error.to_string().len() <= 4 * LINE));
        status.is_validation();
    }
}

const PHASES: [Phase; 4] = [Phase::Authenticating(1), Phase::Attaching, Phase::Refused, Phase::Attached];

/// The whole of what a message may do in `phase`; everything else is a mistake of [`Protocol`].
#[expect(clippy::match_same_arms, reason = "first the arms that change the phase, then those that do not")]
fn decided(phase: Phase, message: &Inbound) {
    use Phase::{Attached, Attaching, Authenticating, Refused};

    let mut protocol = Protocol::at(phase);
    let effect = protocol.on(Event::Message(message.clone()));
    let is_documented = match (phase, message, protocol.phase(), &effect) {
        // Authentication succeeds, or ends the link: nothing else does.
        (Authenticating(_), Inbound::Status(status), Attaching, Effect::Attach) => !status.status.is_error(),
        (
            Authenticating(_),
            Inbound::Status(status),
            Authenticating(_),
            Effect::End(LinkEnd::CredentialsRefused(_) | LinkEnd::ServerBusy(_)),
        ) => status.status.is_error(),
        (Authenticating(_), message, Authenticating(_), Effect::Ignore(_)) => {
            !matches!(message, Inbound::Status(_))
        }
        (Authenticating(_), ..) => false,
        (_, Inbound::ConfigureExtension { config }, Attached, Effect::Configure(given)) => config == given,
        (Attached, Inbound::ReconnectRequired, Attaching, Effect::Attach) => true,
        (Attaching, Inbound::Status(status), Refused, Effect::AttachLater(_)) => {
            status.status.is_error() && !status.is_validation()
        }
        // All that follows leaves the phase as it was.
        (before, _, after, _) if before != after => false,
        (Attaching | Refused, Inbound::ReconnectRequired, _, Effect::Nothing)
        | (_, Inbound::Publish { .. }, _, Effect::Publish(_))
        | (_, Inbound::Query { .. }, _, Effect::Query { .. })
        | (_, Inbound::Unknown { .. }, _, Effect::Ignore(_)) => true,
        (_, Inbound::Status(status), _, Effect::Ignore(_)) => status.is_validation(),
        (_, Inbound::Status(_), _, Effect::Reply(_)) => true,
        _ => false,
    };
    assert!(is_documented, "{phase:?}, {message:?}: {:?}, {effect:?}", protocol.phase());
}
