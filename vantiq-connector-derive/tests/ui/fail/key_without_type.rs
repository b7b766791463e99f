use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", config =, publish = String)]
struct Thermostat;

fn main() {}
