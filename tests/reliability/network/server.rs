//! [`Server`]: the server of a scene, whose state survives its crashes.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep, sleep_until},
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};
use turmoil::net::{TcpListener, TcpStream};

use super::{
    handler,
    history::{Event, History},
    plan::{Manners, Plan, Trouble, millis},
};

/// Where it listens.
pub(super) const PORT: u16 = 80;
/// How often a link looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);
/// For how long after the repair it still does things by itself.
const BUSY: Duration = Duration::from_secs(3);

/// What survives crashes, and what all links share.
#[derive(Debug)]
pub(super) struct Server {
    history: History,
    manners: Manners,
    busy_until: Duration,
    random: RefCell<SmallRng>,
    links: Cell<u64>,
    configs: Cell<u64>,
    publishes: Cell<u64>,
    queries: Cell<u64>,
    /// The link that holds each source.
    holders: RefCell<Vec<u64>>,
    /// Links up to this one are cut.
    cut: Cell<u64>,
    refuses: Cell<bool>,
    stalls: Cell<bool>,
}

impl Server {
    pub(super) fn new(plan: &Plan, history: History) -> Rc<Self> {
        Rc::new(Self {
            history,
            manners: plan.manners,
            busy_until: plan.repaired_at + BUSY,
            random: RefCell::new(SmallRng::seed_from_u64(plan.seed)),
            links: Cell::default(),
            configs: Cell::default(),
            publishes: Cell::default(),
            queries: Cell::default(),
            holders: RefCell::new(vec![0; plan.sources]),
            cut: Cell::default(),
            refuses: Cell::default(),
            stalls: Cell::default(),
        })
    }

    /// Takes its part in a trouble.
    pub(super) fn suffer(&self, trouble: Trouble) {
        match trouble {
            Trouble::Cut => self.cut.set(self.links.get()),
            Trouble::Refuse => self.refuses.set(true),
            Trouble::Accept => self.refuses.set(false),
            Trouble::Stall => self.stalls.set(true),
            Trouble::Resume => self.stalls.set(false),
            _ => {}
        }
    }

    /// Listens until it crashes.
    pub(super) async fn listen(self: Rc<Self>) -> turmoil::Result {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        loop {
            let (connection, _) = listener.accept().await?;
            let server = Rc::clone(&self);
            spawn_local(async move {
                if let Ok(socket) = accept_async(connection).await {
                    // However it ends, the connector comes back.
                    let _ = Link::new(server, socket).serve().await;
                }
            });
        }
    }

    fn draw(&self, most: u64) -> u64 {
        self.random.borrow_mut().random_range(0..=most)
    }
}

/// The next of these numbers, from 1.
fn next(numbers: &Cell<u64>) -> u64 {
    numbers.set(numbers.get() + 1);
    numbers.get()
}

/// What a link has yet to do.
#[derive(Debug)]
enum Duty {
    Send(Value),
    Configure,
    Process { number: u64, request_id: Value },
}

/// The link is over.
struct Over;

impl From<tokio_tungstenite::tungstenite::Error> for Over {
    fn from(_: tokio_tungstenite::tungstenite::Error) -> Self {
        Self
    }
}

struct Link {
    server: Rc<Server>,
    number: u64,
    socket: WebSocketStream<TcpStream>,
    source: Option<usize>,
    configured: bool,
    /// What is to be done, in order, and when.
    duties: VecDeque<(Instant, Duty)>,
    acts_at: Instant,
}

impl Link {
    fn new(server: Rc<Server>, socket: WebSocketStream<TcpStream>) -> Self {
        let number = next(&server.links);
        let (source, configured, duties) = (None, false, VecDeque::new());
        Self { server, number, socket, source, configured, duties, acts_at: Instant::now() }
    }

    async fn serve(mut self) -> Result<(), Over> {
        while self.is_wanted() {
            if self.server.stalls.get() {
                sleep(LOOK).await;
                continue;
            }
            let now = Instant::now();
            let due_at = self.duties.front().map_or(now + LOOK, |(at, _)| *at);
            let acts_at = if self.acts() { self.acts_at } else { now + LOOK };
            // Cancel safety: `next` keeps its state in the socket, the others only wait.
            tokio::select! {
                biased;
                // What is due comes before the next ping is read and answered.
                () = sleep_until(due_at) => self.do_duty().await?,
                frame = self.socket.next() => self.on_frame(&frame.ok_or(Over)??)?,
                () = sleep_until(acts_at) => self.act().await?,
            }
        }
        Ok(())
    }

    fn on_frame(&mut self, frame: &Message) -> Result<(), Over> {
        if let Message::Text(text) = frame {
            self.on_message(&serde_json::from_str(text).map_err(|_| Over)?);
        }
        Ok(())
    }

    /// Whether nobody cut it, and no later link has taken its source.
    fn is_wanted(&self) -> bool {
        let held = self.source.is_none_or(|source| self.server.holders.borrow()[source] == self.number);
        held && self.number > self.server.cut.get()
    }

    fn acts(&self) -> bool {
        self.configured && turmoil::sim_elapsed().is_some_and(|now| now < self.server.busy_until)
    }

