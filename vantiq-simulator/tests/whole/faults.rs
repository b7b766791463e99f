//! The fault proxy: every fault has its effect, on plain bytes and on a `WebSocket`.

use std::io::ErrorKind;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use vantiq_simulator::{
    BlackHole, CutKind, CutRecord, Direction, FaultProxy, FaultProxyBuilder, Line, RefuseBy,
    SimulatorErrorKind,
};

use crate::client::{Client, PATH, connect, simulator, validate, within};

const MINUTE: Duration = Duration::from_mins(1);

/// A proxy with one connection through it.
struct Wire {
    proxy: FaultProxy,
    listener: TcpListener,
    client: TcpStream,
    server: TcpStream,
}

impl Wire {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(faults: impl FnOnce(FaultProxyBuilder) -> FaultProxyBuilder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let target = listener.local_addr().expect("it is bound");
        let proxy = faults(FaultProxy::builder(target)).start().await.expect("a free port");
        println!("seed {}", proxy.seed());
        let client = TcpStream::connect(proxy.addr()).await.expect("the proxy listens");
        let (server, _) = listener.accept().await.expect("the proxy connects");
        Self { proxy, listener, client, server }
    }

    /// Another client and its server.
    async fn another(&self) -> (TcpStream, TcpStream) {
        let client = within(TcpStream::connect(self.proxy.addr())).await.expect("the proxy listens");
        let (server, _) = within(self.listener.accept()).await.expect("the proxy connects");
        (client, server)
    }

    /// Something goes from the server to the client, which takes its time.
    async fn answer(&mut self) {
        self.server.write_all(b"answer").await.expect("the connection is open");
        assert_eq!(read(&mut self.client, 6).await, b"answer");
    }

    /// Cuts in the middle of 1,000 bytes to the server and gives the record, and what arrived of them.
    async fn tear(&mut self, kind: CutKind) -> (CutRecord, Vec<u8>, Option<ErrorKind>) {
        let (cut, written) = tokio::join!(self.proxy.cut(kind), self.client.write_all(&[7; 1_000]));
        written.expect("the connection is open");
        let mut arrived = Vec::new();
        let end = within(self.server.read_to_end(&mut arrived)).await.err().map(|error| error.kind());
        let mut records = cut.expect("it is cut");
        assert_eq!(records.len(), 1);
        (records.remove(0), arrived, end)
    }
}

async fn read(from: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut buffer = vec![0; bytes];
    within(from.read_exact(&mut buffer)).await.expect("the connection is open");
    buffer
}

async fn end(from: &mut TcpStream) -> Result<Vec<u8>, ErrorKind> {
    let mut rest = Vec::new();
    within(from.read_to_end(&mut rest)).await.map(|_| rest).map_err(|error| error.kind())
}

