use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", config = 5, publish = String)]
struct Thermostat;

fn main() {}
