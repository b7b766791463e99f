use vantiq_connector::VantiqSource;

#[derive(serde::Deserialize)]
struct Config;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", config = Config, config = Config)]
struct Thermostat;

fn main() {}
