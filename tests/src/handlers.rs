//! Handlers that several test files use.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use vantiq_connector::prelude::*;

/// Tells what happens to it by notifications: `{"configured": config}` from within `connect` and
/// `{"published": message}`. Answers a query with `{"asked": query}`.
///
/// A query that is `"wait"` and a publish that is `"wait"` notify `{"waiting": "query"}` or `"publish"`,
/// and end only when the shared [`Gate`] has been opened for them.
#[derive(Debug, VantiqSource)]
#[vantiq_source]
pub struct Echo {
    source: Source,
    gate: Arc<Gate>,
}

/// Holds back the calls of [`Echo`] that wait, until it is opened for each of them.
#[derive(Debug)]
pub struct Gate(Semaphore);

impl Gate {
    /// A closed gate, to be given to [`shared_arc`](vantiq_connector::ConnectorSetBuilder::shared_arc).
    #[must_use]
    pub fn closed() -> Arc<Self> {
        Arc::new(Self(Semaphore::new(0)))
    }

    /// Lets so many calls pass.
    pub fn open(&self, calls: usize) {
        self.0.add_permits(calls);
    }

    async fn pass(&self) -> Result<()> {
        self.0.acquire().await?.forget();
        Ok(())
    }
}

impl Echo {
    async fn wait(&self, call: &str) -> Result<()> {
        self.source.notify(&json!({"waiting": call})).await?;
        self.gate.pass().await
    }
}

impl SourceHandler for Echo {
    async fn connect(source: Source, config: Value) -> Result<Self> {
        source.notify(&json!({"configured": config})).await?;
        let gate = source.shared_or_init(|| Gate(Semaphore::new(0)));
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
        Answer::row(&json!({"asked": query}))
    }
}
