use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", crate = (u8, u8))]
struct Thermostat;

fn main() {}
