//! A connector as people write it, for the tests of whole processes.
#![forbid(unsafe_code)]

use serde_json::Value;
use vantiq_connector::prelude::*;

/// Notifies `"connected"` and at its end `"closing"`, and answers queries with themselves.
#[derive(VantiqSource)]
#[vantiq_source("echo*")]
struct Echo(Source);

impl SourceHandler for Echo {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        source.notify(&"connected").await?;
        Ok(Self(source))
    }

    async fn query(&self, query: Value, _: &mut Rows) -> Result<Answer> {
        Answer::row(&query)
    }

    async fn close(self) {
        let _ = self.0.notify(&"closing").await;
    }
}

/// Blocks its thread when it is to close, and tells so.
#[derive(VantiqSource)]
#[vantiq_source("stubborn")]
struct Stubborn(Source);

impl SourceHandler for Stubborn {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        Ok(Self(source))
    }

    async fn close(self) {
        // Acknowledged, so it is certain that the link was not waiting for this thread.
        if let Ok(receipt) = self.0.notify(&"closing").await {
            let _ = receipt.await;
        }
        loop {
            std::thread::park();
        }
    }
}

vantiq_connector::main!(Echo, Stubborn);
