use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source(" thermostat ")]
struct Thermostat;

fn main() {}
