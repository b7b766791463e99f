//! Several sources from one connector set: one handler for every camera, one for the gate, and a count that
//! they share.
//!
//! Run it against `vantiq-simulator --token secret` from this folder, or name the settings:
//! `cargo run --example multi-source -- examples/multi-source/serverConfig/server.config`.

use std::{
    process::ExitCode,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
};

use serde::Deserialize;
use serde_json::json;
use vantiq_connector::prelude::*;

/// Lives as long as the process, whatever becomes of sessions.
#[derive(Default)]
struct Sightings(AtomicU64);

#[derive(Deserialize)]
struct Picture {
    label: String,
}

/// Serves every source whose name begins with `camera-`.
#[derive(VantiqSource)]
#[vantiq_source("camera-*", publish = Picture)]
struct Camera {
    source: Source,
    sightings: Arc<Sightings>,
}

impl SourceHandler for Camera {
    async fn connect(source: Source, _: Self::Config) -> Result<Self> {
        let sightings = source.shared()?;
        Ok(Self { source, sightings })
    }

    async fn publish(&self, picture: Picture) -> Result<()> {
        let total = self.sightings.0.fetch_add(1, Ordering::Relaxed) + 1;
        let event = json!({"camera": self.source.name(), "label": picture.label, "total": total});
        self.source.notify(&event).await?;
        Ok(())
    }
}

/// Serves the source `gate`, and tells how much all cameras have seen.
#[derive(VantiqSource)]
#[vantiq_source("gate")]
struct Gate {
    sightings: Arc<Sightings>,
}

impl SourceHandler for Gate {
    async fn connect(source: Source, _: Self::Config) -> Result<Self> {
        Ok(Self { sightings: source.shared()? })
    }

    async fn query(&self, _: Self::Query, _: &mut Rows) -> Result<Answer> {
        Answer::row(&json!({"total": self.sightings.0.load(Ordering::Relaxed)}))
    }
}

/// `main!` is short for these lines without `shared`.
fn main() -> ExitCode {
    let set = ConnectorSet::builder().source::<Camera>().source::<Gate>().shared(Sightings::default());
    vantiq_connector::start(set)
}
