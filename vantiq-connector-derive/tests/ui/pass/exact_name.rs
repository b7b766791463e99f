use vantiq_connector::{SourcePattern, VantiqSource};

#[derive(VantiqSource)]
#[vantiq_source("thermostat")]
struct Thermostat;

fn main() {
    assert_eq!(Thermostat::PATTERN, SourcePattern::new("thermostat"));
    let _: <Thermostat as VantiqSource>::Config = serde_json::Value::Null;
    let _: <Thermostat as VantiqSource>::Publish = serde_json::Value::Null;
    let _: <Thermostat as VantiqSource>::Query = serde_json::Value::Null;
}
