//! Hostile frames over a real socket: what is no message costs nothing but itself, what breaks the WebSocket
//! protocol or is too large ends the link, and a good query afterwards is answered in either case.
#![forbid(unsafe_code)]

use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame, FrameHeader,
        coding::{Data, OpCode},
    },
};
use vantiq_connector_tests::{Connector, HandServer, Log, Peer, Quiet, hasty, send_hostile, still_answers};
use vantiq_simulator::HostileFrames;

/// Frames that are sent, unless `HOSTILE_FRAMES` says another number.
const FRAMES: usize = 5_000;
/// Larger messages are refused, in bytes.
const MAX_MESSAGE: usize = 64 << 20;

/// The number in the environment variable `name`.
fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text}; write a number")))
}

/// Whether `line` is one that shows words of the server on purpose: operation, address and id of a message, into
/// which mixed bytes may bring anything, or the code and message of an error.
fn quotes_the_server(line: &str) -> bool {
    [": received ", "error=status ", "refused the source: status "].iter().any(|part| line.contains(part))
}

/// Rerun with the printed seed: `HOSTILE_SEED=… HOSTILE_FRAMES=…`.
#[tokio::test]
async fn hostile_frames_do_not_end_the_link() {
    let seed = setting("HOSTILE_SEED").unwrap_or_else(|| std::process::id().into());
    let frames = setting("HOSTILE_FRAMES").unwrap_or(FRAMES);
    println!("HOSTILE_SEED={seed} HOSTILE_FRAMES={frames}");
    let log = Log::capture();
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attached().await;
    send_hostile(&mut peer, HostileFrames::new(seed).take(frames)).await;
    let counts = connector.source("a").status().counts;
    assert_eq!(counts.links, 1, "the link was kept");
    assert!(usize::try_from(counts.undecodable).unwrap() > frames / 4, "{counts:?}");
    let text = log.text();
    let mut lines = text.lines().filter(|line| !quotes_the_server(line));
    let shown = lines.find(|line| line.contains(HostileFrames::CANARY));
    assert_eq!(shown, None, "values stay out of the log");
    let longest = text.lines().map(str::len).max().unwrap_or_default();
    assert!(longest < 4_000, "a log line of {longest} bytes");
    server.hang_up(peer, connector).await;
}

/// Sends `frame` on a link, which ends it; on the next one all is well.
async fn ends_the_link(frame: Message) {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attached().await;
    still_answers(&mut peer, "before").await;
    let (next, ()) = tokio::join!(server.attached(), peer.send_last(frame));
    back_again(server, connector, next).await;
}

async fn back_again(server: HandServer, connector: Connector, mut peer: Peer) {
    still_answers(&mut peer, "after").await;
    assert_eq!(connector.source("a").status().counts.links, 2);
    server.hang_up(peer, connector).await;
}

/// RFC 6455, section 8.1.
#[tokio::test]
async fn a_text_frame_that_is_not_utf8_ends_the_link() {
    let header = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
    ends_the_link(Message::Frame(Frame::from_payload(header, b"{\"op\":\"\xff\"}".to_vec().into()))).await;
}

/// RFC 6455, section 5.2.
#[tokio::test]
async fn a_frame_of_a_reserved_kind_ends_the_link() {
    let header = FrameHeader { opcode: OpCode::Data(Data::Reserved(7)), ..FrameHeader::default() };
    ends_the_link(Message::Frame(Frame::from_payload(header, b"{}".to_vec().into()))).await;
}

#[tokio::test]
async fn a_binary_frame_that_is_not_utf8_is_dropped() {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attached().await;
    peer.send_frame(Message::binary(b"{\"op\":\"\xff\"}".to_vec())).await;
    still_answers(&mut peer, "after").await;
    let counts = connector.source("a").status().counts;
    assert_eq!((counts.undecodable, counts.links), (1, 1));
    server.hang_up(peer, connector).await;
}

#[tokio::test]
async fn a_message_of_the_largest_size_is_handled_and_a_larger_one_ends_the_link() {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attached().await;
    let publish = |size: usize| {
        let (head, tail) = (r#"{"op":"publish","object":""#, r#""}"#);
        let text = format!("{head}{}{tail}", "x".repeat(size - head.len() - tail.len()));
        Message::binary(text.into_bytes())
    };
    peer.send_frame(publish(MAX_MESSAGE)).await;
    still_answers(&mut peer, "after the largest").await;
    assert_eq!(connector.source("a").status().counts.publishes, 1);
    let (next, ()) = tokio::join!(server.attached(), peer.send_last(publish(MAX_MESSAGE + 1)));
    back_again(server, connector, next).await;
}
