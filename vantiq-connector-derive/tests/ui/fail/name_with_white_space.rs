use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("living room")]
struct Thermostat;

fn main() {}
