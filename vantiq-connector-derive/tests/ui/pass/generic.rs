use serde::de::DeserializeOwned;
use vantiq_connector::{SourcePattern, VantiqSource};

#[derive(VantiqSource)]
#[vantiq_source("relay-*", publish = T)]
struct Relay<T, const N: usize = 4>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    _last: [Option<T>; N],
}

#[derive(VantiqSource)]
#[vantiq_source("wrapped", config = Vec<T>)]
struct Wrapped<T: DeserializeOwned + Send + Sync + 'static>(Option<T>);

fn main() {
    assert_eq!(Relay::<String>::PATTERN, SourcePattern::new("relay-*"));
    let _: <Relay<String, 2> as VantiqSource>::Publish = String::new();
    let _: <Wrapped<u8> as VantiqSource>::Config = vec![1];
    let _ = Wrapped::<u8>(None).0;
}
