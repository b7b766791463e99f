//! The connector of the quickstart: a source with typed configuration, publishes and queries.

use serde::Deserialize;
use serde_json::json;
use vantiq_connector::prelude::*;

use crate::transcript::connector;

/// The source's configuration document in Vantiq.
#[derive(Deserialize)]
pub(crate) struct Config {
    unit: String,
}

/// What is published to the source.
#[derive(Deserialize)]
pub(crate) struct SetPoint {
    target: f64,
}

/// What the source is asked.
#[derive(Deserialize)]
pub(crate) struct History {
    days: u32,
}

#[derive(VantiqSource)]
#[vantiq_source("sensor", config = Config, publish = SetPoint, query = History)]
pub(crate) struct Sensor {
    source: Source,
    unit: String,
}

impl SourceHandler for Sensor {
    async fn connect(source: Source, config: Config) -> Result<Self> {
        connector(&format!("connected, the unit is {}", config.unit));
        source.notify(&json!({"ready": config.unit})).await?;
        Ok(Self { source, unit: config.unit })
    }

    async fn publish(&self, message: SetPoint) -> Result<()> {
        connector(&format!("the new target is {}", message.target));
        // The receipt says what became of the event; here it is not awaited, and the event arrives all the same.
        self.source.notify(&json!({"target": message.target, "unit": self.unit})).await?;
        Ok(())
    }

    async fn query(&self, history: History, rows: &mut Rows) -> Result<Answer> {
        connector(&format!("streaming {} rows", history.days));
        for day in 0..history.days {
            rows.send(&json!({"day": day, "value": 21.5})).await?;
        }
        Ok(Answer::done())
    }

    async fn close(self) {
        connector("session closed");
    }
}
