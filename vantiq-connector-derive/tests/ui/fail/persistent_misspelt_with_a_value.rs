use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", persist = false)]
struct Thermostat;

fn main() {}
