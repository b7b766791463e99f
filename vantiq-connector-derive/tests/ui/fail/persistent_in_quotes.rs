use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", "persistent")]
struct Thermostat;

fn main() {}
