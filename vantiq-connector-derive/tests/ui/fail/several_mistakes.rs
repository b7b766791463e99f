//! All are reported in one build.

use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("living room", confg = String, publish, query = "u8", retry = 3, crate = 5)]
struct Thermostat<'a> {
    unit: &'a str,
}

fn main() {}
