use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", persistent config = String)]
struct Thermostat;

fn main() {}
