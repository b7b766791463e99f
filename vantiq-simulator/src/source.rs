//! [`Source`]: one source, as the applications of a namespace and its administrator see it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use tokio::time::{Duration, Instant};
use tracing::info;

use crate::acknowledge::Acknowledge;
use crate::cut::Cut;
use crate::envelope;
use crate::error::{SimulatorError, SimulatorErrorKind};
use crate::excerpt::excerpt;
use crate::fault_word::{Fault, RefusalWord};
use crate::incident::{Happening, Lasting};
use crate::ledger::Asked;
use crate::link::{Order, Outgoing, Pace};
use crate::query::{PendingQuery, Query};
use crate::recording::Notification;
use crate::refusal::Refusal;
use crate::seat::Seat;
use crate::shared::{Shared, World};
use crate::socket::RawFrame;

/// Notifications that are shown where another one was expected.
const SKIPPED_SHOWN: usize = 3;

/// A handle to one source of a [`Simulator`](crate::Simulator); cheap to clone.
///
/// The source need not exist, and a connector need not be attached. Where a method speaks of *the link*, it
/// means the one that holds the source or, while none does, the one that asked for it last: so a connector
/// whose `connectExtension` was refused or ignored can be reached too.
#[derive(Clone)]
pub struct Source {
    shared: Arc<Shared>,
    name: Arc<str>,
}

impl fmt::Debug for Source {
    /// The name alone: what the simulator holds may be secret, such as the configuration of a real source.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What applications do.
impl Source {
    pub(crate) fn new(shared: Arc<Shared>, name: &str) -> Self {
        Self { shared, name: name.into() }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a `publish`; the connector has no way to answer.
    ///
    /// Waits when the connector does not read and the queue is full, so awaiting it says only that the
    /// message is under way.
    ///
    /// # Errors
    ///
    /// [`NoSession`](crate::SimulatorErrorKind::NoSession) when no connector is attached,
    /// [`LinkLost`](crate::SimulatorErrorKind::LinkLost) when it has just gone,
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when it does not read for that long.
    pub async fn publish(&self, object: impl Into<Value>) -> Result<(), SimulatorError> {
        let link = self.session()?;
        if self.shared.change(|world| world.registry.chatter.may_speak(Instant::now())) {
            info!(link, source = %self.name, "publish");
        }
        self.send(link, Outgoing::Message(envelope::publish(&self.name, &object.into()))).await
    }

    /// Sends a `publish` as several continuation frames.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn send_fragmented(&self, object: impl Into<Value>) -> Result<(), SimulatorError> {
        let link = self.session()?;
        self.send(link, Outgoing::Fragmented(envelope::publish(&self.name, &object.into()))).await
    }

    /// Sends a `query`, when awaited, and waits for the whole answer, which is a
    /// [`QueryReply`](crate::QueryReply); [`Query::rows`] waits for rows.
    ///
    /// ```
    /// # use serde_json::json;
    /// # async fn example(thermostat: vantiq_simulator::Source) -> Result<(), vantiq_simulator::SimulatorError> {
    /// assert_eq!(thermostat.query(json!({"op": "current"})).await?.status, 200);
    /// assert_eq!(thermostat.query(json!({"op": "current"})).rows().await?, [json!({"value": 21.5})]);
    /// assert_eq!(thermostat.query(json!({"op": "current"})).row().await?["value"], 21.5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited, as [`start_query`](Self::start_query) and [`PendingQuery::reply`]. An error *answer* is a
    /// reply.
    pub fn query(&self, object: impl Into<Value>) -> Query {
        let (source, object) = (self.clone(), object.into());
        Query::new(&self.name, async move { source.start_query(object).await?.await })
    }

