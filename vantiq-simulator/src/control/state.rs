//! The state of everything, once or after each change.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::in_force::InForce;
use super::lines::{Lines, line};
use super::{since_1970, wanted};
use crate::http::Door;
use crate::inbound::Inbound;
use crate::rest::{Authorized, RestError};
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
    #[serde(rename = "violationCount")]
    violation_count: u64,
    #[serde(rename = "lastRefusedCredentials")]
    refused_credentials: Option<f64>,
    sources: Vec<SourceState>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceState {
    name: String,
    #[serde(serialize_with = "shared_value")]
    config: Arc<Value>,
    active: bool,
    state: Standing,
    since: Option<f64>,
    link: Option<u64>,
    sessions: u64,
    notifications: u64,
    last_notification: Option<Event>,
    last_refusal: Option<Value>,
    configuration_error: Option<String>,
    #[serde(flatten)]
    in_force: InForce,
}

pub(super) async fn read(
    _: Authorized,
    State(door): State<Arc<Door>>,
    uri: Uri,
) -> Result<Response, RestError> {
    let wanted: Wanted = wanted(&uri)?;
    if !wanted.follow {
        let told = line(&snapshot(&door.shared));
        return Ok(([(CONTENT_TYPE, "application/json")], told).into_response());
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

/// What is known, taken under the lock; it is written as JSON outside of it.
fn snapshot(shared: &Shared) -> Snapshot {
    shared.read(|world| {
        let violations = &world.registry.violations;
        Snapshot {
            version: env!("CARGO_PKG_VERSION"),
            started: since_1970(world.started),
            now: since_1970(SystemTime::now()),
            links: world.links.len(),
            frames: world.recording.next_number() - 1,
            kept: world.recording.after(0).len(),
            violations: violations.range(violations.len().saturating_sub(VIOLATIONS)..).cloned().collect(),
            violation_count: world.registry.violation_count,
            refused_credentials: world.registry.refused_credentials.map(since_1970),
            sources: world
                .registry
                .existing()
                .map(|(name, seat)| source(world, shared, name, seat))
                .collect(),
        }
    })
}

fn source(world: &World, shared: &Shared, name: &str, seat: &Seat) -> SourceState {
    SourceState {
        name: name.to_owned(),
        config: seat.shared_configuration(),
        active: seat.profile.is_active,
        state: seat.standing(),
        since: seat.story.since.map(since_1970),
        link: seat.link(),
        sessions: seat.sessions,
        notifications: seat.notifications,
        last_notification: seat.story.last_notification.and_then(|number| event(world, number)),
        last_refusal: seat.story.last_refusal.as_ref().map(refusal),
        configuration_error: seat.story.configuration_error.clone(),
        in_force: InForce::of(world, shared, seat),
    }
}

/// The event of a notification, unless it is forgotten.
fn event(world: &World, number: u64) -> Option<Event> {
    let entry = world.recording.get(number)?;
    Some(Event { at: since_1970(entry.at), payload: entry.frame.payload.clone() })
}

/// A notification that is read when it is written.
#[derive(Debug)]
struct Event {
    at: f64,
    payload: Bytes,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_map(Some(2))?;
        event.serialize_entry("at", &self.at)?;
        if self.payload.len() > LARGEST_EVENT {
            event.serialize_entry("bytes", &self.payload.len())?;
        } else {
            let message = Inbound::parse(&self.payload).ok();
            event.serialize_entry("object", &message.and_then(|message| message.object))?;
        }
        event.end()
    }
}

fn shared_value<S: Serializer>(value: &Arc<Value>, serializer: S) -> Result<S::Ok, S::Error> {
    value.serialize(serializer)
}

fn refusal(refused: &Refused) -> Value {
    let (code, message) = refused.error.as_ref().map(|(code, message)| (code, message)).unzip();
    json!({ "at": since_1970(refused.at), "status": refused.status, "code": code, "message": message })
}
