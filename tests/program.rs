//! Whole processes around `vantiq_connector::main!`: command line, files, environment, signals and exit
//! codes.
#![forbid(unsafe_code)]
#![cfg(unix)]

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader, Lines},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStderr, Command},
};
use vantiq_connector_tests::within;
use vantiq_simulator::{Simulator, UpgradeReply, ValidateReply};

/// The working directory of one process, emptied at the start of its test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("program").join(test);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("serverConfig")).unwrap();
        Self(folder)
    }

    /// Writes a file.
    fn with(self, path: &str, content: &str) -> Self {
        std::fs::write(self.0.join(path), content).unwrap();
        self
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.0.join(path)).unwrap_or_default()
    }

    /// The connector in this folder, with nothing in its environment.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_connector"));
        command.current_dir(&self.0).env_clear().kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self) -> Child {
        self.command().spawn().unwrap()
    }
}

/// Settings for `sources` on `simulator`; the probe has a port of the system's choice.
fn settings(simulator: &Simulator, sources: &str) -> String {
    let (url, token) = (simulator.url(), simulator.token());
    format!("targetServer={url}\nauthToken={token}\nsources={sources}\ntcpProbePort=0\nproxy=none\n")
}

/// The settings without the token.
fn without_token(settings: &str) -> String {
    settings
        .lines()
        .filter(|line| !line.starts_with("authToken"))
        .fold(String::new(), |text, line| text + line + "\n")
}

fn signal(child: &Child, name: &str) {
    signal_to(child.id().expect("it runs"), name);
}

fn signal_to(pid: u32, name: &str) {
    let arguments = [format!("-{name}"), pid.to_string()];
    let status = std::process::Command::new("kill").args(arguments).status().unwrap();
    assert!(status.success());
}

/// What a process that goes on writes, to standard error mostly.
struct Log<R = ChildStderr>(Lines<BufReader<R>>);

impl Log {
    fn of(child: &mut Child) -> Self {
        Self::reading(child.stderr.take().expect("it is piped"))
    }
}

impl<R: AsyncRead + Unpin> Log<R> {
    fn reading(output: R) -> Self {
        Self(BufReader::new(output).lines())
    }

    /// The next line with `part` in it.
    async fn line(&mut self, part: &str) -> String {
        let found = async {
            loop {
                let line = self.0.next_line().await.unwrap().expect("the process goes on");
                if line.contains(part) {
                    return line;
                }
            }
        };
        within(found).await
    }
}

async fn ended(child: Child) -> Output {
    within(child.wait_with_output()).await.unwrap()
}

/// The one line that says what went wrong. Asserts the exit code, and that there is no other such line.
#[track_caller]
fn error_line(output: &Output, exit_code: i32) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit_code), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(output.stdout.is_empty());
    let mut lines = stderr.lines().filter(|line| line.starts_with("error: "));
    let line = lines.next().unwrap_or_else(|| panic!("no error in: {stderr}"));
    assert_eq!(lines.next(), None, "{stderr}");
    line.to_owned()
}

/// Runs the connector with these arguments to its end, which is an error.
async fn fails(folder: &Folder, arguments: &[&str], exit_code: i32) -> String {
    let output = ended(folder.command().args(arguments).spawn().unwrap()).await;
    error_line(&output, exit_code)
}

// ---- a simulated server of its own ----