    fn on_message(&mut self, message: &Value) {
        let (source, link) = (self.source.unwrap_or_default(), self.number);
        match message["op"].as_str() {
            Some("validate") => self.owe(Duty::Send(json!({"status": 200, "body": {"userInfo": {}}}))),
            Some("connectExtension") if self.server.refuses.get() => {
                let error = json!({"code": "scene.refused", "message": "the source is restarting"});
                self.owe(Duty::Send(json!({"status": 400, "body": [error]})));
            }
            Some("connectExtension") => self.attach(message),
            Some("notification") => {
                let number = message["object"]["number"].as_u64().expect("every event has a number");
                self.server.history.note(Event::Received { link, source, number });
                self.owe(Duty::Process { number, request_id: message["parameters"]["requestId"].clone() });
            }
            _ => self.answered(message),
        }
    }

    fn attach(&mut self, message: &Value) {
        let source = message["resourceId"].as_str().and_then(handler::index).expect("it is a source");
        let first = self.source.replace(source).is_none();
        self.server.holders.borrow_mut()[source] = self.number;
        self.server.history.note(Event::Attached { link: self.number, source });
        let Manners { handshakes, before, often, .. } = self.server.manners;
        let acknowledges = self.server.draw(3) < u64::from(handshakes);
        // As long as nothing else was sent over the link there may be many.
        let times = if often && before && first { 1 + self.server.draw(2) } else { 1 };
        for _ in 0..if acknowledges && before { times } else { 0 } {
            self.owe(Duty::Send(json!({"status": 200})));
        }
        self.owe(Duty::Configure);
        if acknowledges && !before {
            self.owe(Duty::Send(json!({"status": 200})));
        }
    }

    fn answered(&mut self, message: &Value) {
        let query = message["headers"]["X-Reply-Address"].as_str().and_then(|address| address.parse().ok());
        let (query, terminal) = (query.expect("it answers a query"), message["status"] != 100);
        self.server.history.note(Event::Answered { link: self.number, query, terminal });
        if self.server.manners.answers {
            self.owe(Duty::Send(json!({"status": 200})));
        }
    }

    /// Does this when all else is done, and not at once.
    fn owe(&mut self, duty: Duty) {
        let at = Instant::now() + millis(self.server.draw(self.server.manners.lateness));
        let at = self.duties.back().map_or(at, |(last, _)| at.max(*last));
        self.duties.push_back((at, duty));
    }

    async fn do_duty(&mut self) -> Result<(), Over> {
        let Some((_, duty)) = self.duties.pop_front() else { return Ok(()) };
        match duty {
            Duty::Send(message) => self.send(&message).await,
            Duty::Configure => self.configure().await,
            Duty::Process { number, request_id } => self.process(number, request_id).await,
        }
    }

    async fn configure(&mut self) -> Result<(), Over> {
        let (link, source) = (self.number, self.source.unwrap_or_default());
        let config = next(&self.server.configs);
        self.configured = true;
        self.server.history.note(Event::Configured { link, source, config });
        self.send(&json!({"op": "configureExtension", "object": {"config": {"config": config}}})).await
    }

    async fn process(&mut self, number: u64, request_id: Value) -> Result<(), Over> {
        let (source, manners) = (self.source.unwrap_or_default(), self.server.manners);
        let refused = manners.refuses.is_some_and(|remainder| number % 7 == remainder);
        let event =
            if refused { Event::Refused { source, number } } else { Event::Stored { source, number } };
        self.server.history.note(event);
        if !manners.notifications {
            return Ok(());
        }
        let error = json!([{"code": "scene.refused", "message": "refused"}]);
        let mut reply = if refused { json!({"status": 429, "body": error}) } else { json!({"status": 200}) };
        if manners.named {
            reply["headers"] = json!({"X-Request-Id": request_id});
        }
        self.send(&reply).await
    }

    /// Does something by itself.
    async fn act(&mut self) -> Result<(), Over> {
        if !self.acts() {
            return Ok(());
        }
        self.acts_at = Instant::now() + millis(self.server.draw(self.server.manners.leisure));
        let (link, source, history) = (self.number, self.source.unwrap_or_default(), &self.server.history);
        match self.server.draw(15) {
            0 => self.send(&json!({"op": "reconnectRequired"})).await,
            1..=7 => {
                let number = next(&self.server.publishes);
                history.note(Event::Published { link, source, number });
                self.send(&json!({"op": "publish", "object": {"number": number}})).await
            }
            _ => {
                let query = next(&self.server.queries);
                history.note(Event::Asked { link, source, query });
                let (rows, pause) = (self.server.draw(6), self.server.draw(80));
                let ask = json!({"rows": rows, "pause": pause, "fails": self.server.draw(3) == 0});
                let headers = json!({"REPLY_ADDR_HEADER": query.to_string()});
                self.send(&json!({"op": "query", "messageHeaders": headers, "object": ask})).await
            }
        }
    }

    async fn send(&mut self, message: &Value) -> Result<(), Over> {
        Ok(self.socket.send(Message::text(message.to_string())).await?)
    }
}
