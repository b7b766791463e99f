use vantiq_connector::{SourcePattern, VantiqSource};

#[derive(VantiqSource)]
#[vantiq_source("thermostat", persistent, config = String)]
struct Thermostat;

#[derive(VantiqSource)]
#[vantiq_source(publish = String, persistent)]
struct Any;

#[derive(VantiqSource)]
#[vantiq_source("persistent")]
struct OnlyTheName;

const PERSISTENT: [bool; 3] = [Thermostat::PERSISTENT, Any::PERSISTENT, OnlyTheName::PERSISTENT];

fn main() {
    assert_eq!(PERSISTENT, [true, true, false]);
    assert_eq!(Any::PATTERN, SourcePattern::ANY);
    assert_eq!(OnlyTheName::PATTERN, SourcePattern::new("persistent"));
}
