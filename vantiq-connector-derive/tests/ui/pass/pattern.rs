use vantiq_connector::{SourcePattern, VantiqSource};

#[derive(VantiqSource)]
#[vantiq_source("camera-*")]
struct Camera;

fn main() {
    assert_eq!(Camera::PATTERN, SourcePattern::new("camera-*"));
}
