//! Arguments that come from another macro arrive in invisible groups.

use vantiq_connector::{SourcePattern, VantiqSource};

macro_rules! handler {
    ($ident:ident, $name:literal, $config:ty, $krate:path) => {
        #[derive(VantiqSource)]
        #[vantiq_source($name, config = $config, crate = $krate)]
        struct $ident;
    };
}

handler!(Thermostat, "thermostat", Vec<(u8, String)>, ::vantiq_connector);

fn main() {
    assert_eq!(Thermostat::PATTERN, SourcePattern::new("thermostat"));
    let _: <Thermostat as VantiqSource>::Config = vec![(1, String::new())];
}
