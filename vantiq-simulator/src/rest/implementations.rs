//! `resources/sourceimpls`: descriptions of kinds of sources, which are kept as they came.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use serde_json::Value;

use super::authentication::Authorized;
use super::error::RestError;
use super::filter::{Filter, Selection};
use super::{Json, json, record};
use crate::http::Door;

const RESOURCE: &str = "system.sourceimpls";
/// Kept at most.
const MOST: usize = 100;

pub(super) async fn select(
    _: Authorized,
    State(door): State<Arc<Door>>,
    uri: Uri,
) -> Result<Selection, RestError> {
    let filter = Filter::read(&uri)?;
    Ok(door.shared.read(|world| filter.select(world.implementations.values().cloned())))
}

pub(super) async fn select_one(
    _: Authorized,
    State(door): State<Arc<Door>>,
    Path(name): Path<String>,
) -> Result<Json, RestError> {
    let record = door.shared.read(|world| world.implementations.get(&name).cloned());
    record.map(Json).ok_or_else(|| RestError::missing(RESOURCE, &name))
}

/// Loads one, be it anew.
pub(super) async fn load(
    _: Authorized,
    State(door): State<Arc<Door>>,
    body: Bytes,
) -> Result<Json, RestError> {
    let members = record::members(json(&body)?)?;
    let name = record::name(&members)?.to_owned();
    let record = Value::Object(members);
    door.shared.change(|world| {
        if world.implementations.len() >= MOST && !world.implementations.contains_key(&name) {
            return Err(RestError::too_many(RESOURCE));
        }
        world.implementations.insert(name, record.clone());
        Ok(Json(record))
    })
}

pub(super) async fn delete(
    _: Authorized,
    State(door): State<Arc<Door>>,
    Path(name): Path<String>,
) -> Result<StatusCode, RestError> {
    let removed = door.shared.change(|world| world.implementations.remove(&name));
    removed.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| RestError::missing(RESOURCE, &name))
}
