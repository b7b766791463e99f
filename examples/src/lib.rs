//! One connector per example; see the folders beside this file. And the connector of `docs/TESTING.md`, as a library
//! so that the tests of that chapter can use it: it is the one of the README.
#![forbid(unsafe_code)]

/// The chapter's tests, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/TESTING.md")]
struct Testing;

use serde::Deserialize;
use serde_json::json;
use vantiq_connector::prelude::*;

/// The source's configuration document in Vantiq.
#[derive(Debug, Deserialize)]
pub struct Config {
    unit: String,
}

/// What is published to the source.
#[derive(Debug, Deserialize)]
pub struct SetPoint {
    target: f64,
}

/// What the source is asked.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "camelCase")]
pub enum Ask {
    /// The present temperature.
    Current,
    /// That of the last days.
    History {
        /// How many.
        days: u32,
    },
}

/// A publish sets the temperature, a query asks for the present one or for the history.
#[derive(Debug, VantiqSource)]
#[vantiq_source("thermostat", config = Config, publish = SetPoint, query = Ask)]
pub struct Thermostat {
    source: Source,
    config: Config,
}

impl SourceHandler for Thermostat {
    async fn connect(source: Source, config: Config) -> Result<Self> {
        Ok(Self { source, config })
    }

    async fn publish(&self, message: SetPoint) -> Result<()> {
        self.source.notify(&json!({"accepted": message.target, "unit": self.config.unit})).await?;
        Ok(())
    }

    async fn query(&self, ask: Ask, rows: &mut Rows) -> Result<Answer> {
        match ask {
            Ask::Current => Answer::row(&json!({"value": 21.5})),
            Ask::History { days } => {
                for day in 0..days {
                    rows.send(&json!({"day": day, "value": 21.5})).await?;
                }
                Ok(Answer::done())
            }
        }
    }
}
