//! A connector without any SDK: a loop around a WebSocket, which may be broken in one place.

use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use vantiq_simulator::CancellationToken;

/// Time between two attempts.
const RETRY: Duration = Duration::from_millis(5);
/// How long a slow query takes.
const SLOW: Duration = Duration::from_millis(100);
/// Rows of a large answer, and characters in each.
const LARGE: (usize, usize) = (40, 10_000);
/// Rows in one message of it.
const BUNDLE: usize = 10;

/// Where the connector is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    NeverAttaches,
    AnswersTwice,
    LosesEveryFiftiethQuery,
    LeavesUnknownQueries,
    AnswersInOneMessage,
    WaitsForAcknowledgements,
    NeverReconnects,
    RepeatsAnswersAfterReconnecting,
    GivesUpWhereRefused,
    IgnoresReconnectRequired,
    ReadsBinaryFramesOnly,
    DiesOfUnknownOperations,
    DiesOfInvalidConfigurations,
    TakesInvalidConfigurations,
    ClosesWithoutHandshake,
    LeavesQueriesWhenStopped,
    NeverStops,
}

/// Where to go, as whom.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    authority: String,
    token: String,
    source: String,
}

impl Settings {
    /// As much of a `server.config` as the simulator writes.
    fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            values.map(str::to_owned).next().expect("the key is there")
        };
        let authority = value("targetServer").strip_prefix("http://").expect("no TLS").to_owned();
        Self { authority, token: value("authToken"), source: value("sources") }
    }
}

/// Serves until `stop`.
pub(crate) async fn serve(
    server_config: String,
    stop: CancellationToken,
    fault: Fault,
) -> Result<(), String> {
    let settings = Settings::parse(&server_config);
    let mut bare =
        Bare { settings, fault, configuration: Value::Null, queries: 0, unacknowledged: 0, last: None };
    if fault == Fault::NeverAttaches {
        stop.cancelled().await;
        return Ok(());
    }
    loop {
        // The first answer over the new link is one to a query of the old link.
        let repeats = fault == Fault::RepeatsAnswersAfterReconnecting;
        let repeated = bare.last.take().filter(|_| repeats);
        if let Ok(link) = bare.open().await
            && bare.work(link, &stop, repeated).await? == End::Stopped
        {
            if fault == Fault::NeverStops {
                std::future::pending::<()>().await;
            }
            return Ok(());
        }
        if fault == Fault::NeverReconnects {
            stop.cancelled().await;
            return Ok(());
        }
        sleep(RETRY).await;
    }
}

type Link = WebSocketStream<TcpStream>;

#[derive(Debug, PartialEq, Eq)]
enum End {
    Lost,
    Stopped,
}

/// What to say to a message.
#[derive(Debug)]
enum Reaction {
    Now(Vec<Value>),
    Later(Duration, Value),
}

impl Reaction {
    fn nothing() -> Self {
        Self::Now(Vec::new())
    }
}

#[derive(Debug)]
struct Bare {
    settings: Settings,
    fault: Fault,
    configuration: Value,
    queries: usize,
    unacknowledged: usize,
    last: Option<Value>,
}

impl Bare {
    async fn open(&self) -> Result<Link, Box<dyn std::error::Error + Send + Sync>> {
        let Settings { authority, token, .. } = &self.settings;
        let connection = TcpStream::connect(authority).await?;
        let (mut link, _) =
            client_async(format!("ws://{authority}/api/v1/wsock/websocket"), connection).await?;
        let validate = json!({"op": "validate", "resourceName": "system.credentials", "object": token});
        send(&mut link, &validate).await?;
        link.next().await.ok_or("the server is gone")??;
        send(&mut link, &self.connect_extension()).await?;
        Ok(link)
    }

    fn connect_extension(&self) -> Value {
        let parameters = json!({"reconnectSecret": "bare"});
        json!({"op": "connectExtension", "resourceName": "sources", "resourceId": self.settings.source,
            "parameters": parameters})
    }

    /// Reads and answers until the link ends.
    async fn work(
        &mut self,
        mut link: Link,
        stop: &CancellationToken,
        repeated: Option<Value>,
    ) -> Result<End, String> {
        let (mut repeated, mut later) = (repeated, FuturesUnordered::new());
        loop {
            let out = tokio::select! {
                biased;
                () = stop.cancelled(), if later.is_empty() || self.fault == Fault::LeavesQueriesWhenStopped => {
                    return Ok(self.close(link).await);
                }
                Some(answer) = later.next() => vec![answer],
                frame = link.next() => {
                    let message = match frame {
                        Some(Ok(Message::Text(_))) if self.fault == Fault::ReadsBinaryFramesOnly => continue,
                        Some(Ok(frame @ (Message::Text(_) | Message::Binary(_)))) => json_in(frame),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(End::Lost),
                        Some(Ok(_)) => continue,
                    };
                    match self.react(&message)? {
                        Reaction::Now(messages) => messages,
                        Reaction::Later(delay, message) => {
                            later.push(after(delay, message));
                            continue;
                        }
                    }
                }
            };
            for message in out.into_iter().chain(repeated.take()) {
                if send(&mut link, &message).await.is_err() {
                    return Ok(End::Lost);
                }
            }
        }
    }

