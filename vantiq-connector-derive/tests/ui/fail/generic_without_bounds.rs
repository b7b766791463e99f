use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat")]
struct Thermostat<T> {
    reading: T,
}

fn main() {}
