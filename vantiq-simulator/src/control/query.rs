//! Asks a source, and tells the answers as they come.

use axum::body::Bytes;
use axum::extract::{Path, State};
use futures_util::{Stream, stream};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::lines::{Lines, line};
use super::{Named, milliseconds, source};
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
        let step = step(&mut pending).await.unwrap_or_else(|error| Step::Failed {
            error: RestError::of_source(&name, "query", &error).first().clone(),
        });
        let is_over = !matches!(step, Step::Part { .. });
        let told = Told { step, ms: milliseconds(asked.elapsed()) };
        Some((line(&told), (!is_over).then_some((name, pending))))
    });
    Ok(Lines(steps))
}

/// What is told of an answer.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    step: Step,
    ms: f64,
}

/// One answer, as it came.
#[derive(Serialize)]
#[serde(untagged)]
enum Step {
    Part { partial: Box<RawValue> },
    Last { status: u16, body: Box<RawValue> },
    Failed { error: Value },
}

async fn step(pending: &mut PendingQuery) -> Result<Step, SimulatorError> {
    if let Some(partial) = pending.take_partial().await? {
        return Ok(Step::Part { partial });
    }
    let (status, body) = pending.take_terminal();
    Ok(Step::Last { status, body })
}
