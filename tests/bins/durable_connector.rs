//! A connector with an outbox file, for the tests that kill it. Its argument is its `server.config`.
#![forbid(unsafe_code)]

use std::{
    io::{Write, stdout},
    process::ExitCode,
};

use serde_json::{Value, json};
use vantiq_connector::prelude::*;

/// Does nothing; the events come from elsewhere.
#[derive(VantiqSource)]
#[vantiq_source]
struct Quiet;

impl SourceHandler for Quiet {
    async fn connect(_: Source, _: Value) -> Result<Self> {
        Ok(Self)
    }
}

/// Notifies numbers from the key `first` on, as many as `count` says, and prints each when it is accepted.
async fn count(source: Source) -> Result<()> {
    let number = |key| source.server_config().get(key).unwrap_or("0").trim().parse::<u64>();
    let first = number("first")?;
    for number in first..first + number("count")? {
        source.notify(&json!(number)).await?;
        let mut stdout = stdout().lock();
        writeln!(stdout, "{number}")?;
        stdout.flush()?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let path = std::env::args_os().nth(1).expect("the path of a server.config");
    let set = match ConnectorSet::builder().source::<Quiet>().config_file(path).build() {
        Ok(set) => set,
        Err(error) => {
            eprintln!("error: {error}: {:?}", std::error::Error::source(&error).map(ToString::to_string));
            return ExitCode::from(error.exit_code());
        }
    };
    for source in set.handle().sources().to_vec() {
        tokio::spawn(async move {
            if let Err(error) = count(source).await {
                eprintln!("error: {error:#}");
            }
        });
    }
    match set.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(error.exit_code()),
    }
}
