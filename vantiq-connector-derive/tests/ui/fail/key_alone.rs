use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", config)]
struct Thermostat;

fn main() {}
