use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source(42)]
struct Thermostat;

fn main() {}
