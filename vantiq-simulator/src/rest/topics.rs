//! `resources/topics`: messages for whoever has subscribed.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::json;
use serde_json::value::to_raw_value;
use tracing::info;

use super::authentication::Authorized;
use super::error::RestError;
use super::{Json, json};
use crate::http::Door;

pub(super) async fn publish(
    _: Authorized,
    State(door): State<Arc<Door>>,
    Path(topic): Path<String>,
    body: Bytes,
) -> Result<Json, RestError> {
    // A topic begins with `/`, so its path has two, but where a client or a proxy joined them.
    let topic = format!("/{}", topic.trim_start_matches('/'));
    let limit = door.shared.settings.inbound_limit;
    if body.len() > limit {
        return Err(RestError::invalid(format!("A message has at most {limit} bytes.")));
    }
    let value = to_raw_value(&json(&body)?).map_err(|error| RestError::not_json(&error))?;
    let events = door.shared.read(|world| world.registry.topic_events(&topic, Some(&value)));
    info!(topic, subscribers = events.len(), "publish");
    for event in events {
        door.shared.tell(event);
    }
    Ok(Json(json!({})))
}
