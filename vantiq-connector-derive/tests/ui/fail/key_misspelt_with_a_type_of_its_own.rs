//! What to write repeats the type.

use vantiq_connector::VantiqSource;

#[derive(serde::Deserialize)]
struct SetPoint;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", pubilsh = Vec<SetPoint>)]
struct Thermostat;

fn main() {}