    /// Sends a `query` and leaves the answers for later.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn start_query(&self, object: impl Into<Value>) -> Result<PendingQuery, SimulatorError> {
        let link = self.session()?;
        let (address, at) = (envelope::uuid(), Instant::now());
        let asked = Asked { address: address.clone(), source: Arc::clone(&self.name), link, at };
        let (asking, may_speak) = self
            .shared
            .change(|world| (world.registry.queries.ask(asked), world.registry.chatter.may_speak(at)));
        if may_speak {
            info!(link, source = %self.name, address, "query");
        }
        let text = envelope::query(&self.name, &object.into(), &address);
        self.send(link, Outgoing::Message(text)).await?;
        let settings = &self.shared.settings;
        let timing = (settings.query_timeout, settings.timer_restart);
        Ok(PendingQuery::new(&self.name, address, timing, at, asking))
    }

    /// The next accepted notification that no clone of this handle has returned yet; waits for it.
    ///
    /// # Errors
    ///
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when none comes in time.
    ///
    /// # Cancel safety
    ///
    /// No notification is lost when the future is dropped.
    pub async fn next_notification(&self) -> Result<Notification, SimulatorError> {
        let awaited = format!("a notification of `{}`", self.name);
        self.shared.wait(awaited, |world| hand_out(world, &self.name)).await
    }

    /// The next accepted notification that no clone of this handle has returned yet and for which `is_expected`
    /// says yes; waits for it. Those before it are skipped: they are not returned any more, but stay in
    /// [`notifications`](Self::notifications).
    ///
    /// ```
    /// # async fn example(thermostat: vantiq_simulator::Source) -> Result<(), vantiq_simulator::SimulatorError> {
    /// let alarm = thermostat.expect_notification(|notification| notification.object["alarm"] == true).await?;
    /// assert_eq!(alarm.object["celsius"], 95);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NoSuchNotification`](crate::SimulatorErrorKind::NoSuchNotification) when none comes in time, which says
    /// what came instead.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, an expected notification is not lost. Those that were skipped by then stay
    /// skipped.
    pub async fn expect_notification(
        &self,
        mut is_expected: impl FnMut(&Notification) -> bool,
    ) -> Result<Notification, SimulatorError> {
        let (mut skipped, mut last) = (0, VecDeque::new());
        // One by one, and asked without the lock: the question may use the simulator, or panic.
        let look = || loop {
            let next = self.shared.change_quietly(|world| hand_out(world, &self.name))?;
            if is_expected(&next) {
                return Some(next);
            }
            skipped += 1;
            if last.len() == SKIPPED_SHOWN {
                last.pop_front();
            }
            last.push_back(excerpt(&next.object));
        };
        let found = self.shared.wait_outside(String::new(), look).await;
        found.map_err(|_| {
            let (source_name, after) = (self.name.to_string(), self.shared.settings.deadline);
            let last = last.into();
            SimulatorErrorKind::NoSuchNotification { source_name, skipped, last, after }.into()
        })
    }

    /// All accepted notifications so far, within the recording limit.
    pub fn notifications(&self) -> Vec<Notification> {
        self.shared.read(|world| world.recording.notifications(&self.name))
    }

    /// How many notifications were accepted so far, recorded still or not.
    pub fn notification_count(&self) -> u64 {
        self.look(|seat| seat.notifications)
    }
}

/// What the administrator of the namespace does.
impl Source {
    /// Changes the configuration document, creating the source if need be. An attached connector is sent
    /// `reconnectRequired` and gets the new document with its next `connectExtension`.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish), except that nobody needs to be attached.
    pub async fn configure(&self, configuration: impl Into<Value>) -> Result<(), SimulatorError> {
        let configuration = configuration.into();
        self.send_reconnect_required(self.change(|seat| seat.configure(configuration))).await
    }

