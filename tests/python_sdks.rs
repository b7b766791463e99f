//! Vantiq's own SDKs for Python at the simulator, to show that it speaks as a server does.
//!
//! Run where `VANTIQ_PYTHON` names a Python that has the packages of `python/requirements.txt`, as `.ci/run` sees to.
#![forbid(unsafe_code)]

use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::json;
use tokio::{
    process::{Child, Command},
    time::timeout,
};
use vantiq_simulator::{Cut, Simulator, Source};

/// How long all that a program does may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// The Python to use, or nothing where these tests are to be left out.
fn python() -> Option<String> {
    let python = env::var("VANTIQ_PYTHON").ok();
    if python.is_none() {
        eprintln!(
            "SKIPPED: `VANTIQ_PYTHON` names no Python with the packages of tests/python/requirements.txt"
        );
    }
    python
}

/// An empty folder for one test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python_sdks").join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("serverConfig")).unwrap();
    folder
}

/// A program of `tests/python` in a folder.
fn program(python: &str, name: &str, folder: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name));
    command.current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn output(child: Child) -> Output {
    timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_sdk_uses_a_source_of_our_connector() {
    let Some(python) = python() else { return };
    let builder = Simulator::builder().source("thermostat", json!({"unit": "celsius"}));
    let simulator = builder.login("me", "secret").start().await.unwrap();
    let folder = folder("client");
    let (url, token) = (simulator.url(), simulator.token());
    let settings =
        format!("targetServer={url}\nauthToken={token}\nsources=thermostat\ntcpProbePort=0\nproxy=none\n");
    std::fs::write(folder.join("serverConfig/server.config"), settings).unwrap();
    let mut connector = Command::new(env!("CARGO_BIN_EXE_thermostat"));
    let _connector = connector.current_dir(&folder).kill_on_drop(true).stderr(Stdio::null()).spawn().unwrap();
    simulator.source("thermostat").wait_attached().await.unwrap();

    let application = program(&python, "application.py", &folder).args([&url, token, "me", "secret"]).spawn();
    let output = output(application.unwrap()).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(simulator.violations(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_on_the_connector_sdk_attaches_and_comes_back() {
    let Some(python) = python() else { return };
    let builder = Simulator::builder().source("sensor", json!({"unit": "celsius"}));
    let simulator = builder.deadline(PATIENCE).start().await.unwrap();
    let folder = folder("connector");
    let settings =
        format!("targetServer={}\nauthToken={}\nsources=sensor\n", simulator.url(), simulator.token());
    std::fs::write(folder.join("serverConfig/server.config"), settings).unwrap();
    // A pipe that nobody reads would hold it up.
    let log = File::create(folder.join("log")).unwrap();
    let _connector = program(&python, "connector.py", &folder).stderr(log).spawn().unwrap();
    let sensor = simulator.source("sensor");
    sensor.wait_attached().await.unwrap();
    works(&sensor, "celsius").await;

    sensor.configure(json!({"unit": "kelvin"})).await.unwrap();
    sensor.wait_sessions(2).await.unwrap();
    works(&sensor, "kelvin").await;

    for (sessions, cut) in [(3, Cut::Abort), (4, Cut::Close), (5, Cut::MidFrame)] {
        sensor.cut(cut).await.unwrap();
        sensor.wait_sessions(sessions).await.unwrap();
        works(&sensor, "kelvin").await;
    }
    assert_eq!(simulator.violations(), [""; 0]);
}

/// What a source is asked in each session.
async fn works(sensor: &Source, unit: &str) {
    let before = sensor.notification_count();
    for number in 0..100 {
        sensor.publish(json!({"notify": {"number": number}})).await.unwrap();
    }
    for number in 0..100 {
        assert_eq!(sensor.next_notification().await.unwrap().object, json!({"number": number}));
    }
    assert_eq!(sensor.notification_count(), before + 100);
    let configuration = sensor.query(json!({"configuration": true})).await.unwrap();
    assert_eq!(configuration.rows(), [json!({"unit": unit})]);
    let reply = sensor.query(json!({"rows": 500})).await.unwrap();
    assert_eq!((reply.partials.len(), reply.rows().len()), (499, 500));
    assert_eq!(reply.rows()[499], json!({"row": 499}));
    let error = sensor.query(json!({"fail": "on purpose"})).await.unwrap().error().unwrap();
    assert_eq!(
        (error.message_code.as_str(), &error.parameters),
        ("com.example.failed", &vec![json!("on purpose")])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_on_the_connector_sdk_is_refused_with_a_wrong_token() {
    let Some(python) = python() else { return };
    let simulator = Simulator::builder().source("sensor", json!({})).start().await.unwrap();
    let folder = folder("wrong_token");
    let settings = format!("targetServer={}\nauthToken=wrong\nsources=sensor\n", simulator.url());
    std::fs::write(folder.join("serverConfig/server.config"), settings).unwrap();
    let output = output(program(&python, "connector.py", &folder).spawn().unwrap()).await;
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && log.contains("io.vantiq.authentication.failed"), "{log}");
    assert_eq!(simulator.source("sensor").sessions(), 0);
}
