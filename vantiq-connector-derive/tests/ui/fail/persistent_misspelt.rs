use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", persistant)]
struct Thermostat;

fn main() {}