/// Exit code 0: with `--simulate` one terminal is enough.
#[tokio::test]
async fn a_connector_brings_its_server_along() {
    let folder = Folder::new("simulate").with("document.json", r#"{"unit":"kelvin"}"#);
    let mut command = Command::new(env!("CARGO_BIN_EXE_thermostat"));
    command.current_dir(&folder.0).env_clear().env("VANTIQ_SIMULATOR_TOKENS", "tokens").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.args(["--simulate=0", "--source-config", "document.json"]).spawn().unwrap();
    let mut typed = child.stdin.take().unwrap();
    let mut log = Log::of(&mut child);
    let mut shown = Log::reading(child.stdout.take().unwrap());
    let greeting = shown.line("A Vantiq server is simulated at http://127.0.0.1:").await;
    assert!(greeting.ends_with("with the source thermostat"), "{greeting}");
    shown.line("/api/v1/resources/sources/thermostat/query").await;
    let kept = std::fs::read_dir(folder.0.join("tokens")).unwrap().count();
    assert_eq!(kept, 1, "the commands of `vantiq-simulator` find its token");

    for (command, unit) in [
        ("", "kelvin"),
        ("cut thermostat abort", "kelvin"),
        (r#"configure thermostat {"unit":"celsius"}"#, "celsius"),
    ] {
        typed.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        log.line(": connected").await;
        let lines = "query thermostat {\"op\":\"current\"}\npublish thermostat {\"target\":5}\n";
        typed.write_all(lines.as_bytes()).await.unwrap();
        shown.line(r#"thermostat answers with status 200: {"value":21.5}"#).await;
        log.line(&format!(r#"{{\"accepted\":5.0,\"unit\":\"{unit}\"}}"#)).await;
    }
    typed.write_all(b"quit\n").await.unwrap();
    log.line("closed").await;
    assert_eq!(ended(child).await.status.code(), Some(0));
}

/// Exit code 64: the document for the source is a mistake.
#[tokio::test]
async fn a_document_that_is_no_json_is_named() {
    let folder = Folder::new("simulate_mistake").with("document.json", "{unit: kelvin}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_thermostat"));
    command.current_dir(&folder.0).env_clear().stdin(Stdio::null());
    let output = command.args(["--simulate=0", "--source-config", "document.json"]).output();
    let line = error_line(&within(output).await.unwrap(), 64);
    assert!(line.contains("document.json is no configuration document for a source: not JSON"), "{line}");
}

// ---- stopping ----

/// Exit code 0: SIGTERM and SIGINT stop in good order.
#[tokio::test]
async fn a_signal_stops_in_good_order() {
    for name in ["TERM", "INT"] {
        let simulator = Simulator::builder()
            .source("echo-1", json!({}))
            .source("echo-2", json!({}))
            .start()
            .await
            .unwrap();
        let folder = Folder::new(&format!("stops_{name}"))
            .with("server.config", &settings(&simulator, "echo-1,echo-2"));
        let child = folder.start();
        for source in ["echo-1", "echo-2"] {
            let source = simulator.source(source);
            source.wait_notifications(1).await.unwrap();
            assert_eq!(source.query("asked").await.unwrap().body, "asked");
        }
        signal(&child, name);
        let output = ended(child).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert!(!stderr.contains("error:") && !stderr.contains("panicked"), "{stderr}");
        for source in ["echo-1", "echo-2"] {
            let last = simulator.source(source).notifications().pop().unwrap();
            assert_eq!(last.object, "closing", "`close` ran, and what it notified was flushed");
        }
        let closed = vantiq_simulator::Ending::ClosedByConnector { code: Some(1000) };
        assert!(simulator.link_ends().iter().all(|end| end.ending == closed), "{:?}", simulator.link_ends());
        assert_eq!(simulator.violations(), Vec::<String>::new());
    }
}

/// Exit code 0: also while there is no connection.
#[tokio::test]
async fn a_signal_stops_a_connector_that_is_not_connected() {
    let simulator = Simulator::builder().source("echo", json!({})).start().await.unwrap();
    simulator.on_upgrade(UpgradeReply::Status(503));
    let folder = Folder::new("stops_unconnected").with("server.config", &settings(&simulator, "echo"));
    let child = folder.start();
    simulator.wait_for("a dial", |simulator| simulator.dials() > 0).await.unwrap();
    signal(&child, "TERM");
    assert_eq!(ended(child).await.status.code(), Some(0));
}

/// Exit code 70: a second signal ends at once, though a handler blocks its thread in `close`.
#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let simulator = Simulator::builder().source("stubborn", json!({})).start().await.unwrap();
    let folder = Folder::new("second_signal").with("server.config", &settings(&simulator, "stubborn"));
    let child = folder.start();
    let source = simulator.source("stubborn");
    source.wait_attached().await.unwrap();
    // Published and handled, so the handler is there and will be closed.
    source.query("are you there").await.unwrap();
    signal(&child, "TERM");
    assert_eq!(source.next_notification().await.unwrap().object, "closing");
    let pid = child.id().expect("it runs");
    let mut ended = std::pin::pin!(ended(child));
    let mut again = tokio::time::interval(Duration::from_millis(100));
    // One that comes at once may be the same as the first.
    let output = loop {
        tokio::select! {
            output = &mut ended => break output,
            _ = again.tick() => signal_to(pid, "TERM"),
        }
    };
    let error = error_line(&output, 70);
    assert!(error.contains("second signal"), "{error}");
}

/// Exit code 0: whoever stops a process and its group sends one signal twice.
#[tokio::test]
async fn a_signal_that_comes_twice_at_once_is_one() {
    let simulator = Simulator::builder().source("echo", json!({})).start().await.unwrap();
    let folder = Folder::new("signal_twice").with("server.config", &settings(&simulator, "echo"));
    let child = folder.start();
    simulator.source("echo").wait_attached().await.unwrap();
    simulator.source("echo").query(1).await.unwrap();
    signal(&child, "TERM");
    signal(&child, "INT");
    assert_eq!(ended(child).await.status.code(), Some(0));
}

// ---- settings ----

/// Exit code 64: no settings at all.
#[tokio::test]
async fn without_settings_it_says_where_it_looked() {
    let folder = Folder::new("no_settings");
    let error = fails(&folder, &[], 64).await;
    assert!(error.contains("serverConfig/server.config and server.config"), "{error}");
    let error = fails(&folder, &["elsewhere.config"], 64).await;
    assert!(error.contains("elsewhere.config") && error.contains("No such file"), "{error}");
}

/// Exit code 64: settings with a mistake.
#[tokio::test]
async fn a_mistake_in_the_settings_is_one_line_with_its_place() {
    let wrong = "targetServer=http://localhost\nauthToken=canary\nsources=echo\nsendPings=perhaps\n";
    let folder = Folder::new("malformed").with("serverConfig/server.config", wrong);
    let error = fails(&folder, &[], 64).await;
    assert!(
        error.contains("serverConfig/server.config:4: `sendPings` is `perhaps`; write true or false"),
        "{error}"
    );
    assert!(!error.contains("canary"));
}

/// Exit code 64: a command line with a mistake.
#[tokio::test]
async fn an_unknown_argument_is_refused() {
    let folder = Folder::new("arguments");
    for arguments in [&["--config"][..], &["-x"], &["a", "b"]] {
        let error = fails(&folder, arguments, 64).await;
        assert!(error.contains("write nothing, or the path of a server.config"), "{error}");
    }
}

/// Exit code 64: a source that no handler serves.
#[tokio::test]
async fn a_source_without_a_handler_is_named() {
    let simulator = Simulator::builder().start().await.unwrap();
    let folder = Folder::new("no_handler").with("server.config", &settings(&simulator, "echo,other"));
    let error = fails(&folder, &[], 64).await;
    assert!(error.contains("source `other` has no handler"), "{error}");
    assert_eq!(simulator.dials(), 0);
}

/// Exit code 64: settings of the log with a mistake.
#[tokio::test]
async fn a_mistake_in_the_settings_of_the_log_is_one_line() {
    let simulator = Simulator::builder().start().await.unwrap();
    for (content, expected) in [
        ("[log]\nlevel = loud\n", "`level` in `[log]` is `loud`; write trace"),
        ("[log\n", "serverConfig/logger.ini"),
        ("[log]\nfile = no/such/folder/a.log\n", "the log file no/such/folder/a.log cannot be opened"),
    ] {
        let folder = Folder::new("broken_log")
            .with("server.config", &settings(&simulator, "echo"))
            .with("serverConfig/logger.ini", content);
        let error = fails(&folder, &[], 64).await;
        assert!(error.contains(expected), "{error}");
    }
    let folder = Folder::new("broken_log").with("server.config", &settings(&simulator, "echo"));
    let child = folder.command().env("RUST_LOG", "a=b=c").spawn().unwrap();
    let error = error_line(&ended(child).await, 64);
    assert!(error.contains("RUST_LOG"), "{error}");
}

/// Exit code 64: no token anywhere.
#[tokio::test]
async fn without_a_token_it_says_where_one_may_be() {
    let simulator = Simulator::builder().start().await.unwrap();
    let folder = Folder::new("no_token").with("server.config", &without_token(&settings(&simulator, "echo")));
    for token in ["", "  "] {
        let child = folder.command().env("CONNECTOR_AUTH_TOKEN", token).spawn().unwrap();
        let error = error_line(&ended(child).await, 64);
        assert!(
            error.contains("`authToken` is missing") && error.contains("CONNECTOR_AUTH_TOKEN"),
            "{error}"
        );
    }
}

/// Settings are found in `serverConfig` first, then beside it, and a path on the command line beats both.
#[tokio::test]
async fn the_first_settings_on_the_search_path_count() {
    let simulator = Simulator::builder().any_source(true).start().await.unwrap();
    let folder = Folder::new("search_path")
        .with("given.config", &settings(&simulator, "echo-given"))
        .with("serverConfig/server.config", &settings(&simulator, "echo-first"))
        .with("server.config", &settings(&simulator, "echo-second"));
    let child = folder.command().arg("given.config").spawn().unwrap();
    simulator.source("echo-given").wait_attached().await.unwrap();
    drop(child);
    let child = folder.start();
    simulator.source("echo-first").wait_attached().await.unwrap();
    drop(child);
    std::fs::remove_file(folder.0.join("serverConfig/server.config")).unwrap();
    let _child = folder.start();
    simulator.source("echo-second").wait_attached().await.unwrap();
    for source in ["echo-given", "echo-first", "echo-second"] {
        assert_eq!(simulator.source(source).sessions(), 1, "{source}");
    }
}

/// The token of the environment counts where the file has none.
#[tokio::test]
async fn the_token_comes_from_the_file_or_else_from_the_environment() {
    let simulator = Simulator::builder().source("echo", json!({})).start().await.unwrap();
    let settings = settings(&simulator, "echo");
    let source = simulator.source("echo");
    let from_environment = Folder::new("token_environment").with("server.config", &without_token(&settings));
    let child = from_environment
        .command()
        .env("CONNECTOR_AUTH_TOKEN", format!(" {} ", simulator.token()))
        .spawn()
        .unwrap();
    source.wait_sessions(1).await.unwrap();
    drop(child);
    source.wait_detached().await.unwrap();

    let from_file = Folder::new("token_file").with("server.config", &settings);
    let _child = from_file.command().env("CONNECTOR_AUTH_TOKEN", "wrong").spawn().unwrap();
    source.wait_sessions(2).await.unwrap();
}

/// The command line explains itself.
#[tokio::test]
async fn help_is_printed() {
    let output = ended(Folder::new("help").command().arg("--help").spawn().unwrap()).await;
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    let help = String::from_utf8_lossy(&output.stdout);
    assert!(help.contains("SERVER_CONFIG") && help.contains("CONNECTOR_AUTH_TOKEN"), "{help}");
}

// ---- the server ----

/// Exit code 69: only where asked for.
#[tokio::test]
async fn an_unreachable_server_ends_it_only_where_asked_for() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let settings = format!("targetServer=http://{address}\nauthToken=t\nsources=echo\nproxy=none\n");
    let folder =
        Folder::new("unreachable").with("server.config", &format!("{settings}failOnConnectionError=true\n"));
    let error = fails(&folder, &[], 69).await;
    let parts = ["the server cannot be reached: ", &format!("cannot connect to ws://{address}/"), "refused"];
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");

    let folder =
        Folder::new("unreachable").with("server.config", &format!("{settings}failOnConnectionError=false\n"));
    let mut child = folder.start();
    let mut log = Log::of(&mut child);
    for _ in 0..2 {
        log.line("trying again").await;
    }
}

/// Exit code 69 is for the first connect: a server that is lost later is dialled again.
#[tokio::test]
async fn a_server_lost_later_never_ends_it() {
    let simulator = Simulator::builder().source("echo", json!({})).start().await.unwrap();
    let settings = format!("{}failOnConnectionError=true\n", settings(&simulator, "echo"));
    let folder = Folder::new("lost_later").with("server.config", &settings);
    let mut child = folder.start();
    let mut log = Log::of(&mut child);
    simulator.source("echo").wait_attached().await.unwrap();
    simulator.stop().await.unwrap();
    let line = log.line("cannot connect to").await;
    assert!(line.contains("trying again"), "{line}");
    simulator.restart().await.unwrap();
    simulator.source("echo").wait_sessions(2).await.unwrap();
}

/// Exit code 77: a refused token.
#[tokio::test]
async fn a_refused_token_ends_it() {
    let simulator = Simulator::builder().source("echo", json!({})).start().await.unwrap();
    simulator.on_validate(ValidateReply::refuse());
    let folder = Folder::new("refused").with("server.config", &settings(&simulator, "echo"));
    let error = fails(&folder, &[], 77).await;
    let expected = "the server refused the access token; check `authToken`: status 400, \
                    io.vantiq.authentication.failed: Failed to authenticate supplied credentials.";
    assert_eq!(error, format!("error: {expected}"));
    assert_eq!(simulator.dials(), 1);
}

// ---- log and health ----

/// `logger.ini` names a file and levels.
#[tokio::test]
async fn the_log_goes_where_logger_ini_says() {
    let simulator = Simulator::builder().source("echo", json!({})).start().await.unwrap();
    let folder = Folder::new("log_file")
        .with("server.config", &settings(&simulator, "echo"))
        .with("serverConfig/logger.ini", "[log]\nlevel = debug\nformat = json\nfile = connector.log\n");
    let child = folder.start();
    simulator.source("echo").wait_notifications(1).await.unwrap();
    signal(&child, "TERM");
    let output = ended(child).await;
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    let log = folder.read("connector.log");
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let of_source = |line: &serde_json::Value| {
        line["span"].as_object().is_some_and(|span| span.values().any(|value| value == "echo"))
    };
    assert!(lines.iter().any(|line| line["level"] == "DEBUG" && of_source(line)), "{log}");
    assert!(lines.iter().any(|line| line["fields"]["message"] == "connected" && of_source(line)), "{log}");
}

/// `RUST_LOG` beats the levels of `logger.ini`, and nothing else of it.
#[tokio::test]
async fn rust_log_beats_logger_ini() {
    let simulator = Simulator::builder().source("echo", json!({})).start().await.unwrap();
    let folder = Folder::new("rust_log")
        .with("server.config", &settings(&simulator, "echo"))
        .with("serverConfig/logger.ini", "[log]\nlevel = off\nfile = connector.log\n");
    let child = folder.command().env("RUST_LOG", "vantiq_connector=trace").spawn().unwrap();
    simulator.source("echo").wait_notifications(1).await.unwrap();
    signal(&child, "TERM");
    assert_eq!(ended(child).await.status.code(), Some(0));
    let log = folder.read("connector.log");
    assert!(log.contains("TRACE") && log.contains("connected"), "{log}");
}

/// `healthPolicy=connected`: the probe is open while the sources are connected, and closed at the end.
#[tokio::test]
async fn the_probe_follows_the_sources_where_asked_for() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let probe = listener.local_addr().unwrap();
    drop(listener);
    let simulator = Simulator::builder().source("echo", json!({})).start().await.unwrap();
    simulator.on_upgrade(UpgradeReply::Status(503));
    let settings =
        settings(&simulator, "echo").replace("tcpProbePort=0", &format!("tcpProbePort={}", probe.port()));
    let folder = Folder::new("health").with("server.config", &format!("{settings}healthPolicy=connected\n"));
    let mut child = folder.start();
    let mut log = Log::of(&mut child);
    simulator.wait_for("a dial", |simulator| simulator.dials() > 0).await.unwrap();
    assert!(TcpStream::connect(probe).await.is_err(), "closed while it is not connected");
    simulator.on_upgrade(UpgradeReply::Accept);
    log.line("declared healthy").await;
    within(TcpStream::connect(probe)).await.unwrap();
    signal(&child, "TERM");
    log.line("declared unhealthy").await;
    assert!(TcpStream::connect(probe).await.is_err(), "closed at the stop");
    assert_eq!(within(child.wait()).await.unwrap().code(), Some(0));
}

/// What nobody reads in `logger.ini` is a warning in the log, with its place.
#[tokio::test]
async fn an_unknown_key_of_logger_ini_is_logged() {
    let simulator = Simulator::builder().source("echo", json!({})).start().await.unwrap();
    let folder = Folder::new("logger_ini_unknown")
        .with("server.config", &settings(&simulator, "echo"))
        .with("serverConfig/logger.ini", "[log]\nlevle = debug\n");
    let mut child = folder.start();
    let line = Log::of(&mut child).line("levle").await;
    assert!(line.contains("WARN") && line.contains("serverConfig/logger.ini:2: "), "{line}");
    assert!(line.contains("did you mean `level`?"), "{line}");
}
