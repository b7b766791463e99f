//! A connector that has much to do, for the tests that stop it. Its argument is its `server.config`, and
//! `GRACE_MS` in its environment the grace.
#![forbid(unsafe_code)]

use std::{future::pending, process::ExitCode, time::Duration};

use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use vantiq_connector::prelude::*;
use vantiq_connector_tests::{Question, Work};

/// As many publishes as a test may queue, and queries as it may ask at once.
const PUBLISHES: usize = 10_000;
const QUERIES: usize = 100;

#[derive(Deserialize)]
struct Config {
    /// Whether `close` ends.
    closes: bool,
}

/// Does as it is told.
#[derive(VantiqSource)]
#[vantiq_source(config = Config, publish = Work, query = Question)]
struct Loaded {
    source: Source,
    config: Config,
    /// Queries that have begun.
    asked: watch::Sender<usize>,
}

impl SourceHandler for Loaded {
    async fn connect(source: Source, config: Config) -> Result<Self> {
        Ok(Self { source, config, asked: watch::Sender::default() })
    }

    async fn publish(&self, work: Work) -> Result<()> {
        match work {
            Work::Load { events, bytes, queries } => {
                let padding = "x".repeat(bytes);
                for number in 0..events {
                    self.source.notify(&json!({"queued": number, "padding": padding})).await?;
                }
                self.asked.subscribe().wait_for(|asked| *asked >= queries).await?;
                println!("loaded");
                self.source.cancelled().await;
            }
            Work::Notify(number) => {
                self.source.notify(&json!({"published": number})).await?;
            }
            Work::Hang => pending().await,
        }
        Ok(())
    }

    async fn query(&self, question: Question, rows: &mut Rows) -> Result<Answer> {
        self.asked.send_modify(|asked| *asked += 1);
        self.source.cancelled().await;
        match question {
            Question::Rows(count) => {
                for row in 0..count {
                    rows.send(&row).await?;
                }
                Answer::row("done")
            }
            Question::Hang => pending().await,
        }
    }

    async fn close(self) {
        if !self.config.closes {
            pending::<()>().await;
        }
    }
}

fn main() -> ExitCode {
    let grace = std::env::var("GRACE_MS").expect("the grace is given").parse().expect("it is a number");
    let set = ConnectorSet::builder()
        .source::<Loaded>()
        .publish_queue(PUBLISHES, 64 << 20)
        .max_queries(QUERIES)
        .grace(Duration::from_millis(grace));
    vantiq_connector::start(set)
}
