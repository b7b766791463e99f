//! A WebSocket client that sends and expects what a test spells out. No wait lasts longer than [`PATIENCE`].

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use vantiq_simulator::Simulator;

/// Longest wait for anything that should happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// Path of the WebSocket.
pub(crate) const PATH: &str = "/api/v1/wsock/websocket";

/// One WebSocket to the simulator.
#[derive(Debug)]
pub(crate) struct Client {
    stream: WebSocketStream<TcpStream>,
}

/// How the simulator ended the connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a close frame of this status.
    Close(u16),
    /// Without a word: TCP FIN or RST.
    Lost,
}

impl Client {
    /// Opens the WebSocket.
    pub(crate) async fn dial(simulator: &Simulator) -> Self {
        Self::try_dial(simulator, PATH).await.expect("the upgrade succeeds")
    }

    /// Opens a WebSocket at this path, if it is one.
    pub(crate) async fn try_dial(simulator: &Simulator, path: &str) -> Result<Self, Error> {
        Self::dial_at(simulator.addr(), path).await
    }

    /// Opens a WebSocket at this address, which need not be the simulator's own.
    pub(crate) async fn dial_at(addr: SocketAddr, path: &str) -> Result<Self, Error> {
        let connection = TcpStream::connect(addr).await?;
        let url = format!("ws://{addr}{path}");
        let (stream, _) = within(tokio_tungstenite::client_async(url, connection)).await?;
        Ok(Self { stream })
    }

    /// Opens the WebSocket and presents the right token.
    pub(crate) async fn validated(simulator: &Simulator) -> Self {
        let mut client = Self::dial(simulator).await;
        client.send(validate(simulator.token())).await;
        assert_eq!(client.next().await["status"], 200);
        client
    }

    /// Becomes the connector of a source.
    pub(crate) async fn attached(simulator: &Simulator, source: &str) -> Self {
        let mut client = Self::validated(simulator).await;
        client.send(connect(source, Some("secret"))).await;
        assert_eq!(client.next().await["op"], "configureExtension");
        client
    }

    /// Sends a message in a text frame.
    pub(crate) async fn send(&mut self, message: Value) {
        self.send_frame(Message::text(message.to_string())).await;
    }

    /// Sends any frame.
    pub(crate) async fn send_frame(&mut self, frame: Message) {
        within(self.stream.send(frame)).await.expect("the connection is open");
    }

    /// Sends a notification.
    pub(crate) async fn notify(&mut self, source: &str, object: Value) {
        self.send(notification(source, object)).await;
    }

    /// Answers a query.
    pub(crate) async fn answer(&mut self, query: &Value, status: u16, body: Value) {
        let address = &query["messageHeaders"]["REPLY_ADDR_HEADER"];
        let headers = json!({"X-Reply-Address": address});
        self.send(json!({"status": status, "headers": headers, "body": body})).await;
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Value {
        let frame = self.next_frame().await;
        serde_json::from_slice(&frame.into_data()).expect("the simulator sends JSON")
    }

    /// The next message, or `None` when the connection has ended.
    pub(crate) async fn try_next(&mut self) -> Option<Value> {
        let frame = self.stream.next().await?.ok()?;
        Some(serde_json::from_slice(&frame.into_data()).unwrap_or_default())
    }

    /// The next frame.
    pub(crate) async fn next_frame(&mut self) -> Message {
        within(self.stream.next()).await.expect("there is a frame").expect("the connection is open")
    }

    /// How the connection ends, skipping what comes before; completes a closing handshake.
    pub(crate) async fn end(&mut self) -> End {
        let mut end = End::Lost;
        while let Some(Ok(frame)) = within(self.stream.next()).await {
            if let Message::Close(frame) = frame {
                end = End::Close(frame.map_or(1005, |frame| frame.code.into()));
            }
        }
        end
    }

    /// Closes with a handshake.
    pub(crate) async fn close(mut self) {
        within(self.stream.close(None)).await.expect("the connection is open");
        while let Some(Ok(_)) = within(self.stream.next()).await {}
    }

    /// The raw connection, WebSocket or not.
    pub(crate) fn into_connection(self) -> TcpStream {
        self.stream.into_inner()
    }
}

pub(crate) fn validate(token: &str) -> Value {
    json!({"op": "validate", "resourceName": "system.credentials", "object": token})
}

pub(crate) fn connect(source: &str, secret: Option<&str>) -> Value {
    let parameters = json!({"reconnectSecret": secret});
    json!({"op": "connectExtension", "resourceName": "sources", "resourceId": source, "parameters": parameters})
}

pub(crate) fn notification(source: &str, object: impl Into<Value>) -> Value {
    let object = object.into();
    json!({"op": "notification", "resourceName": "sources", "resourceId": source, "object": object})
}

/// A simulator with the source `thermostat`.
pub(crate) async fn simulator() -> Simulator {
    Simulator::builder().source("thermostat", json!({"unit": "celsius"})).start().await.expect("a free port")
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it happens in time")
}
