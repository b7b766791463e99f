use vantiq_connector::VantiqSource;

mod names {
    pub const THERMOSTAT: &str = "thermostat";
}

#[derive(VantiqSource)]
#[vantiq_source(names::THERMOSTAT)]
struct Thermostat;

fn main() {}
