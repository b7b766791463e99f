use std::collections::HashMap;

use serde::Deserialize;
use vantiq_connector::VantiqSource;

#[derive(Deserialize)]
struct Config {
    _unit: String,
}

mod messages {
    #[derive(serde::Deserialize)]
    pub struct SetPoint;
}

// Keys in any order, types with paths and commas of their own.
#[derive(VantiqSource)]
#[vantiq_source("thermostat", query = HashMap<String, Vec<(u8, f64)>>, publish = messages::SetPoint, config = Config)]
struct Thermostat;

fn main() {
    let _: <Thermostat as VantiqSource>::Config = Config { _unit: String::new() };
    let _: <Thermostat as VantiqSource>::Publish = messages::SetPoint;
    let _: <Thermostat as VantiqSource>::Query = HashMap::from([(String::new(), vec![(0, 0.0)])]);
}
