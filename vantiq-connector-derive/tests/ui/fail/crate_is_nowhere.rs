use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", crate = nowhere)]
struct Thermostat;

fn main() {}
