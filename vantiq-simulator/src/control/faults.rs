//! Does to a source what is asked for, and ends it.

use std::fmt::Display;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::Value;
use tracing::info;

use super::in_force::InForce;
use super::{Named, source};
use crate::error::{SimulatorError, SimulatorErrorKind};
use crate::fault_word::Fault;
use crate::http::Door;
use crate::rest::{Authorized, Json, RESOURCE, RestError, json};
use crate::source::Source;

/// Answers with what is in force then.
pub(super) async fn inflict(
    _: Authorized,
    (State(door), Path(name)): Named,
    body: Bytes,
) -> Result<Json, RestError> {
    let fault = read(json(&body)?)?;
    exists(&door, &name)?;
    info!(source = name, ?fault, "a fault on purpose");
    let inflicted = inflict_on(&source(&door, &name), fault).await;
    inflicted.map_err(|error| match error.kind() {
        SimulatorErrorKind::NoSession { .. } => RestError::no_link(&name),
        _ => RestError::of_source(&name, "fault", &error),
    })?;
    Ok(in_force(&door, &name))
}

fn read(fault: Value) -> Result<Fault, RestError> {
    let invalid = |why: &dyn Display| RestError::invalid(format!("This is no fault: {why}."));
    let fault: Fault = serde_json::from_value(fault).map_err(|error| invalid(&error))?;
    fault.check().map_err(|why| invalid(&why))?;
    Ok(fault)
}

/// Ends whatever lasts, and answers with what is in force then.
pub(super) async fn heal(_: Authorized, (State(door), Path(name)): Named) -> Result<Json, RestError> {
    exists(&door, &name)?;
    info!(source = name, "healed");
    let source = source(&door, &name);
    source.accept();
    source.acknowledge_as_server();
    let _ = source.speak(); // without a link there is nothing to end
    Ok(in_force(&door, &name))
}

fn in_force(door: &Door, name: &str) -> Json {
    Json(serde_json::json!(InForce::now(&door.shared, name)))
}

/// Whether there is such a source, be it one that was refused because there is none, or that is to be refused.
fn exists(door: &Door, name: &str) -> Result<(), RestError> {
    let any_source = door.shared.settings.any_source;
    let is_there = door.shared.read(|world| world.registry.find(name).map_or(any_source, |_| true));
    if is_there { Ok(()) } else { Err(RestError::missing(RESOURCE, name)) }
}

async fn inflict_on(source: &Source, fault: Fault) -> Result<(), SimulatorError> {
    match fault {
        Fault::Cut { how } => return source.cut(how.into()).await,
        Fault::Reconnect => return source.reconnect_required().await,
        Fault::Silent => return source.go_silent(),
        Fault::Deaf => return source.stop_reading(),
        Fault::Slow { ms } => return source.slow_down(Duration::from_millis(ms)),
        Fault::Refuse { kind, times } => match (kind.refusal(), times) {
            (None, _) => {} // no request has that word
            (Some(refusal), None) => source.refuse(refusal),
            (Some(refusal), Some(times)) => source.refuse_times(times, refusal),
        },
        Fault::Acknowledge { what, ms, every } => source.acknowledge(what.policy(ms, every)),
    }
    Ok(())
}
