use vantiq_connector::{SourcePattern, VantiqSource};

#[derive(VantiqSource)]
#[vantiq_source("device-*")]
enum Device {
    Thermostat,
    Camera { _port: u16 },
}

fn main() {
    let _ = (Device::Thermostat, Device::Camera { _port: 554 });
    assert_eq!(Device::PATTERN, SourcePattern::new("device-*"));
}
