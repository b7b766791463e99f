//! [`Fault`]: what is done to a source on purpose, and its end.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;
use tracing::info;

use super::{Named, source};
use crate::acknowledge::Acknowledge;
use crate::cut::Cut;
use crate::error::{SimulatorError, SimulatorErrorKind};
use crate::http::Door;
use crate::refusal::Refusal;
use crate::rest::{Authorized, Json, RESOURCE, RestError, json};
use crate::source::Source;

/// Status, code and message where notifications are answered with an error and nobody said which.
const REFUSED: (u16, &str, &str) =
    (400, "io.vantiq.simulator.refused", "The simulator was told to refuse this.");

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "fault", rename_all = "camelCase", deny_unknown_fields)]
enum Fault {
    Cut {
        #[serde(default)]
        how: How,
    },
    Reconnect,
    Silent,
    Deaf,
    Slow {
        ms: u64,
    },
    Refuse {
        #[serde(default, rename = "as")]
        kind: Kind,
        times: Option<usize>,
    },
    Acknowledge {
        what: What,
        ms: Option<u64>,
        every: Option<u64>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    #[default]
    Close,
    Abort,
    MidFrame,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    #[default]
    AlreadyConnected,
    UnknownSource,
    NoStream,
    OwnershipTimeout,
    NotActive,
    NoBody,
    NoAnswer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Notifications,
    Everything,
    Nothing,
    Delayed,
    Error,
    Merged,
    Omit,
}

pub(super) async fn inflict(
    _: Authorized,
    (State(door), Path(name)): Named,
    body: Bytes,
) -> Result<Json, RestError> {
    let fault = serde_json::from_value(json(&body)?);
    let fault: Fault = fault.map_err(|error| RestError::invalid(format!("This is no fault: {error}.")))?;
    exists(&door, &name)?;
    info!(source = name, ?fault, "a fault on purpose");
    let inflicted = fault.inflict(&source(&door, &name)).await;
    inflicted.map_err(|error| match error.kind() {
        SimulatorErrorKind::NoSession { .. } => RestError::no_link(&name),
        _ => RestError::of_source(&name, "fault", &error),
    })?;
    Ok(Json(json!({})))
}

/// Ends whatever lasts.
pub(super) async fn heal(_: Authorized, (State(door), Path(name)): Named) -> Result<Json, RestError> {
    exists(&door, &name)?;
    info!(source = name, "healed");
    let source = source(&door, &name);
    source.accept();
    source.acknowledge_as_server();
    let _ = source.speak(); // without a link there is nothing to end
    Ok(Json(json!({})))
}

/// Whether there is such a source, be it one that was refused because there is none, or that is to be refused.
fn exists(door: &Door, name: &str) -> Result<(), RestError> {
    let any_source = door.shared.settings.any_source;
    let is_there = door.shared.read(|world| world.registry.find(name).map_or(any_source, |_| true));
    if is_there { Ok(()) } else { Err(RestError::missing(RESOURCE, name)) }
}

impl Fault {
    async fn inflict(self, source: &Source) -> Result<(), SimulatorError> {
        match self {
            Self::Cut { how } => return source.cut(how.into()).await,
            Self::Reconnect => return source.reconnect_required().await,
            Self::Silent => return source.go_silent(),
            Self::Deaf => return source.stop_reading(),
            Self::Slow { ms } => return source.slow_down(Duration::from_millis(ms)),
            Self::Refuse { kind, times: None } => source.refuse(kind.into()),
            Self::Refuse { kind, times: Some(times) } => source.refuse_times(times, kind.into()),
            Self::Acknowledge { what, ms, every } => source.acknowledge(acknowledge(what, ms, every)),
        }
        Ok(())
    }
}

fn acknowledge(what: What, ms: Option<u64>, every: Option<u64>) -> Acknowledge {
    let (status, code, message) = (REFUSED.0, REFUSED.1.to_owned(), REFUSED.2.to_owned());
    match (what, every) {
        (What::Notifications, _) => Acknowledge::NotificationsOnly,
        (What::Everything, _) => Acknowledge::Everything,
        (What::Nothing, _) => Acknowledge::Nothing,
        (What::Delayed, _) => Acknowledge::Delayed(Duration::from_millis(ms.unwrap_or_default())),
        (What::Error, None) => Acknowledge::WithError { status, code, message },
        (What::Error, Some(every)) => Acknowledge::WithErrorEvery { every, status, code, message },
        (What::Merged, every) => Acknowledge::Merged(every.unwrap_or(1)),
        (What::Omit, every) => Acknowledge::OmittedEvery(every.unwrap_or(1)),
    }
}

impl From<How> for Cut {
    fn from(how: How) -> Self {
        match how {
            How::Close => Self::Close,
            How::Abort => Self::Abort,
            How::MidFrame => Self::MidFrame,
        }
    }
}

impl From<Kind> for Refusal {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::AlreadyConnected => Self::AlreadyConnected,
            Kind::UnknownSource => Self::UnknownSource,
            Kind::NoStream => Self::NoAssociatedStream,
            Kind::OwnershipTimeout => Self::OwnershipTimeout,
            Kind::NotActive => Self::NotActive,
            Kind::NoBody => Self::BodyMissing(400),
            Kind::NoAnswer => Self::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Fault, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_fault_has_its_name_and_what_it_needs() {
        assert_eq!(read(r#"{"fault":"cut"}"#), Ok(Fault::Cut { how: How::Close }));
        assert_eq!(read(r#"{"fault":"cut","how":"midframe"}"#), Ok(Fault::Cut { how: How::MidFrame }));
        assert_eq!(read(r#"{"fault":"slow","ms":200}"#), Ok(Fault::Slow { ms: 200 }));
        let refusal = Fault::Refuse { kind: Kind::NoStream, times: Some(3) };
        assert_eq!(read(r#"{"fault":"refuse","as":"no-stream","times":3}"#), Ok(refusal));
        let policy = Fault::Acknowledge { what: What::Delayed, ms: Some(20), every: None };
        assert_eq!(read(r#"{"fault":"acknowledge","what":"delayed","ms":20}"#), Ok(policy));
    }

    #[test]
    fn a_mistake_is_told() {
        for (text, words) in [
            (r#"{"fault":"dance"}"#, "unknown variant `dance`"),
            (r#"{"fault":"slow"}"#, "missing field `ms`"),
            (r#"{"fault":"cut","who":"me"}"#, "unknown field `who`"),
            ("{}", "missing field `fault`"),
        ] {
            let complaint = read(text).expect_err("it is a mistake");
            assert!(complaint.contains(words), "{text}: {complaint}");
        }
    }
}
