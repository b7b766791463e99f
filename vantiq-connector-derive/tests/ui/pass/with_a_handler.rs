use vantiq_connector::prelude::*;

#[derive(serde::Deserialize)]
struct Config {
    unit: String,
}

#[derive(VantiqSource)]
#[vantiq_source("thermostat", config = Config, publish = f64)]
struct Thermostat {
    unit: String,
}

impl SourceHandler for Thermostat {
    async fn connect(_source: Source, config: Config) -> Result<Self> {
        Ok(Self { unit: config.unit })
    }

    async fn publish(&self, message: f64) -> Result<()> {
        println!("{message} {}", self.unit);
        Ok(())
    }
}

fn main() {}
