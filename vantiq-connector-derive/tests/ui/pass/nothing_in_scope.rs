//! The expansion relies on no name of the place where it lands.

#[allow(non_camel_case_types, dead_code)]
mod vantiq_connector {}

#[allow(dead_code)]
struct SourcePattern;

#[allow(non_camel_case_types, dead_code)]
struct bool;

#[derive(::vantiq_connector::VantiqSource)]
#[vantiq_source("thermostat", persistent)]
struct Thermostat;

fn main() {
    assert_eq!(<Thermostat as ::vantiq_connector::VantiqSource>::PATTERN.as_str(), "thermostat");
}