    /// Changes the configuration document and sends it without being asked. Ends a
    /// [silent](Refusal::Silent) refusal by accepting the connector.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn configure_now(&self, configuration: impl Into<Value>) -> Result<(), SimulatorError> {
        let configuration = configuration.into();
        let text = envelope::configure_extension(&self.name, &configuration);
        let link = self.change(|seat| seat.configure_now(configuration));
        self.send(link.ok_or_else(|| self.no_session())?, Outgoing::Message(text)).await
    }

    /// Sends `reconnectRequired`; the connector is not attached again before its next `connectExtension`.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn reconnect_required(&self) -> Result<(), SimulatorError> {
        let link = self.change(Seat::suspend).ok_or_else(|| self.no_session())?;
        self.send_reconnect_required(Some(link)).await
    }

    /// The source no longer exists, until it is [configured](Self::configure) again. An attached connector
    /// is sent `reconnectRequired`.
    ///
    /// The next source of this name is a new one: the counts begin again, and how the old one
    /// [refused](Self::refuse), [acknowledged](Self::acknowledge), or was slow or silent is over. What it is to do can
    /// be said from now on, before it exists. The [`notifications`](Self::notifications) of the old one stay.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish), except that nobody needs to be attached.
    pub async fn remove(&self) -> Result<(), SimulatorError> {
        // In one step: nobody who was refused is let in between, and the next source keeps the faults that it is given.
        // And before the message, which may be held up.
        let holder = self.shared.change(|world| {
            self.end_faults(world);
            world.registry.seat(&self.name).remove()
        });
        self.send_reconnect_required(holder).await
    }

    /// Activates or deactivates the source. A connector that is attached to one that is deactivated is sent
    /// `reconnectRequired`, and refused while that lasts.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish), except that nobody needs to be attached.
    pub async fn set_active(&self, is_active: bool) -> Result<(), SimulatorError> {
        self.send_reconnect_required(self.change(|seat| seat.set_active(is_active))).await
    }

    /// Refuses every `connectExtension` until [`accept`](Self::accept).
    pub fn refuse(&self, refusal: Refusal) {
        self.inflict(Fault::Refuse { kind: RefusalWord::of(&refusal), times: None }, |seat| {
            seat.refusals.always(Some(refusal));
        });
    }

    /// Refuses the next `connectExtension`s, then does as before.
    pub fn refuse_times(&self, times: usize, refusal: Refusal) {
        self.inflict(Fault::Refuse { kind: RefusalWord::of(&refusal), times: Some(times) }, |seat| {
            seat.refusals.then(times, &Some(refusal));
        });
    }

    /// Refuses no more.
    pub fn accept(&self) {
        self.shared.change(|world| self.end_refusals(world));
    }

    /// How this source acknowledges from now on, instead of how the server does.
    pub fn acknowledge(&self, acknowledge: Acknowledge) {
        self.inflict(Fault::of_policy(&acknowledge), |seat| seat.set_acknowledge(acknowledge));
    }

    /// Acknowledges as the server does again. Acknowledgements that were [delayed](Acknowledge::Delayed) come now, those
    /// behind one of another source on the same link with that one.
    pub fn acknowledge_as_server(&self) {
        self.shared.change(|world| self.end_policy(world));
    }

    /// How many `connectExtension`s were accepted so far.
    pub fn sessions(&self) -> u64 {
        self.look(|seat| seat.sessions)
    }

    /// Whether a connector is attached: it was sent `configureExtension`, and since then neither
    /// `reconnectRequired` was sent nor the link lost.
    pub fn is_attached(&self) -> bool {
        self.look(|seat| seat.session().is_some())
    }

    /// Waits until a connector is attached.
    ///
    /// # Errors
    ///
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when none is in time.
    pub async fn wait_attached(&self) -> Result<(), SimulatorError> {
        self.wait("to be attached", |seat| seat.session().is_some()).await
    }

    /// Waits until no connector is attached.
    ///
    /// # Errors
    ///
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when one still is.
    pub async fn wait_detached(&self) -> Result<(), SimulatorError> {
        self.wait("to be detached", |seat| seat.session().is_none()).await
    }

    /// Waits until this many `connectExtension`s were accepted and a connector is attached.
    ///
    /// # Errors
    ///
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when it does not come to that in time.
    pub async fn wait_sessions(&self, number: u64) -> Result<(), SimulatorError> {
        let awaited = format!("to have had {number} sessions");
        self.wait(&awaited, |seat| seat.sessions >= number && seat.session().is_some()).await
    }

    /// Waits until this many notifications were accepted.
    ///
    /// # Errors
    ///
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when it does not come to that in time.
    pub async fn wait_notifications(&self, number: u64) -> Result<(), SimulatorError> {
        self.wait(&format!("to have had {number} notifications"), |seat| seat.notifications >= number).await
    }
}

