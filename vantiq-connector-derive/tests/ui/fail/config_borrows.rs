use vantiq_connector::VantiqSource;

#[derive(serde::Deserialize)]
struct Config<'a> {
    unit: &'a str,
}

#[derive(VantiqSource)]
#[vantiq_source("thermostat", config = Config)]
struct Thermostat;

fn main() {}
