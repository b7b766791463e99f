//! The server's end of one link, frame by frame.

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

use crate::within;

/// The server's end of a link of a [`HandServer`](crate::HandServer) or a
/// [`MemoryServer`](crate::MemoryServer). Pings are answered while it is read,
/// and only then. Whatever the test does not expect is a panic.
#[derive(Debug)]
pub struct Peer<S = TcpStream> {
    socket: WebSocketStream<S>,
    source: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Does the handshake over `connection` up to the `connectExtension`, which waits for an answer then.
    ///
    /// # Panics
    /// If something else comes first.
    pub async fn attaching(connection: S) -> Self {
        let socket = within(accept_async(connection)).await.expect("the connector opens a WebSocket");
        let mut peer = Self { socket, source: String::new() };
        assert_eq!(peer.receive().await["op"], "validate");
        peer.send(&json!({"status": 200, "body": {"userInfo": {}}})).await;
        let attach = peer.receive().await;
        assert_eq!(attach["op"], "connectExtension");
        attach["resourceId"].as_str().expect("it names the source").clone_into(&mut peer.source);
        peer
    }

    /// The source that it is a link of.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Sends any frame.
    ///
    /// # Panics
    /// If the link is lost.
    pub async fn send_frame(&mut self, frame: Message) {
        within(self.socket.send(frame)).await.expect("the connector keeps the link");
    }

    /// Sends any frame, after which the connector may end the link at once.
    pub async fn send_last(mut self, frame: Message) {
        // It need not have been taken whole.
        let _ = within(self.socket.send(frame)).await;
        self.until_closed().await;
    }

    /// Sends any message.
    pub async fn send(&mut self, message: &Value) {
        self.send_frame(Message::text(message.to_string())).await;
    }

    /// Sends so many bare acknowledgements.
    pub async fn acknowledge(&mut self, times: usize) {
        for _ in 0..times {
            self.send(&json!({"status": 200})).await;
        }
    }

    /// Sends a configuration.
    pub async fn configure(&mut self, config: Value) {
        self.send(&json!({"op": "configureExtension", "object": {"config": config}})).await;
    }

    /// Sends a query. Its JSON text is also the address to answer to.
    pub async fn query(&mut self, query: impl Into<Value>) {
        let query = query.into();
        let headers = json!({"REPLY_ADDR_HEADER": query.to_string()});
        self.send(&json!({"op": "query", "messageHeaders": headers, "object": query})).await;
    }

    /// Asks the connector to attach anew.
    pub async fn reconnect_required(&mut self) {
        self.send(&json!({"op": "reconnectRequired"})).await;
    }

    /// The next frame of the connector that is neither ping nor pong: a message, or `None` for a close frame.
    ///
    /// # Panics
    /// If the link ends without a close frame.
    pub async fn next(&mut self) -> Option<Value> {
        let next = async {
            loop {
                match self.frame().await {
                    Message::Close(_) => return None,
                    frame => {
                        if let Some(message) = message(&frame) {
                            return Some(message);
                        }
                    }
                }
            }
        };
        within(next).await
    }

    /// The next message of the connector.
    ///
    /// # Panics
    /// If it closes the link instead.
    pub async fn receive(&mut self) -> Value {
        self.next().await.expect("the connector does not close the link yet")
    }

    /// The next message of the connector, which is an event.
    ///
    /// # Panics
    /// If it is something else.
    pub async fn event(&mut self) -> Value {
        let mut message = self.receive().await;
        assert_eq!(message["op"], "notification", "{message}");
        message["object"].take()
    }

    /// Asks so many queries and reads their answers, which come next.
    ///
    /// # Panics
    /// If one fails, or something else comes.
    pub async fn ask(&mut self, times: usize) {
        for number in 0..times {
            self.query(number).await;
        }
        for _ in 0..times {
            assert_eq!(self.receive().await["status"], 200);
        }
    }

    /// The messages of the connector that are there already.
    ///
    /// # Panics
    /// If it closes the link.
    pub fn arrived(&mut self) -> Vec<Value> {
        let frames = std::iter::from_fn(|| self.frame().now_or_never());
        frames.filter_map(|frame| message(&frame)).collect()
    }

    /// Waits until the connector has read all that was sent. Returns what it sent meanwhile.
    ///
    /// # Panics
    /// If it closes the link.
    pub async fn heard(&mut self) -> Vec<Value> {
        self.send_frame(Message::Ping("heard".into())).await;
        let mut meanwhile = Vec::new();
        let heard = async {
            loop {
                match self.frame().await {
                    Message::Pong(payload) if payload == "heard" => return,
                    frame => meanwhile.extend(message(&frame)),
                }
            }
        };
        within(heard).await;
        meanwhile
    }

    /// Waits until the connector has sent so many pings, of which all but the last were answered.
    ///
    /// # Panics
    /// If it sends anything else.
    pub async fn pinged(&mut self, times: usize) {
        let pinged = async {
            for _ in 0..times {
                let frame = self.frame().await;
                assert!(frame.is_ping(), "{frame}");
            }
        };
        within(pinged).await;
    }

    /// Awaits `future` while the link is read.
    ///
    /// # Panics
    /// If the connector sends a message meanwhile.
    pub async fn idle_until<F: Future>(&mut self, future: F) -> F::Output {
        // What comes together with the output, such as the end of the link, does not come meanwhile.
        tokio::select! {
            biased;
            output = within(future) => output,
            message = self.next() => panic!("{message:?}"),
        }
    }

    /// Reads on, and answers the close frame, until the end of the link.
    pub async fn until_closed(mut self) {
        within(async { while let Some(Ok(_)) = self.socket.next().await {} }).await;
    }

    /// Goes on by itself until the link ends: sends what comes from `outgoing`, and answers each message with
    /// what `reply` makes of it. Reads and writes without waiting for each other, as a server does.
    ///
    /// Cancel safe in so far as dropping it drops the link.
    pub async fn serve(
        self,
        mut outgoing: mpsc::UnboundedReceiver<Value>,
        mut reply: impl FnMut(Value) -> Option<Value>,
    ) {
        let (mut sink, mut stream) = self.socket.split();
        let (replies_tx, mut replies) = mpsc::unbounded_channel();
        let reading = async {
            while let Some(Ok(frame)) = stream.next().await {
                if let Some(answer) = message_in(&frame).and_then(&mut reply) {
                    // The other half below lives as long as this one.
                    let _ = replies_tx.send(answer);
                }
            }
        };
        let writing = async {
            loop {
                let message = tokio::select! {
                    Some(answer) = replies.recv() => answer,
                    Some(message) = outgoing.recv() => message,
                };
                if sink.send(Message::text(message.to_string())).await.is_err() {
                    return std::future::pending().await;
                }
            }
        };
        tokio::select! {
            () = reading => {}
            () = writing => {}
        }
    }

    /// The next frame of any kind.
    async fn frame(&mut self) -> Message {
        let frame = self.socket.next().await;
        frame.expect("the connector closes the link before it is gone").expect("the link is not lost")
    }
}

/// The message in a frame that may have one.
fn message(frame: &Message) -> Option<Value> {
    match frame {
        Message::Text(_) | Message::Ping(_) | Message::Pong(_) => message_in(frame),
        other => panic!("{other:?}"),
    }
}

fn message_in(frame: &Message) -> Option<Value> {
    match frame {
        Message::Text(text) => Some(serde_json::from_str(text).expect("the connector sends JSON")),
        _ => None,
    }
}