/// What the network does.
impl Source {
    /// Ends the link and waits until it has ended.
    ///
    /// # Errors
    ///
    /// [`NoSession`](crate::SimulatorErrorKind::NoSession) when there is no link,
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when it does not end in time.
    pub async fn cut(&self, cut: Cut) -> Result<(), SimulatorError> {
        let link = self.link()?;
        self.shared.order(link, Order::Cut(cut));
        let awaited = format!("the link of `{}` to end", self.name);
        self.shared.wait(awaited, |world| (!world.links.contains_key(&link)).then_some(())).await
    }

    /// Stops reading, writing and answering pings on the link, but keeps its TCP connection open.
    ///
    /// What the connector does meanwhile, closing the connection included, is noticed after
    /// [`speak`](Self::speak) only: until then the simulator believes the connector alive.
    ///
    /// # Errors
    ///
    /// [`NoSession`](crate::SimulatorErrorKind::NoSession) when there is no link.
    pub fn go_silent(&self) -> Result<(), SimulatorError> {
        self.pace(Pace::Silent)
    }

    /// Stops reading from the link, and so answering pings, but goes on writing to it.
    ///
    /// # Errors
    ///
    /// [`NoSession`](crate::SimulatorErrorKind::NoSession) when there is no link.
    pub fn stop_reading(&self) -> Result<(), SimulatorError> {
        self.pace(Pace::NotReading)
    }

    /// Becomes slow: takes one message on the link, to send or received, and then none for `pause`. Answers and
    /// acknowledgements follow the message that they are for at once. Pings are answered as slowly as messages.
    ///
    /// # Errors
    ///
    /// [`NoSession`](crate::SimulatorErrorKind::NoSession) when there is no link.
    pub fn slow_down(&self, pause: Duration) -> Result<(), SimulatorError> {
        self.pace(Pace::Slow(pause))
    }

    /// Ends [`go_silent`](Self::go_silent), [`slow_down`](Self::slow_down) and [`stop_reading`](Self::stop_reading).
    ///
    /// # Errors
    ///
    /// [`NoSession`](crate::SimulatorErrorKind::NoSession) when there is no link.
    pub fn speak(&self) -> Result<(), SimulatorError> {
        self.pace(Pace::Normal)
    }

    /// Sends a frame to the letter: malformed JSON, an unknown operation, an acknowledgement too many.
    ///
    /// # Errors
    ///
    /// [`NoSession`](crate::SimulatorErrorKind::NoSession) when there is no link, otherwise as
    /// [`publish`](Self::publish).
    pub async fn send_raw(&self, frame: impl Into<RawFrame>) -> Result<(), SimulatorError> {
        self.send(self.link()?, Outgoing::Raw(frame.into())).await
    }
}

impl Source {
    fn session(&self) -> Result<u64, SimulatorError> {
        self.look(Seat::session).ok_or_else(|| self.no_session())
    }

    fn link(&self) -> Result<u64, SimulatorError> {
        self.look(Seat::link).ok_or_else(|| self.no_session())
    }

    fn no_session(&self) -> SimulatorError {
        SimulatorError::no_session(&self.name)
    }

    fn pace(&self, pace: Pace) -> Result<(), SimulatorError> {
        self.shared.change(|world| self.set_pace(world, pace)).ok_or_else(|| self.no_session())
    }

    /// Gives the link a pace, and notes that as a fault or as the end of one; `None` where there is no link.
    fn set_pace(&self, world: &mut World, pace: Pace) -> Option<()> {
        let link = self.link_in(world)?;
        let before = world.links.get(&link)?.pace;
        if let Some(what) = change_of_pace(before, pace) {
            self.happened(world, what);
        }
        world.order(link, Order::Pace(pace));
        Some(())
    }

