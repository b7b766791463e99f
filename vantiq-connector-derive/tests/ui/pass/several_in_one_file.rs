use vantiq_connector::{SourcePattern, VantiqSource};

#[derive(VantiqSource)]
#[vantiq_source("thermostat", config = String)]
struct Thermostat;

#[derive(VantiqSource)]
#[vantiq_source("camera-*", query = String)]
struct Camera;

mod inner {
    use vantiq_connector::VantiqSource;

    #[derive(VantiqSource)]
    #[vantiq_source]
    pub struct Thermostat;
}

fn main() {
    let patterns = [Thermostat::PATTERN, Camera::PATTERN, inner::Thermostat::PATTERN];
    assert_eq!(
        patterns,
        [SourcePattern::new("thermostat"), SourcePattern::new("camera-*"), SourcePattern::ANY]
    );
}
