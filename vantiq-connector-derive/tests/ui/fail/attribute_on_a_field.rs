use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
struct Thermostat {
    #[vantiq_source("thermostat")]
    celsius: f64,
}

fn main() {}
