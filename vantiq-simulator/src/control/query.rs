//! Asks a source, and tells the answers as they come.

use axum::body::Bytes;
use axum::extract::{Path, State};
use futures_util::{Stream, stream};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::lines::{Lines, line};
use super::{Named, source};
use crate::error::SimulatorError;
use crate::query::PendingQuery;
use crate::rest::{Authorized, RestError, json};

pub(super) async fn ask(
    _: Authorized,
    (State(door), Path(name)): Named,
    body: Bytes,
) -> Result<Lines<impl Stream<Item = String> + Send + 'static>, RestError> {
    let asked = Instant::now();
    let pending = source(&door, &name).start_query(json(&body)?).await;
    let pending = pending.map_err(|error| RestError::of_source(&name, "query", &error))?;
    let steps = stream::unfold(Some((name, pending)), move |going_on| async move {
        let (name, mut pending) = going_on?;
        let (mut told, is_over) = match step(&mut pending).await {
            Ok(told) => told,
            Err(error) => (json!({ "error": RestError::of_source(&name, "query", &error).first() }), true),
        };
        told["ms"] = json!(asked.elapsed().as_secs_f64() * 1_000.0);
        Some((line(&told), (!is_over).then_some((name, pending))))
    });
    Ok(Lines(steps))
}

/// The next answer, and whether it is the last.
async fn step(pending: &mut PendingQuery) -> Result<(Value, bool), SimulatorError> {
    if let Some(partial) = pending.take_partial().await? {
        return Ok((json!({ "partial": partial }), false));
    }
    let (status, body) = pending.take_terminal();
    Ok((json!({ "status": status, "body": body }), true))
}
