use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source(name = "thermostat")]
struct Thermostat;

fn main() {}