fn has_nothing_to_read(socket: &TcpStream) -> bool {
    socket.try_read(&mut [0; 1]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[tokio::test]
async fn without_faults_bytes_and_ends_pass_both_ways() {
    let mut wire = Wire::new().await;
    wire.client.write_all(b"question").await.expect("the connection is open");
    wire.client.shutdown().await.expect("the connection is open");
    assert_eq!(end(&mut wire.server).await, Ok(b"question".to_vec()));
    wire.answer().await;
    drop(wire.server);
    assert_eq!(end(&mut wire.client).await, Ok(vec![]));
    wire.proxy.wait_open(0).await.expect("both directions have ended");
    assert_eq!((wire.proxy.connections(), wire.proxy.cuts()), (1, vec![]));
}

#[tokio::test]
async fn a_reset_is_passed_on_after_what_was_sent_before() {
    let mut wire = Wire::new().await;
    wire.client.write_all(b"last words").await.expect("the connection is open");
    assert_eq!(read(&mut wire.server, 10).await, b"last words");
    wire.client.set_zero_linger().expect("a socket option");
    drop(wire.client);
    assert_eq!(end(&mut wire.server).await, Err(ErrorKind::ConnectionReset));
    wire.proxy.wait_open(0).await.expect("it has ended");
    assert_eq!(wire.proxy.cuts(), [], "nobody cut it");
}

#[tokio::test(start_paused = true)]
async fn latency_is_a_time_even_on_a_paused_clock() {
    let line = Line::clear().latency(MINUTE).jitter(MINUTE);
    let mut wire = Wire::with(|builder| builder.line(Direction::ToServer, line)).await;
    let start = Instant::now();
    wire.client.write_all(b"late").await.expect("the connection is open");
    wire.server.read_exact(&mut [0; 4]).await.expect("the connection is open");
    assert!(
        (MINUTE..=MINUTE * 2 + Duration::from_millis(2)).contains(&start.elapsed()),
        "{:?}",
        start.elapsed()
    );

    let start = Instant::now();
    wire.server.write_all(b"fast").await.expect("the connection is open");
    wire.client.read_exact(&mut [0; 4]).await.expect("the connection is open");
    assert!(start.elapsed() < MINUTE, "the other direction is as it was");
}

#[tokio::test]
async fn latency_is_a_time_on_a_real_clock_and_can_be_taken_back() {
    let mut wire = Wire::new().await;
    let latency = Duration::from_millis(30);
    wire.proxy.set_lines(&Line::clear().latency(latency));
    let start = Instant::now();
    wire.client.write_all(b"late").await.expect("the connection is open");
    read(&mut wire.server, 4).await;
    wire.answer().await;
    assert!(start.elapsed() >= latency * 2);

    wire.proxy.set_line(Direction::ToServer, Line::clear().latency(Duration::from_hours(1)));
    wire.client.write_all(b"freed").await.expect("the connection is open");
    wire.answer().await;
    wire.proxy.set_lines(&Line::clear());
    assert_eq!(read(&mut wire.server, 5).await, b"freed");
}

#[tokio::test(start_paused = true)]
async fn bandwidth_bounds_the_bytes_of_a_second() {
    let line = Line::clear().bandwidth(1_000);
    let mut wire = Wire::with(|builder| builder.line(Direction::ToClient, line)).await;
    let start = Instant::now();
    wire.server.write_all(&vec![0; 60_000]).await.expect("the connection is open");
    wire.client.read_exact(&mut vec![0; 60_000]).await.expect("the connection is open");
    assert!(start.elapsed() + Duration::from_millis(10) >= MINUTE, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn slices_are_writes_of_their_own() {
    // The limit leaves time between the writes, or the reader would see several as one.
    let line = Line::clear().slices(1..=3).bandwidth(1_000);
    let mut wire = Wire::with(|builder| builder.line(Direction::ToServer, line)).await;
    wire.client.write_all(&[0; 1_000]).await.expect("the connection is open");
    let (mut sizes, mut total) = (Vec::new(), 0);
    while total < 1_000 {
        let size = wire.server.read(&mut [0; 100]).await.expect("the connection is open");
        total += size;
        sizes.push(size);
    }
    assert!(sizes.iter().all(|size| (1..=3).contains(size)), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_close_is_an_end_long_after_the_last_byte() {
    let line = Line::clear().slow_close(MINUTE);
    let mut wire = Wire::with(|builder| builder.line(Direction::ToServer, line)).await;
    let start = Instant::now();
    wire.client.write_all(b"bye").await.expect("the connection is open");
    wire.client.shutdown().await.expect("the connection is open");
    wire.server.read_exact(&mut [0; 3]).await.expect("the connection is open");
    assert!(start.elapsed() < MINUTE);
    assert_eq!(wire.server.read(&mut [0; 1]).await.expect("an orderly end"), 0);
    assert!(start.elapsed() >= MINUTE);
}

#[tokio::test]
async fn a_black_hole_that_holds_gives_everything_back() {
    let mut wire = Wire::new().await;
    wire.proxy.set_line(Direction::ToServer, Line::clear().black_hole(BlackHole::Holds));
    wire.client.write_all(b"held").await.expect("the connection is open");
    wire.client.shutdown().await.expect("the connection is open");
    wire.answer().await;
    assert!(has_nothing_to_read(&wire.server));
    assert_eq!(wire.proxy.open(), 1);

    wire.proxy.set_line(Direction::ToServer, Line::clear());
    assert_eq!(end(&mut wire.server).await, Ok(b"held".to_vec()));
}

#[tokio::test]
async fn a_black_hole_that_swallows_lets_the_sender_go_on() {
    let mut wire = Wire::new().await;
    wire.proxy.set_line(Direction::ToServer, Line::clear().black_hole(BlackHole::Swallows));
    // More than all buffers on the way together.
    let much = vec![7; 64 << 20];
    within(wire.client.write_all(&much)).await.expect("the connection is open");
    wire.answer().await;
    assert!(has_nothing_to_read(&wire.server));

    wire.proxy.set_line(Direction::ToServer, Line::clear());
    wire.client.write_all(b"after").await.expect("the connection is open");
    wire.client.shutdown().await.expect("the connection is open");
    let arrived = end(&mut wire.server).await.expect("an orderly end");
    assert!(arrived.ends_with(b"after") && arrived.len() < much.len());
}

#[tokio::test]
async fn both_directions_can_be_a_black_hole() {
    let mut wire = Wire::new().await;
    wire.proxy.set_lines(&Line::clear().black_hole(BlackHole::Holds));
    wire.client.write_all(b"a").await.expect("the connection is open");
    wire.server.write_all(b"b").await.expect("the connection is open");
    // That a connection can be made and cut is time enough for bytes to pass.
    wire.another().await;
    assert!(has_nothing_to_read(&wire.server) && has_nothing_to_read(&wire.client));
    let cuts = wire.proxy.cut(CutKind::Reset).await.expect("there is something to cut");
    assert_eq!(cuts.iter().map(|cut| (cut.to_server, cut.to_client)).collect::<Vec<_>>(), [(0, 0), (0, 0)]);
}

#[tokio::test]
async fn a_fin_is_an_orderly_end_on_both_sides() {
    let mut wire = Wire::new().await;
    wire.client.write_all(b"question").await.expect("the connection is open");
    read(&mut wire.server, 8).await;
    wire.answer().await;
    let cuts = wire.proxy.cut(CutKind::Fin).await.expect("there is something to cut");
    assert_eq!((end(&mut wire.client).await, end(&mut wire.server).await), (Ok(vec![]), Ok(vec![])));
    let cut = &cuts[0];
    assert_eq!(
        (cut.kind, cut.connection, cut.to_server, cut.to_client, cut.lost),
        (CutKind::Fin, 1, 8, 6, 0)
    );
    assert_eq!((wire.proxy.open(), wire.proxy.cuts()), (0, cuts));
}

#[tokio::test]
async fn a_fin_lets_pass_what_was_on_its_way() {
    let line = Line::clear().latency(Duration::from_hours(1));
    let mut wire = Wire::with(|builder| builder.line(Direction::ToServer, line)).await;
    wire.client.write_all(b"on its way").await.expect("the connection is open");
    wire.answer().await;
    wire.proxy.cut(CutKind::Fin).await.expect("there is something to cut");
    assert_eq!(end(&mut wire.server).await, Ok(b"on its way".to_vec()));
}

#[tokio::test]
async fn a_reset_is_an_error_on_both_sides_and_loses_what_was_on_its_way() {
    let line = Line::clear().latency(Duration::from_hours(1));
    let mut wire = Wire::with(|builder| builder.line(Direction::ToServer, line)).await;
    wire.client.write_all(b"on its way").await.expect("the connection is open");
    wire.answer().await;
    let cuts = wire.proxy.cut(CutKind::Reset).await.expect("there is something to cut");
    for socket in [&mut wire.client, &mut wire.server] {
        assert_eq!(end(socket).await, Err(ErrorKind::ConnectionReset));
    }
    assert_eq!((cuts[0].to_server, cuts[0].lost), (0, 10));
}

#[tokio::test]
async fn a_cut_in_the_middle_waits_for_something_and_forwards_a_part_of_it() {
    let (cut, arrived, end) = Wire::new().await.tear(CutKind::MidFrameFin).await;
    assert!((1..1_000).contains(&arrived.len()), "{} bytes arrived", arrived.len());
    assert_eq!((cut.to_server, cut.lost, end), (arrived.len() as u64, 1_000 - arrived.len() as u64, None));

    let (cut, _, end) = Wire::new().await.tear(CutKind::MidFrameReset).await;
    assert!((1..1_000).contains(&cut.to_server), "{} bytes arrived", cut.to_server);
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn the_same_seed_cuts_at_the_same_place() {
    let mut places = Vec::new();
    for seed in [7, 7, 8] {
        let mut wire = Wire::with(|builder| builder.seed(seed)).await;
        assert_eq!(wire.proxy.seed(), seed);
        places.push(wire.tear(CutKind::MidFrameFin).await.0.to_server);
    }
    assert!(places[0] == places[1] && places[1] != places[2], "{places:?}");
}

#[tokio::test]
async fn random_cuts_are_of_every_kind() {
    let wire = Wire::with(|builder| builder.seed(1)).await;
    wire.proxy.cut(CutKind::Fin).await.expect("there is something to cut");
    let mut seen = std::collections::HashSet::new();
    while seen.len() < CutKind::ALL.len() {
        let (mut client, _server) = wire.another().await;
        // Who is cut before it writes needs nothing to be torn.
        let (cut, _) = tokio::join!(wire.proxy.cut_at_random(), client.write_all(b"something"));
        seen.extend(cut.expect("there is something to cut").iter().map(|cut| cut.kind));
    }
}

#[tokio::test]
async fn new_connections_can_be_reset_while_present_ones_stay() {
    let mut wire = Wire::new().await;
    wire.proxy.refuse(RefuseBy::Reset).await.expect("the entrance obeys");
    let mut refused = within(TcpStream::connect(wire.proxy.addr())).await.expect("it is accepted at first");
    assert_eq!(end(&mut refused).await, Err(ErrorKind::ConnectionReset));
    wire.proxy.wait_for("a refusal", |proxy| proxy.refused() == 1).await.expect("it is counted");
    wire.answer().await;

    wire.proxy.admit().await.expect("the entrance obeys");
    wire.another().await;
    assert_eq!(wire.proxy.connections(), 2);
}

#[tokio::test]
async fn a_closed_port_refuses_and_opens_again() {
    let mut wire = Wire::new().await;
    for _ in 0..2 {
        wire.proxy.refuse(RefuseBy::ClosedPort).await.expect("the entrance obeys");
        let refused = within(TcpStream::connect(wire.proxy.addr())).await.expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        wire.answer().await;
        wire.proxy.admit().await.expect("the entrance obeys");
        wire.another().await;
    }
    assert_eq!((wire.proxy.connections(), wire.proxy.refused()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_a_time_ends_by_itself() {
    let wire = Wire::new().await;
    wire.proxy.refuse_for(MINUTE, RefuseBy::ClosedPort).await.expect("the entrance obeys");
    TcpStream::connect(wire.proxy.addr()).await.expect_err("nobody listens");
    sleep(MINUTE * 2).await;
    TcpStream::connect(wire.proxy.addr()).await.expect("it is open again");
}

#[tokio::test]
async fn a_target_that_is_down_is_a_reset() {
    let wire = Wire::new().await;
    drop(wire.listener);
    let mut client = within(TcpStream::connect(wire.proxy.addr())).await.expect("the proxy listens");
    assert_eq!(end(&mut client).await, Err(ErrorKind::ConnectionReset));
    wire.proxy.wait_connections(2).await.expect("it was let in");
    wire.proxy.wait_open(1).await.expect("the first one stays");
}

#[tokio::test]
async fn a_dropped_proxy_lets_its_connections_go() {
    let mut wire = Wire::new().await;
    drop(wire.proxy);
    for socket in [&mut wire.client, &mut wire.server] {
        assert!(end(socket).await.is_ok_and(|rest| rest.is_empty()));
    }
}

#[tokio::test]
async fn waiting_ends_at_the_deadline() {
    let wire = Wire::with(|builder| builder.deadline(Duration::from_millis(20))).await;
    let error = wire.proxy.wait_connections(2).await.expect_err("there is one");
    assert!(matches!(error.kind(), SimulatorErrorKind::Deadline { .. }));
    assert_eq!(error.to_string(), "waited 20ms in vain for 2 connections");
    let error = wire.proxy.cut(CutKind::MidFrameFin).await.expect_err("there is nothing to tear");
    assert_eq!(error.to_string(), "waited 20ms in vain for the connections to be cut");
}

#[tokio::test]
async fn a_websocket_survives_slices_and_notices_a_cut() {
    let simulator = simulator().await;
    let proxy = FaultProxy::builder(simulator.addr()).seed(1).start().await.expect("a free port");
    proxy.set_lines(&Line::clear().slices(1..=5));
    let mut client = Client::dial_at(proxy.addr(), PATH).await.expect("the upgrade succeeds");
    client.send(validate(simulator.token())).await;
    assert_eq!(client.next().await["status"], 200);
    client.send(connect("thermostat", None)).await;
    assert_eq!(client.next().await["op"], "configureExtension");
    let source = simulator.source("thermostat");
    let event = json!("x".repeat(2_000));
    client.notify("thermostat", event.clone()).await;
    assert_eq!(source.next_notification().await.expect("it arrives").object, event);
    assert_eq!(client.next().await["status"], 200);

    proxy.set_lines(&Line::clear());
    let (cut, ()) = tokio::join!(proxy.cut(CutKind::MidFrameReset), client.notify("thermostat", event));
    assert_eq!(cut.expect("it is cut").len(), 1);
    source.wait_detached().await.expect("the server notices");
    assert_eq!(source.notification_count(), 1, "half a notification is none");
}
