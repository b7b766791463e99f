//! Handlers that several test files use.

use std::sync::Arc;

use serde_json::{Value, json};
use vantiq_connector::prelude::*;

use crate::Gate;

/// Notifies nothing by itself, and answers queries with themselves.
#[derive(Debug, VantiqSource)]
#[vantiq_source]
pub struct Quiet;

impl SourceHandler for Quiet {
    async fn connect(_: Source, _: Value) -> Result<Self> {
        Ok(Self)
    }

    async fn query(&self, query: Value, _: &mut Rows) -> Result<Answer> {
        Answer::row(&query)
    }
}

/// Tells what happens to it by notifications: `{"configured": config}` from within `connect` and
/// `{"published": message}`. Answers queries with themselves.
///
/// A query that is `"wait"` and a publish that is `"wait"` notify `{"waiting": "query"}` or `"publish"`,
/// and end only when the shared [`Gate`] has been opened for them.
#[derive(Debug, VantiqSource)]
#[vantiq_source]
pub struct Echo {
    source: Source,
    gate: Arc<Gate>,
}

impl Echo {
    async fn wait(&self, call: &str) -> Result<()> {
        self.source.notify(&json!({"waiting": call})).await?;
        self.gate.pass().await;
        Ok(())
    }
}

impl SourceHandler for Echo {
    async fn connect(source: Source, config: Value) -> Result<Self> {
        source.notify(&json!({"configured": config})).await?;
        let gate = source.shared_or_init(Gate::default);
        Ok(Self { source, gate })
    }

    async fn publish(&self, message: Value) -> Result<()> {
        if message == "wait" {
            self.wait("publish").await?;
        }
        self.source.notify(&json!({"published": message})).await?;
        Ok(())
    }

    async fn query(&self, query: Value, _: &mut Rows) -> Result<Answer> {
        if query == "wait" {
            self.wait("query").await?;
        }
        Answer::row(&query)
    }
}
