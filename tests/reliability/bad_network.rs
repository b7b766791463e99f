//! [`BadNetwork`]: a simulator behind a narrow line that is cut again and again.

use std::time::Duration;

use rand::RngExt;
use tokio::time::sleep;
use vantiq_connector::ServerConfigBuilder;
use vantiq_connector_tests::config_at;
use vantiq_simulator::{Direction, FaultProxy, Line, Simulator, SimulatorBuilder};

use crate::run::Run;

/// The one source of these runs.
pub(crate) const SOURCE: &str = "a";
/// Longest wait for one thing.
const DEADLINE: Duration = Duration::from_mins(1);
/// Far more than any run sends.
const RECORDING: usize = 1 << 30;

/// A simulator that has [`SOURCE`], and the network before it.
pub(crate) struct BadNetwork {
    pub(crate) simulator: Simulator,
    pub(crate) proxy: FaultProxy,
}

impl BadNetwork {
    /// With lines that let so many bytes pass in a second, about a hundredth of that in events. When there is
    /// always something on its way, there is always something to be lost.
    pub(crate) async fn start(run: &Run, simulator: SimulatorBuilder, bandwidth: u64) -> Self {
        let simulator = simulator.any_source(true).recording_limit(RECORDING).deadline(DEADLINE).start();
        let simulator = simulator.await.expect("there is a port");
        let proxy = FaultProxy::builder(simulator.addr())
            .seed(run.seed)
            .deadline(DEADLINE)
            .line(Direction::ToServer, narrow(bandwidth))
            .line(Direction::ToClient, narrow(bandwidth));
        Self { simulator, proxy: proxy.start().await.expect("there is a port") }
    }

    /// Settings for a connector at the far end.
    pub(crate) fn config(&self) -> ServerConfigBuilder {
        config_at(&self.proxy.url(), self.simulator.token(), &[SOURCE])
    }

    /// Cuts about every 100 ms, by FIN, by RST, or in the middle of a frame, until it is `enough`. The network
    /// is without faults afterwards.
    pub(crate) async fn cut_until(&self, run: &Run, enough: impl Fn() -> bool) {
        let mut random = run.random();
        while !enough() {
            sleep(Duration::from_millis(random.random_range(50..=150))).await;
            self.proxy.cut_at_random().await.expect("something is on its way to be cut");
        }
        self.proxy.set_lines(&Line::clear());
    }

    /// Waits until the simulator has noticed the end of every link.
    pub(crate) async fn all_ended(&self) {
        let ended = self.simulator.wait_for("no link", |simulator| simulator.links() == 0);
        ended.await.expect("every link ends");
    }
}

fn narrow(bandwidth: u64) -> Line {
    let millis = Duration::from_millis;
    Line::clear().latency(millis(1)).jitter(millis(1)).bandwidth(bandwidth).slices(1..=4_096)
}
