#![deny(warnings, unused_qualifications)]

mod facade {
    pub use vantiq_connector as runtime;
}

use facade::runtime::{SourcePattern, VantiqSource};

#[derive(VantiqSource)]
#[vantiq_source("thermostat", crate = crate::facade::runtime)]
struct Thermostat;

#[derive(VantiqSource)]
#[vantiq_source("camera", crate = ::vantiq_connector, config = String)]
struct Camera;

fn main() {
    assert_eq!(Thermostat::PATTERN, SourcePattern::new("thermostat"));
    assert_eq!(Camera::PATTERN, SourcePattern::new("camera"));
}
