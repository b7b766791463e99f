use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", crate = "vantiq_connector")]
struct Thermostat;

fn main() {}
