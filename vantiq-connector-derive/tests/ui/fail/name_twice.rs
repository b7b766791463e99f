use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", "humidity")]
struct Thermostat;

fn main() {}
