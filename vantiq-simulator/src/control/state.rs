//! The state of everything, once or after each change.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::lines::{Lines, line};
use super::{milliseconds, wanted};
use crate::acknowledge::Acknowledge;
use crate::http::Door;
use crate::link::Pace;
use crate::refusal::Refusal;
use crate::rest::{Authorized, Json, RestError};
use crate::seat::{Refused, Seat, Standing};
use crate::shared::{Shared, World};

/// No state is told sooner after another.
const PAUSE: Duration = Duration::from_millis(200);
/// A state is told at least so often, as a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// Bytes of an event that is still shown.
const LARGEST_EVENT: usize = 16 << 10;
/// Violations that are shown.
const VIOLATIONS: usize = 100;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    follow: bool,
}

#[derive(Debug, Serialize)]
struct Snapshot {
    version: &'static str,
    started: f64,
    now: f64,
    links: usize,
    frames: u64,
    kept: usize,
    violations: Vec<String>,
    #[serde(rename = "lastRefusedCredentials")]
    refused_credentials: Option<f64>,
    sources: Vec<SourceState>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceState {
    name: String,
    config: Value,
    active: bool,
    state: Standing,
    since: Option<f64>,
    link: Option<u64>,
    sessions: u64,
    notifications: u64,
    last_notification: Option<Value>,
    last_refusal: Option<Value>,
    configuration_error: Option<String>,
    acknowledge: &'static str,
    refusing: Option<&'static str>,
    pace: &'static str,
}

pub(super) async fn read(
    _: Authorized,
    State(door): State<Arc<Door>>,
    uri: Uri,
) -> Result<Response, RestError> {
    let wanted: Wanted = wanted(&uri)?;
    if !wanted.follow {
        return Ok(Json(json!(snapshot(&door.shared))).into_response());
    }
    let first = (door.shared.changes(), true);
    let states = stream::unfold((door, first), |(door, (mut changes, is_first))| async move {
        if !is_first {
            // Either way there is something to tell; the sender lives as long as `door`.
            let _ = timeout(SIGN_OF_LIFE, changes.changed()).await;
            sleep(PAUSE).await;
            changes.mark_unchanged();
        }
        let told = line(&snapshot(&door.shared));
        Some((told, (door, (changes, false))))
    });
    Ok(Lines(states).into_response())
}

fn snapshot(shared: &Shared) -> Snapshot {
    shared.read(|world| {
        let violations = &world.registry.violations;
        Snapshot {
            version: env!("CARGO_PKG_VERSION"),
            started: milliseconds(world.started),
            now: milliseconds(SystemTime::now()),
            links: world.links.len(),
            frames: world.recording.next_number() - 1,
            kept: world.recording.after(0).len(),
            violations: violations[violations.len().saturating_sub(VIOLATIONS)..].to_vec(),
            refused_credentials: world.registry.refused_credentials.map(milliseconds),
            sources: world
                .registry
                .existing()
                .map(|(name, seat)| source(world, shared, name, seat))
                .collect(),
        }
    })
}

fn source(world: &World, shared: &Shared, name: &str, seat: &Seat) -> SourceState {
    let link = seat.link();
    let pace = link.and_then(|link| world.links.get(&link)).map_or(Pace::Normal, |handle| handle.pace);
    let policy = seat.acknowledge().unwrap_or(&shared.settings.acknowledge);
    SourceState {
        name: name.to_owned(),
        config: seat.configuration().clone(),
        active: seat.profile.is_active,
        state: seat.standing(),
        since: seat.story.since.map(milliseconds),
        link,
        sessions: seat.sessions,
        notifications: seat.notifications,
        last_notification: seat.story.last_notification.and_then(|number| event(world, number)),
        last_refusal: seat.story.last_refusal.as_ref().map(refusal),
        configuration_error: seat.story.configuration_error.clone(),
        acknowledge: policy_word(policy),
        refusing: seat.refusals.peek().as_ref().map(refusal_word),
        pace: pace_word(pace),
    }
}

/// The event of a notification, unless it is forgotten.
fn event(world: &World, number: u64) -> Option<Value> {
    let entry = world.recording.get(number)?;
    let at = milliseconds(entry.at);
    let bytes = entry.frame.payload.len();
    Some(if bytes > LARGEST_EVENT {
        json!({ "at": at, "bytes": bytes })
    } else {
        json!({ "at": at, "object": entry.event() })
    })
}

fn refusal(refused: &Refused) -> Value {
    let (code, message) = refused.error.as_ref().map(|(code, message)| (code, message)).unzip();
    json!({ "at": milliseconds(refused.at), "status": refused.status, "code": code, "message": message })
}

fn policy_word(policy: &Acknowledge) -> &'static str {
    match policy {
        Acknowledge::NotificationsOnly => "notifications",
        Acknowledge::Everything => "everything",
        Acknowledge::Nothing => "nothing",
        Acknowledge::Delayed(_) => "delayed",
        Acknowledge::OmittedEvery(_) => "omit",
        Acknowledge::Merged(_) => "merged",
        Acknowledge::WithError { .. }
        | Acknowledge::WithErrorEvery { .. }
        | Acknowledge::WithErrorWhere { .. } => "error",
    }
}

fn refusal_word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::AlreadyConnected => "already-connected",
        Refusal::UnknownSource => "unknown-source",
        Refusal::NoAssociatedStream => "no-stream",
        Refusal::OwnershipTimeout => "ownership-timeout",
        Refusal::NotActive => "not-active",
        Refusal::Other { .. } => "other",
        Refusal::BodyMissing(_) => "no-body",
        Refusal::Silent => "no-answer",
    }
}

fn pace_word(pace: Pace) -> &'static str {
    match pace {
        Pace::Normal => "normal",
        Pace::Slow(_) => "slow",
        Pace::NotReading => "deaf",
        Pace::Silent => "silent",
    }
}
