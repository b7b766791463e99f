use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", persistent, config = String, persistent)]
struct Thermostat;

fn main() {}
