//! `resources/sources`: what applications and administrators do to sources.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tracing::warn;

use super::authentication::Authorized;
use super::error::RestError;
use super::filter::{Filter, Selection};
use super::record;
use super::{Json, TOTAL_COUNT, json};
use crate::error::SimulatorError;
use crate::http::Door;
use crate::query::QueryReply;
use crate::seat::{Change, Seat};
use crate::source::Source;

pub(crate) const RESOURCE: &str = "system.sources";

/// Which source a request is about.
type Named = (State<Arc<Door>>, Path<String>);

pub(super) async fn select(
    _: Authorized,
    State(door): State<Arc<Door>>,
    uri: Uri,
) -> Result<Selection, RestError> {
    let filter = Filter::read(&uri)?;
    Ok(door
        .shared
        .read(|world| filter.select(world.registry.existing().map(|(name, seat)| record::of(name, seat)))))
}

pub(super) async fn select_one(_: Authorized, (State(door), Path(name)): Named) -> Result<Json, RestError> {
    find(&door, &name).map(Json)
}

/// Creates a source; with `upsert=true` it may be there already.
pub(super) async fn insert(
    _: Authorized,
    State(door): State<Arc<Door>>,
    uri: Uri,
    body: Bytes,
) -> Result<Json, RestError> {
    let members = record::members(json(&body)?)?;
    let (name, change) = (record::name(&members)?, record::read(&members)?);
    let upserts = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .any(|(key, value)| key == "upsert" && value == "true");
    change_seat(&door, name, |seat| {
        if seat.is_listed() && !upserts {
            return Err(RestError::exists(RESOURCE, name));
        }
        // What is created without a configuration has an empty one.
        let configuration = change.configuration.or_else(|| (!seat.is_listed()).then(|| json!({})));
        Ok(Change { configuration, ..change })
    })
    .await
}

pub(super) async fn update(
    _: Authorized,
    (State(door), Path(name)): Named,
    body: Bytes,
) -> Result<Json, RestError> {
    let members = record::members(json(&body)?)?;
    if members.get("name").is_some_and(|given| *given != json!(name)) {
        return Err(RestError::invalid("A source cannot be renamed."));
    }
    let change = record::read(&members)?;
    change_existing(&door, &name, |_| Ok(change)).await
}

pub(super) async fn patch(
    _: Authorized,
    (State(door), Path(name)): Named,
    body: Bytes,
) -> Result<Json, RestError> {
    let operations = json(&body)?;
    change_existing(&door, &name, |before| patched(before, operations)).await
}

/// What a patch changes of a record.
fn patched(before: &Value, operations: Value) -> Result<Change, RestError> {
    let mut after = before.clone();
    record::patch(&mut after, operations)?;
    if after["name"] != before["name"] {
        return Err(RestError::invalid("A source cannot be renamed."));
    }
    let Change { implementation, configuration, is_active } = record::read(&record::members(after)?)?;
    // What was not touched is no change.
    Ok(Change {
        implementation,
        configuration: configuration.filter(|configuration| *configuration != before["config"]),
        is_active: is_active.filter(|is_active| *is_active != before["active"]),
    })
}

