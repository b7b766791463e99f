//! [`Caller`]: the server's side of one link, which keeps account of all that comes back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, watch},
    task::AbortHandle,
};
use vantiq_connector_tests::Peer;

/// A part of an answer that more parts follow.
const PARTIAL: u64 = 100;

/// One message that answers a query, be it in part.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) status: u64,
    pub(crate) body: Value,
}

impl Part {
    /// The code of an error.
    pub(crate) fn code(&self) -> &str {
        self.body["messageCode"].as_str().unwrap_or_default()
    }
}

/// The server's side of one link. It serves itself until it is dropped: configures whoever wants to attach again,
/// acknowledges notifications, and keeps what came.
#[derive(Debug)]
pub(crate) struct Caller {
    outgoing: mpsc::UnboundedSender<Value>,
    account: Arc<Account>,
    serving: AbortHandle,
}

#[derive(Debug, Default)]
struct Account {
    /// The parts of the answer to each query, in the order of queries.
    answers: Mutex<Vec<Vec<Part>>>,
    events: watch::Sender<Vec<Value>>,
    /// Queries without a terminal answer.
    open: watch::Sender<usize>,
}

impl Caller {
    /// Serves a link that has its configuration.
    pub(crate) fn of<S>(peer: Peer<S>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (outgoing, incoming) = mpsc::unbounded_channel();
        let account = Arc::<Account>::default();
        let taking = Arc::clone(&account);
        let serving = tokio::spawn(peer.serve(incoming, move |message| taking.take(message))).abort_handle();
        Self { outgoing, account, serving }
    }

    /// Sends any message.
    pub(crate) fn send(&self, message: Value) {
        // Where the link is gone, the test notices by what does not come back.
        let _ = self.outgoing.send(message);
    }

    /// Something that sends messages like this.
    pub(crate) fn sender(&self) -> mpsc::UnboundedSender<Value> {
        self.outgoing.clone()
    }

    pub(crate) fn publish(&self, object: &Value) {
        self.send(json!({"op": "publish", "object": object}));
    }

    /// Asks, and returns the number of the query, from 0.
    pub(crate) fn query(&self, object: &Value) -> usize {
        let number = {
            let mut answers = lock(&self.account.answers);
            answers.push(Vec::new());
            answers.len() - 1
        };
        self.account.open.send_modify(|open| *open += 1);
        let headers = json!({"REPLY_ADDR_HEADER": number.to_string()});
        self.send(json!({"op": "query", "messageHeaders": headers, "object": object}));
        number
    }

    /// Asks the connector to attach anew.
    pub(crate) fn reconnect_required(&self) {
        self.send(json!({"op": "reconnectRequired"}));
    }

    /// Waits until no more than so many queries are without a terminal answer.
    pub(crate) async fn answered_but(&self, most: usize) {
        let mut open = self.account.open.subscribe();
        open.wait_for(|open| *open <= most).await.expect("the account holds the sender");
    }

    /// The parts of all answers so far, in the order of queries.
    pub(crate) fn answers(&self) -> Vec<Vec<Part>> {
        lock(&self.account.answers).clone()
    }

    /// The terminal answer of each query.
    ///
    /// # Panics
    /// If one has none, or more than one, or if a part comes after it.
    pub(crate) fn terminals(&self) -> Vec<Part> {
        let terminal = |(number, parts): (usize, Vec<Part>)| {
            let terminals = parts.iter().filter(|part| part.status != PARTIAL).count();
            assert_eq!(terminals, 1, "query {number}: {parts:?}");
            let last = parts.into_iter().next_back();
            last.filter(|part| part.status != PARTIAL)
                .unwrap_or_else(|| panic!("query {number}: a part came late"))
        };
        self.answers().into_iter().enumerate().map(terminal).collect()
    }

    /// All notifications so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.account.events.borrow().clone()
    }

    /// Waits until so many notifications have come.
    pub(crate) async fn notified(&self, times: usize) {
        let mut events = self.account.events.subscribe();
        events.wait_for(|events| events.len() >= times).await.expect("the account holds the sender");
    }
}

impl Account {
    /// Takes a message, and says what to answer.
    fn take(&self, mut message: Value) -> Option<Value> {
        match message["op"].as_str() {
            Some("notification") => {
                self.events.send_modify(|events| events.push(message["object"].take()));
                Some(json!({"status": 200}))
            }
            Some("connectExtension") => Some(json!({"op": "configureExtension", "object": {"config": {}}})),
            Some(other) => panic!("{other}"),
            None => {
                self.answered(message);
                None
            }
        }
    }

    fn answered(&self, mut message: Value) {
        let address = message["headers"]["X-Reply-Address"].as_str().expect("it is an answer");
        let number: usize = address.parse().expect("it is one that was asked");
        let status = message["status"].as_u64().expect("an answer has a status");
        lock(&self.answers)[number].push(Part { status, body: message["body"].take() });
        if status != PARTIAL {
            self.open.send_modify(|open| *open = open.checked_sub(1).expect("no more answers than queries"));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
