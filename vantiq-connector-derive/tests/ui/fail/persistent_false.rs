use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", persistent = false)]
struct Thermostat;

fn main() {}
