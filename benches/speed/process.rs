//! [`Process`]: a client in a process of its own, which ends with this one.

use std::{
    env,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    thread,
};

use anyhow::{Context as _, Result};

use crate::{bare, core, ours, usage};

/// Says which client a process is.
const ROLE: &str = "VANTIQ_BENCH_ROLE";
/// Says to which core a client binds itself.
const CORE: &str = "VANTIQ_BENCH_CORE";
/// Names a Python that has `vantiqconnectorsdk`.
const PYTHON: &str = "VANTIQ_PYTHON";

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// This connector, as a user writes it.
    Ours,
    /// tokio-tungstenite, and nothing but the work.
    Bare,
    /// Vantiq's own SDK for Python.
    Python,
    /// Nobody: a plain loop of the benchmark itself, which writes what an outbox file has to keep.
    Disk,
}

impl Client {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "vantiq-connector",
            Self::Bare => "bare client",
            Self::Python => "Python SDK",
            Self::Disk => "the disk alone",
        }
    }

    /// Whether it can be measured here.
    pub(crate) fn is_here(self) -> bool {
        self != Self::Python || env::var_os(PYTHON).is_some()
    }
}

/// A client that runs. Its end is that of the process.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

/// Where clients find their settings, and tables go.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("speed")
}

/// The certificate to trust.
pub(crate) fn authority_file() -> PathBuf {
    folder().join("authority.pem")
}

/// Copies this program, so that the clients share no memory with the server.
pub(crate) fn prepare() -> Result<()> {
    fs::create_dir_all(folder().join("serverConfig"))?;
    fs::copy(env::current_exe()?, program()).context("the program can be copied")?;
    Ok(())
}

fn program() -> PathBuf {
    folder().join("client")
}

impl Process {
    /// Starts `client` with `settings` as its `server.config`.
    pub(crate) fn start(client: Client, settings: &str, core: Option<usize>) -> Result<Self> {
        fs::write(folder().join("serverConfig/server.config"), settings)?;
        let log = folder().join("client.log");
        let output = File::create(&log)?;
        let child = command(client)
            .current_dir(folder())
            .env(ROLE, client.name())
            .env(CORE, core.map(|core| core.to_string()).unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("the {} can be started", client.name()))?;
        Ok(Self { child, log })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it says what went wrong.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default().chars().take(4_000).collect()
    }

    pub(crate) fn memory(&self) -> Result<f64> {
        usage::memory(self.id()).context("memory is told by Linux only")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(client: Client) -> Command {
    if client == Client::Python {
        let mut command = Command::new(env::var_os(PYTHON).unwrap_or_else(|| "python3".into()));
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("speed/python_client.py"));
        command.env("SSL_CERT_FILE", authority_file()); // it has no key for it
        return command;
    }
    let mut command = Command::new(program());
    command.arg("serverConfig/server.config");
    command
}

/// Is a client, if this process is to be one.
pub(crate) fn role() -> Option<ExitCode> {
    let role = env::var(ROLE).ok()?;
    if let Some(core) = env::var(CORE).ok().and_then(|core| core.parse().ok()) {
        core::bind(core);
    }
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    // However the server ends, its end of the pipe is closed.
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    Some(if role == Client::Ours.name() { ours::run() } else { bare::run() })
}
