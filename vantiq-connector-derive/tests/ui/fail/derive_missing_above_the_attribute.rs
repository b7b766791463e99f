use vantiq_connector::prelude::*;

#[vantiq_source("thermostat")]
struct Thermostat;

impl SourceHandler for Thermostat {
    async fn connect(_source: Source, _config: serde_json::Value) -> Result<Self> {
        Ok(Self)
    }
}

fn main() {}