    async fn close(&self, mut link: Link) -> End {
        if self.fault != Fault::ClosesWithoutHandshake && link.close(None).await.is_ok() {
            while let Some(Ok(_)) = link.next().await {}
        }
        End::Stopped
    }

    /// What to say to a message, and when.
    fn react(&mut self, message: &Value) -> Result<Reaction, String> {
        match message["op"].as_str() {
            Some("configureExtension") => {
                self.configuration = message["object"]["config"].clone();
                if self.fault == Fault::DiesOfInvalidConfigurations && !self.is_configured() {
                    return Err("`unit` is not a text".to_owned());
                }
                Ok(Reaction::nothing())
            }
            Some("reconnectRequired") if self.fault == Fault::IgnoresReconnectRequired => {
                Ok(Reaction::nothing())
            }
            Some("reconnectRequired") => Ok(Reaction::Now(vec![self.connect_extension()])),
            Some("publish") => {
                self.unacknowledged += 1;
                Ok(Reaction::Now(vec![json!({"op": "notification", "resourceName": "sources",
                    "resourceId": self.settings.source, "object": message["object"]})]))
            }
            Some("query") if message["object"]["op"] == "slow" => {
                Ok(Reaction::Later(SLOW, answer(message, 200, &json!("slow"))))
            }
            Some("query") => Ok(Reaction::Now(self.answers(message))),
            Some(_) if self.fault == Fault::DiesOfUnknownOperations => Err("what is that?".to_owned()),
            Some(_) => Ok(Reaction::nothing()),
            // The only thing that is ever refused here.
            None if message["status"].as_u64() >= Some(300) => match self.fault {
                Fault::GivesUpWhereRefused => Err("refused".to_owned()),
                _ => Ok(Reaction::Later(RETRY, self.connect_extension())),
            },
            None => {
                self.unacknowledged = self.unacknowledged.saturating_sub(1);
                Ok(Reaction::nothing())
            }
        }
    }

    /// The answers to a query that is none of the slow ones.
    fn answers(&mut self, query: &Value) -> Vec<Value> {
        self.queries += 1;
        let lost = match self.fault {
            Fault::LosesEveryFiftiethQuery => self.queries.is_multiple_of(50),
            Fault::WaitsForAcknowledgements => self.unacknowledged > 16,
            Fault::LeavesUnknownQueries => query["object"]["op"] == "weather",
            _ => false,
        };
        if lost {
            return vec![];
        }
        let mut answers = match query["object"]["op"].as_str() {
            _ if !self.is_configured() => vec![error(query, "com.example.configuration")],
            Some("current") => vec![answer(query, 200, &json!({"value": 21.5}))],
            Some("large") => large(query, self.fault == Fault::AnswersInOneMessage),
            _ => vec![error(query, "com.example.query")],
        };
        self.last = answers.last().cloned();
        if self.fault == Fault::AnswersTwice {
            answers.extend(self.last.clone());
        }
        answers
    }

    fn is_configured(&self) -> bool {
        self.configuration["unit"].is_string() || self.fault == Fault::TakesInvalidConfigurations
    }
}

async fn after(delay: Duration, message: Value) -> Value {
    sleep(delay).await;
    message
}

fn large(query: &Value, in_one: bool) -> Vec<Value> {
    let (rows, characters) = LARGE;
    let bundle = if in_one { rows } else { BUNDLE };
    let mut answers: Vec<_> = (0..rows / bundle)
        .map(|_| answer(query, 100, &vec!["x".repeat(characters); bundle].into()))
        .collect();
    answers.push(answer(query, 204, &Value::Null));
    answers
}

fn error(query: &Value, code: &str) -> Value {
    answer(query, 400, &json!({"messageCode": code, "messageTemplate": "no", "parameters": []}))
}

fn answer(query: &Value, status: u16, body: &Value) -> Value {
    let headers = json!({"X-Reply-Address": query["messageHeaders"]["REPLY_ADDR_HEADER"]});
    json!({"status": status, "headers": headers, "body": body})
}

fn json_in(frame: Message) -> Value {
    serde_json::from_slice(&frame.into_data()).expect("the simulator sends JSON")
}

async fn send(link: &mut Link, message: &Value) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    link.send(Message::text(message.to_string())).await
}
