//! What must hold whatever comes in: one function for each kind of input from outside, which panics where it
//! does not hold.
//!
//! Each is the body of a target of the same name in `fuzz/`, and is run by the ordinary tests on the inputs
//! of `fuzz/corpus` and on generated ones. Not part of the API: it is there in tests, for the tests of this
//! repository, and when `cargo fuzz` sets `cfg(fuzzing)`.

mod inbound;
#[cfg(feature = "durable")]
mod outbox_file;
mod server_config;
mod target_server;

pub use inbound::inbound;
#[cfg(feature = "durable")]
pub use outbox_file::outbox_file;
pub use server_config::server_config;
pub use target_server::target_server;

/// Stands for a secret.
const CANARY: &str = "canary-7d1e";

/// Panics where `text` shows the secret.
#[track_caller]
fn assert_hidden(text: &str) {
    assert!(!text.contains(CANARY), "{CANARY} is in {text:?}");
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path, time::Instant};

    use proptest::{
        prelude::{ProptestConfig, any, prop},
        proptest,
    };
    use vantiq_simulator::HostileFrames;

    use super::*;

    /// How many hostile frames are tried, unless `HOSTILE_FRAMES` says another number. It takes seconds in any build;
    /// the reliability suite tries more.
    const FRAMES: usize = 50_000;

    /// The number in the environment variable `name`.
    fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
        let text = env::var(name).ok()?;
        Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text}; write a number")))
    }

    /// Runs `body` on every committed input of the target `name`.
    fn replay(name: &str, body: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut inputs = 0;
        for entry in entries {
            let path = entry.unwrap().path();
            println!("{}", path.display()); // the last one is the culprit
            body(&fs::read(path).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{} has no inputs", folder.display());
    }

    #[test]
    fn every_committed_frame_is_survived() {
        replay("inbound", inbound);
    }

    #[cfg(feature = "durable")]
    #[test]
    fn every_committed_outbox_file_is_survived() {
        replay("outbox_file", outbox_file);
    }

    #[test]
    fn every_committed_server_config_is_survived() {
        replay("server_config", server_config);
    }

    #[test]
    fn every_committed_target_server_is_survived() {
        replay("target_server", target_server);
    }

    #[test]
    fn every_target_is_replayed_here() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
        let mut targets: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        targets.sort();
        assert_eq!(targets, ["inbound.rs", "outbox_file.rs", "server_config.rs", "target_server.rs"]);
    }

    /// Rerun with the printed seed: `HOSTILE_SEED=… HOSTILE_FRAMES=…`.
    #[test]
    fn hostile_frames_are_survived() {
        assert_eq!(CANARY, HostileFrames::CANARY);
        let frames = setting("HOSTILE_FRAMES").unwrap_or(FRAMES);
        let seed = setting("HOSTILE_SEED").unwrap_or_else(rand::random::<u64>);
        println!("HOSTILE_SEED={seed} HOSTILE_FRAMES={frames}");
        let began = Instant::now();
        for (number, frame) in HostileFrames::new(seed).take(frames).enumerate() {
            let survived = std::panic::catch_unwind(|| inbound(&frame));
            let head = String::from_utf8_lossy(&frame[..frame.len().min(300)]);
            assert!(survived.is_ok(), "frame {number} of seed {seed}: {head}");
        }
        println!("{frames} frames survived in {:?}", began.elapsed());
    }

    /// Lines as they stand in a `server.config`, right and wrong.
    const LINE: &str = r"(#|!|targetServer|authToken|sources|sendPings|tcpProbePort|connectKWArgs|proxy|maxMessageBytes|connectRate|[a-zA-Z\\ ]{0,8})[=: \t]{0,3}(true|https?://[a-z\[\]:/@?#%0-9]{0,12}|-?[0-9]{0,21}|\PC{0,12}|\\u[0-9a-fA-F]{0,5}|\{.{0,12})\\?(\n|\r|\r\n)?";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_server_config_is_survived(lines in prop::collection::vec(LINE, 0..12)) {
            server_config(lines.concat().as_bytes());
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for body in [inbound, server_config, target_server] {
                body(&bytes);
            }
        }

        #[test]
        fn any_target_server_is_survived(
            text in r"([a-zA-Z:+]{0,6}://)?[a-z@:\[\]%.0-9\PC]{0,12}(:[0-9]{0,6})?([/?#][\PC]{0,10}){0,3}",
        ) {
            target_server(text.as_bytes());
        }
    }
}