pub(super) async fn delete(_: Authorized, (State(door), Path(name)): Named) -> Result<StatusCode, RestError> {
    find(&door, &name)?;
    remove(&door, &name).await;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete_where(
    _: Authorized,
    State(door): State<Arc<Door>>,
    uri: Uri,
) -> Result<Response, RestError> {
    let filter = Filter::read(&uri)?;
    if filter.takes_all() {
        return Err(RestError::invalid(r#"Say which with `where`, such as {"name": "mySource"}."#));
    }
    let names: Vec<_> = door.shared.read(|world| {
        let taken = world.registry.existing().filter(|(name, seat)| filter.takes(&record::of(name, seat)));
        taken.map(|(name, _)| name.to_owned()).collect()
    });
    for name in &names {
        remove(&door, name).await;
    }
    Ok((StatusCode::NO_CONTENT, [(TOTAL_COUNT, names.len().to_string())]).into_response())
}

/// Sends the source a message.
pub(super) async fn publish(
    _: Authorized,
    (State(door), Path(name)): Named,
    body: Bytes,
) -> Result<Json, RestError> {
    let source = active(&door, &name)?;
    let published = source.publish(json(&body)?).await;
    published.map_err(|error| RestError::of_source(&name, "publish", &error))?;
    Ok(Json(json!({})))
}

/// Asks the source, and answers with its rows.
pub(super) async fn query(
    _: Authorized,
    (State(door), Path(name)): Named,
    body: Bytes,
) -> Result<Json, RestError> {
    let source = active(&door, &name)?;
    let reply = source.query(json(&body)?).await;
    let reply = reply.map_err(|error| RestError::of_source(&name, "query", &error))?;
    if reply.is_error() { Err(RestError::of_connector(&reply)) } else { Ok(Json(rows(reply))) }
}

/// A single message keeps its shape; all else is a list of rows (PROTOCOL section 8).
fn rows(reply: QueryReply) -> Value {
    if reply.partials.is_empty() && reply.status == 200 && !reply.body.is_null() {
        return reply.body;
    }
    Value::Array(reply.rows())
}

fn source(door: &Door, name: &str) -> Source {
    Source::new(Arc::clone(&door.shared), name)
}

/// The source, unless it does not exist or is not active.
fn active(door: &Door, name: &str) -> Result<Source, RestError> {
    match find(door, name)?["active"] {
        Value::Bool(false) => Err(RestError::not_active(name)),
        _ => Ok(source(door, name)),
    }
}

/// The record of a source that exists.
fn find(door: &Door, name: &str) -> Result<Value, RestError> {
    let any_source = door.shared.settings.any_source;
    let record = door.shared.read(|world| {
        let seat = world.registry.find(name)?;
        seat.exists(any_source).then(|| record::of(name, seat))
    });
    record.ok_or_else(|| RestError::missing(RESOURCE, name))
}

/// Changes a source that exists by what is decided on its record, and gives the new one.
async fn change_existing(
    door: &Door,
    name: &str,
    decide: impl FnOnce(&Value) -> Result<Change, RestError>,
) -> Result<Json, RestError> {
    let any_source = door.shared.settings.any_source;
    change_seat(door, name, |seat| {
        if !seat.exists(any_source) {
            return Err(RestError::missing(RESOURCE, name));
        }
        decide(&record::of(name, seat))
    })
    .await
}

/// Decides and changes in one go, so that of two requests at the same time none undoes the other; gives the record.
async fn change_seat(
    door: &Door,
    name: &str,
    decide: impl FnOnce(&Seat) -> Result<Change, RestError>,
) -> Result<Json, RestError> {
    let (record, holder) = door.shared.change(|world| {
        let unknown = Seat::default();
        let change = decide(world.registry.find(name).unwrap_or(&unknown))?;
        let seat = world.registry.seat(name);
        let holder = seat.apply(change);
        Ok((record::of(name, seat), holder))
    })?;
    // The change is made, whether or not its connector can be told.
    told(name, source(door, name).send_reconnect_required(holder).await);
    Ok(Json(record))
}

async fn remove(door: &Door, name: &str) {
    told(name, source(door, name).remove().await);
}

/// A connector that cannot be told of a change finds out when it attaches again.
fn told(name: &str, result: Result<(), SimulatorError>) {
    if let Err(error) = result {
        warn!(source = name, %error, "the connector could not be told of a change");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_stays_one_and_parts_are_joined() {
        let reply = |partials, status, body| rows(QueryReply { partials, status, body });
        assert_eq!(reply(vec![], 200, json!({"a": 1})), json!({"a": 1}));
        assert_eq!(reply(vec![], 200, json!([{"a": 1}])), json!([{"a": 1}]));
        assert_eq!(reply(vec![json!([1, 2])], 200, json!({"a": 1})), json!([1, 2, {"a": 1}]));
        assert_eq!(reply(vec![], 204, Value::Null), json!([]));
    }
}
