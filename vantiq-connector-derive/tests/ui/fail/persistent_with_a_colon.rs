use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", persistent: true)]
struct Thermostat;

fn main() {}
