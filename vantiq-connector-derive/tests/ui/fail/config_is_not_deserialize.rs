use vantiq_connector::VantiqSource;

struct Config;

#[derive(VantiqSource)]
#[vantiq_source("thermostat", config = Config)]
struct Thermostat;

fn main() {}
