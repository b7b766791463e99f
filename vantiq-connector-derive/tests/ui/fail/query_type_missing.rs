//! `query = Ask` was forgotten.

use vantiq_connector::prelude::*;

#[derive(serde::Deserialize)]
struct Ask;

#[derive(VantiqSource)]
#[vantiq_source("thermostat")]
struct Thermostat;

impl SourceHandler for Thermostat {
    async fn connect(_source: Source, _config: Self::Config) -> Result<Self> {
        Ok(Self)
    }

    async fn query(&self, _ask: Ask, _rows: &mut Rows) -> Result<Answer> {
        Ok(Answer::empty())
    }
}

fn main() {}