    /// Changes what is noted as a fault.
    fn inflict(&self, fault: Fault, change: impl FnOnce(&mut Seat)) {
        self.shared.change(|world| {
            change(world.registry.seat(&self.name));
            self.happened(world, Happening::Inflicted(fault));
        });
    }

    fn end_refusals(&self, world: &mut World) {
        let refusals = &mut world.registry.seat(&self.name).refusals;
        let was_refused = refusals.peek().is_some();
        refusals.always(None);
        if was_refused {
            self.happened(world, Happening::Healed(Lasting::Refusal));
        }
    }

    fn end_policy(&self, world: &mut World) {
        let seat = world.registry.seat(&self.name);
        let had_its_own = seat.acknowledge().is_some();
        seat.acknowledge_as_server();
        if had_its_own {
            self.happened(world, Happening::Healed(Lasting::Policy));
        }
        // Without a link none waits.
        if let Some(link) = self.link_in(world) {
            world.order(link, Order::AcknowledgeNow(Arc::clone(&self.name)));
        }
    }

    /// Ends what lasts, as far as it is the business of this source alone.
    fn end_faults(&self, world: &mut World) {
        self.end_refusals(world);
        if world.registry.seat(&self.name).acknowledge().is_some() {
            self.end_policy(world);
        }
        if !self.shares_its_link(world) {
            let _ = self.set_pace(world, Pace::Normal); // without a link there is nothing to end
        }
    }

    fn shares_its_link(&self, world: &World) -> bool {
        let link = self.link_in(world);
        let mut others = world.registry.existing().filter(|(name, _)| *name != &*self.name);
        link.is_some() && others.any(|(_, seat)| seat.link() == link)
    }

    fn link_in(&self, world: &World) -> Option<u64> {
        world.registry.find(&self.name).and_then(Seat::link)
    }

    fn happened(&self, world: &mut World, what: Happening) {
        world.happened(self.link_in(world), vec![Arc::clone(&self.name)], what);
    }

    async fn send(&self, link: u64, outgoing: Outgoing) -> Result<(), SimulatorError> {
        self.shared.send(&self.name, link, outgoing).await
    }

    pub(crate) async fn send_reconnect_required(&self, link: Option<u64>) -> Result<(), SimulatorError> {
        match link {
            Some(link) => self.send(link, Outgoing::Message(envelope::reconnect_required(&self.name))).await,
            None => Ok(()),
        }
    }

    fn look<T: Default>(&self, look: impl FnOnce(&Seat) -> T) -> T {
        self.shared.read(|world| world.registry.find(&self.name).map(look).unwrap_or_default())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Seat) -> T) -> T {
        self.shared.change(|world| change(world.registry.seat(&self.name)))
    }

    async fn wait(&self, awaited: &str, look: impl Fn(&Seat) -> bool) -> Result<(), SimulatorError> {
        let awaited = format!("the source `{}` {awaited}", self.name);
        self.shared
            .wait(awaited, |world| world.registry.find(&self.name).is_some_and(&look).then_some(()))
            .await
    }
}

/// What that is to be noted as, if it is anything.
fn change_of_pace(before: Pace, pace: Pace) -> Option<Happening> {
    Some(match pace {
        Pace::Silent => Happening::Inflicted(Fault::Silent),
        Pace::NotReading => Happening::Inflicted(Fault::Deaf),
        Pace::Slow(pause) => Happening::Inflicted(Fault::slow(pause)),
        Pace::Normal if before == Pace::Normal => return None,
        Pace::Normal => Happening::Healed(Lasting::Pace),
    })
}

/// The next notification of a source, which is then handed out.
fn hand_out(world: &mut World, source: &str) -> Option<Notification> {
    let seat = world.registry.seat(source);
    let next = world.recording.notification_after(source, seat.read_up_to)?;
    seat.read_up_to = next.number;
    Some(next)
}
