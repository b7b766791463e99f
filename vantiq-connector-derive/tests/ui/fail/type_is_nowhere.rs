use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", config = Nowhere)]
struct Thermostat;

fn main() {}
