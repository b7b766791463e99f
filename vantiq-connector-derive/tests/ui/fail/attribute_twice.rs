use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat")]
#[vantiq_source(config = String)]
struct Thermostat;

fn main() {}
