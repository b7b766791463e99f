use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", persistent = String)]
struct Thermostat;

fn main() {}
