//! `config = Config` was forgotten.

use vantiq_connector::prelude::*;

#[derive(serde::Deserialize)]
struct Config;

#[derive(VantiqSource)]
#[vantiq_source("thermostat")]
struct Thermostat;

impl SourceHandler for Thermostat {
    async fn connect(_source: Source, _config: Config) -> Result<Self> {
        Ok(Self)
    }
}

fn main() {}
