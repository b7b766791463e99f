//! [`Witness`]: the connector's handler, which notes what reaches it.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use tokio::time::sleep;
use vantiq_connector::{QueryError, prelude::*};

use super::history::{Event, History};

/// Notes configurations and publishes, and answers queries as they say.
#[derive(Debug, VantiqSource)]
#[vantiq_source(config = Config, publish = Publish, query = Query)]
pub(super) struct Witness {
    history: Arc<History>,
    source: usize,
    config: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Config {
    config: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Publish {
    number: u64,
}

/// So many rows, each after a pause, and then perhaps an error.
#[derive(Debug, Deserialize)]
pub(super) struct Query {
    rows: u64,
    pause: u64,
    fails: bool,
}

/// The name of a source.
pub(super) fn name(source: usize) -> String {
    format!("source-{source}")
}

/// The index of a source of this name.
pub(super) fn index(name: &str) -> Option<usize> {
    name.strip_prefix("source-")?.parse().ok()
}

impl SourceHandler for Witness {
    async fn connect(source: Source, Config { config }: Config) -> Result<Self> {
        let history = source.shared::<History>()?;
        let source = index(source.name()).expect("the scene named the source");
        history.note(Event::Connected { source, config });
        Ok(Self { history, source, config })
    }

    async fn publish(&self, Publish { number }: Publish) -> Result<()> {
        self.history.note(Event::Handled { source: self.source, config: self.config, number });
        Ok(())
    }

    async fn query(&self, Query { rows: count, pause, fails }: Query, rows: &mut Rows) -> Result<Answer> {
        for row in 0..count {
            sleep(Duration::from_millis(pause)).await;
            rows.send(&row).await?;
        }
        if fails {
            return Err(QueryError::new("scene.failed", "as the query says").into());
        }
        Ok(Answer::done())
    }
}
