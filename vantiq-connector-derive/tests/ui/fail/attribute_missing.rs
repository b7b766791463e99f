use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
struct Thermostat;

fn main() {}
