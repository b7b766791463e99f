use vantiq_connector::{SourcePattern, VantiqSource};

#[derive(VantiqSource)]
#[vantiq_source]
struct Bare;

#[derive(VantiqSource)]
#[vantiq_source()]
struct Empty;

#[derive(VantiqSource)]
#[vantiq_source(config = String)]
struct OnlyKeys;

fn main() {
    for pattern in [Bare::PATTERN, Empty::PATTERN, OnlyKeys::PATTERN] {
        assert_eq!(pattern, SourcePattern::ANY);
    }
    let _: <OnlyKeys as VantiqSource>::Config = String::new();
}
