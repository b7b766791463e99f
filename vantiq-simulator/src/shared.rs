//! [`Shared`]: the state of the simulator behind one lock, and waiting for it to change.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::cut::{Ending, LinkEnd};
use crate::error::SimulatorError;
use crate::fault::Direction;
use crate::incident::{Happening, Incidents};
use crate::link::{LinkHandle, Order, Outgoing};
use crate::recording::{Frame, FrameKind, Recording};
use crate::registry::{Outcome, Registry};
use crate::script::Script;
use crate::settings::Settings;
use crate::subscriptions::Event;
use crate::upgrade::UpgradeReply;

/// Ends of links that are remembered.
const ENDS_KEPT: usize = 10_000;

/// What the handles, the links and the HTTP side have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    world: Mutex<World>,
    changed_tx: watch::Sender<()>,
}

/// Everything that changes.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) started: SystemTime,
    pub(crate) registry: Registry,
    pub(crate) recording: Recording,
    pub(crate) incidents: Incidents,
    /// The open links.
    pub(crate) links: BTreeMap<u64, LinkHandle>,
    /// The last links that have ended.
    pub(crate) ends: VecDeque<LinkEnd>,
    pub(crate) on_upgrade: Script<UpgradeReply>,
    /// Kinds of sources, by name.
    pub(crate) implementations: BTreeMap<String, Value>,
    /// Upgrades asked for so far.
    pub(crate) dials: u64,
    /// Links opened so far, which is also the id of the youngest.
    pub(crate) opened: u64,
    /// Pings received so far.
    pub(crate) pings: u64,
}

impl World {
    /// Notes what happened, behind the messages so far.
    pub(crate) fn happened(&mut self, link: Option<u64>, sources: Vec<Arc<str>>, what: Happening) {
        self.incidents.push(self.recording.next_number() - 1, link, sources, what);
    }

    /// Gives a link an order; one that has ended does not need it any more.
    pub(crate) fn order(&mut self, link: u64, order: Order) {
        let Some(handle) = self.links.get_mut(&link) else { return };
        if let Order::Pace(pace) = order {
            handle.pace = pace;
        }
        let _ = handle.orders.send(order);
    }
}

impl Shared {
    pub(crate) fn new(settings: Arc<Settings>, registry: Registry) -> Self {
        let world = World {
            started: SystemTime::now(),
            registry,
            recording: Recording::new(settings.recording_limit),
            incidents: Incidents::default(),
            links: BTreeMap::new(),
            ends: VecDeque::new(),
            on_upgrade: Script::new(UpgradeReply::Accept),
            implementations: BTreeMap::new(),
            dials: 0,
            opened: 0,
            pings: 0,
        };
        Self { settings, world: Mutex::new(world), changed_tx: watch::Sender::new(()) }
    }

    /// Looks at the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state and wakes everybody who waits for a change.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed_tx.send_replace(());
        result
    }

    /// Changes what nobody waits for.
    pub(crate) fn change_quietly<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.lock())
    }

    /// Waits until `look` finds what it is looking for.
    ///
    /// Cancel-safe as far as `look` is: it runs to its end or not at all.
    pub(crate) async fn wait<T>(
        &self,
        awaited: impl Into<String>,
        mut look: impl FnMut(&mut World) -> Option<T>,
    ) -> Result<T, SimulatorError> {
        self.wait_outside(awaited, || look(&mut self.lock())).await
    }

    /// Like [`wait`](Self::wait), without the lock held.
    pub(crate) async fn wait_outside<T>(
        &self,
        awaited: impl Into<String>,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<T, SimulatorError> {
        let mut changed_rx = self.changes();
        let found = timeout(self.settings.deadline, async {
            loop {
                if let Some(found) = look() {
                    return found;
                }
                changed_rx.changed().await.expect("`self` owns the sender");
            }
        });
        found.await.map_err(|_| SimulatorError::deadline(awaited, self.settings.deadline))
    }

    /// Puts a message into the queue of a link, waiting for room under the deadline.
    pub(crate) async fn send(
        &self,
        source: &Arc<str>,
        link: u64,
        outgoing: Outgoing,
    ) -> Result<(), SimulatorError> {
        let handle = self.read(|world| world.links.get(&link).cloned());
        let handle = handle.ok_or_else(|| SimulatorError::link_lost(source))?;
        let deadline = self.settings.deadline;
        match timeout(deadline, handle.outgoing.send((Arc::clone(source), outgoing))).await {
            Ok(sent) => sent.map_err(|_| SimulatorError::link_lost(source)),
            Err(_) => Err(SimulatorError::deadline(format!("the connector of `{source}` to read"), deadline)),
        }
    }

    /// Gives a link an order, see [`World::order`].
    pub(crate) fn order(&self, link: u64, order: Order) {
        self.change(|world| world.order(link, order));
    }

    /// Tells of changes from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed_tx.subscribe()
    }

    /// Tells a subscriber. One that does not read loses what it has no room for, as it cannot hold up a connector.
    pub(crate) fn tell(&self, Event { link, text }: Event) {
        let handle = self.read(|world| world.links.get(&link).cloned());
        if handle.is_some_and(|handle| handle.events.try_send(text).is_err()) {
            warn!(link, "an event is dropped: its subscriber does not read");
        }
    }

    /// Enters a new link.
    pub(crate) fn open_link(&self, handle: LinkHandle) -> u64 {
        self.change(|world| {
            world.opened += 1;
            let link = world.opened;
            world.links.insert(link, handle);
            world.happened(Some(link), Vec::new(), Happening::Opened);
            link
        })
    }

    /// Takes a message: decides about it and records it.
    pub(crate) fn receive(&self, link: u64, kind: FrameKind, payload: Bytes) -> Outcome {
        self.change(|world| {
            let number = world.recording.next_number();
            let outcome = world.registry.receive(link, number, &payload, Instant::now());
            world.recording.push(Frame {
                link,
                direction: Direction::ToServer,
                kind,
                payload,
                source: outcome.source.clone(),
                is_notification: outcome.is_notification,
                acknowledges: Box::default(),
            });
            outcome
        })
    }

    /// Records what is sent, and notes the notifications that it acknowledges, by number.
    pub(crate) fn sending(&self, frame: Frame) {
        self.change(|world| {
            world.recording.acknowledge(&frame.acknowledges);
            world.recording.push(frame);
        });
    }

    /// Counts a ping.
    pub(crate) fn pinged(&self) {
        self.change(|world| world.pings += 1);
    }

    /// Takes a link out.
    pub(crate) fn link_ended(&self, link: u64, ending: Ending) {
        self.change(|world| {
            world.links.remove(&link);
            let sources = world.registry.sources_of(link);
            world.happened(Some(link), sources, Happening::Ended(ending.clone()));
            world.registry.link_lost(link);
            world.ends.push_back(LinkEnd { link, ending });
            if world.ends.len() > ENDS_KEPT {
                world.ends.pop_front();
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // A panic in a test's `wait_for` must not hide behind a second one in a link.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
