//! The stub impl keeps the rest of the handler quiet.

use vantiq_connector::prelude::*;

#[derive(serde::Deserialize)]
struct Config {
    unit: String,
}

#[derive(VantiqSource)]
#[vantiq_source("thermostat", confg = Config)]
struct Thermostat {
    unit: String,
}

impl SourceHandler for Thermostat {
    async fn connect(_source: Source, config: Config) -> Result<Self> {
        Ok(Self { unit: config.unit })
    }
}

fn main() {}
