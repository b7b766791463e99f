use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", retry = 5)]
struct Thermostat;

fn main() {}
