use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", durable)]
struct Thermostat;

fn main() {}
