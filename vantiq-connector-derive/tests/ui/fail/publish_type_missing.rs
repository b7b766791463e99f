//! `publish = SetPoint` was forgotten.

use serde_json::json;
use vantiq_connector::prelude::*;

#[derive(serde::Deserialize)]
struct SetPoint {
    target: f64,
}

#[derive(VantiqSource)]
#[vantiq_source("thermostat")]
struct Thermostat {
    source: Source,
}

impl SourceHandler for Thermostat {
    async fn connect(source: Source, _config: Self::Config) -> Result<Self> {
        Ok(Self { source })
    }

    async fn publish(&self, message: SetPoint) -> Result<()> {
        self.source.notify(&json!({"accepted": message.target})).await?;
        Ok(())
    }
}

fn main() {}
