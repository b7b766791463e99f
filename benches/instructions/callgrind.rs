//! Counts the instructions of this program by running it under callgrind.

use std::{
    env, fs,
    io::ErrorKind,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

/// What this process is to do instead, if it is one that is counted: an operation, and how often.
const ORDER: &str = "VANTIQ_COUNTED";
/// How many times as many operations the long run does.
const MORE: usize = 5;

/// What this process is to do, if it is one that is counted.
pub(crate) fn order() -> Option<Result<(String, usize)>> {
    let order = env::var(ORDER).ok()?;
    let parsed =
        order.rsplit_once('=').and_then(|(name, times)| Some((name.to_owned(), times.parse().ok()?)));
    Some(parsed.with_context(|| format!("`{order}` is not `operation=times`")))
}

/// The instructions that one operation takes, from two runs of which the longer does `many`.
pub(crate) fn count(name: &str, many: usize) -> Result<f64> {
    let few = many / MORE;
    let [short, long] = [total(name, few)?, total(name, many)?];
    ensure!(long > short, "{name}: {many} operations take no more than {few}");
    #[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
    Ok((long - short) as f64 / (many - few) as f64)
}

/// All instructions of a process that performs `name` so often.
fn total(name: &str, times: usize) -> Result<u64> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("callgrind.{}.out", std::process::id()));
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(env::current_exe()?)
        .env(ORDER, format!("{name}={times}"))
        // Or an instruction that clears or copies memory would count once for each byte.
        .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS,-FSRM")
        .stdin(Stdio::null())
        .output();
    let output = match run {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("valgrind is not installed; `apt-get install valgrind` brings it")
        }
        run => run.context("valgrind can be started")?,
    };
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let profile = fs::read_to_string(&file).with_context(|| format!("{} can be read", file.display()))?;
    fs::remove_file(&file)?;
    let totals =
        profile.lines().find_map(|line| line.strip_prefix("totals:")).context("a profile has totals")?;
    Ok(totals.trim().parse()?)
}
