use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source(concat!("thermo", "stat"), config = String)]
struct Thermostat;

fn main() {}
