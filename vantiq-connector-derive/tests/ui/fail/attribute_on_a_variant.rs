use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source]
enum Device {
    #[vantiq_source("thermostat")]
    Thermostat,
    #[vantiq_source("camera-*")]
    Camera,
}

fn main() {}
