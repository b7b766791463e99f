use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source(persistent, "thermostat")]
struct Thermostat;

fn main() {}
