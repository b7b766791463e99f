//! The connector with an outbox file that tests kill, a process of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};
use vantiq_simulator::Simulator;

use crate::within;

/// The working directory of one `durable-connector` after the other.
#[derive(Debug)]
pub struct DurableFolder {
    path: PathBuf,
    program: PathBuf,
}

impl DurableFolder {
    /// An empty folder at `path`, in which `program` will run.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn new(path: PathBuf, program: impl Into<PathBuf>) -> Self {
        // It may not be there.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder can be made");
        Self { path, program: program.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A connector that notifies the source `a` of `count` numbers from `first` on.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(&self, simulator: &Simulator, first: u64, count: u64) -> DurableConnector {
        let (url, token) = (simulator.url(), simulator.token());
        let settings = format!(
            "targetServer={url}\nauthToken={token}\nsources=a\ntcpProbePort=0\nproxy=none\nreconnectSecret=s\n\
             outboxFile=state/outbox\nfirst={first}\ncount={count}\n"
        );
        fs::write(self.path.join("server.config"), settings).expect("the folder can be written");
        let mut command = Command::new(&self.program);
        command.arg("server.config").current_dir(&self.path).env_clear().kill_on_drop(true);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it was built");
        let accepted = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        DurableConnector { child, accepted }
    }
}

/// A `durable-connector` that runs, and what it says it has accepted. Dropped, it is killed.
#[derive(Debug)]
pub struct DurableConnector {
    child: Child,
    accepted: Lines<BufReader<ChildStdout>>,
}

impl DurableConnector {
    /// The next number that was accepted; `None` at its end.
    ///
    /// # Panics
    /// If it says something else.
    pub async fn next(&mut self) -> Option<u64> {
        let line = within(self.accepted.next_line()).await.expect("it prints text");
        line.map(|line| line.parse().expect("a number"))
    }

    /// `kill -9` after it accepted so many. Returns all that it accepted.
    ///
    /// # Panics
    /// If it ends by itself before.
    pub async fn kill_after(mut self, count: u64) -> Vec<u64> {
        let mut accepted = Vec::new();
        while (accepted.len() as u64) < count {
            accepted.push(self.next().await.expect("it goes on"));
        }
        self.child.start_kill().expect("it runs");
        // What it had said by then lies in the pipe.
        while let Some(number) = self.next().await {
            accepted.push(number);
        }
        self.ended().await;
        accepted
    }

    /// Asks it to stop. Returns its exit code.
    ///
    /// # Panics
    /// If it cannot be asked.
    pub async fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().expect("it runs").to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(told.expect("there is `kill`").success());
        while self.next().await.is_some() {}
        self.ended().await
    }

    /// Waits for its end. Returns its exit code.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn ended(&mut self) -> Option<i32> {
        within(self.child.wait()).await.expect("it is a child").code()
    }
}
