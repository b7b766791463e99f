use vantiq_connector::VantiqSource;

#[derive(serde::Deserialize)]
struct Config;

#[derive(VantiqSource)]
#[vantiq_source(config = Config, "thermostat")]
struct Thermostat;

fn main() {}
