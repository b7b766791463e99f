use vantiq_connector::VantiqSource;

#[derive(VantiqSource)]
#[vantiq_source("thermostat")]
struct Thermostat {
    celsius: std::rc::Rc<f64>,
}

fn main() {}
