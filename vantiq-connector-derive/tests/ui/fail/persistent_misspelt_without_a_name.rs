use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source(persistant, config = String)]
struct Thermostat;

fn main() {}
