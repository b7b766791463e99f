use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("")]
struct Thermostat;

fn main() {}
