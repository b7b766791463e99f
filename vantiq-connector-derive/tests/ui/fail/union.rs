use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat")]
union Thermostat {
    celsius: f64,
    raw: u64,
}

fn main() {}
