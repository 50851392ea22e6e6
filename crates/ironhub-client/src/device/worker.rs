//! The task that owns a device's connection: it connects, carries, reconnects, and ends.

use std::sync::Arc;
use std::time::Duration;

use ironhub_mqtt::packet::Packet;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, info, warn};

use super::c2d::{Delivery, Epoch, Settlement};
use super::command::{Command, Outgoing};
use super::link::{self, Connector, Link};
use super::method::{Answered, Handlers, RunningMethods};
use super::session::{Event, Session};
use super::state::ConnectionState;
use super::twin::DesiredQueue;
use crate::error::Error;
use crate::limits::DRAIN_WAIT_MAX;
use crate::outage::Outage;
use crate::retry::RetryPolicy;

/// Room for one read of the socket.
const READ_BYTES: usize = 8 * 1024;

pub(super) struct Worker {
    pub(super) connector: Connector,
    pub(super) retry: RetryPolicy,
    pub(super) session: Session,
    pub(super) messages: mpsc::Receiver<Outgoing>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) leave: Leave,
    pub(super) state: watch::Sender<ConnectionState>,
    pub(super) epoch: Epoch,
    pub(super) c2d: mpsc::Sender<Delivery>,
    pub(super) desired: Arc<DesiredQueue>,
    pub(super) handlers: Handlers,
    pub(super) running: RunningMethods,
}

/// Whether the client is still wanted, and by when it is gone when it is not.
pub(super) struct Leave {
    /// True, or gone with its sender: the client is not wanted any more.
    close: watch::Receiver<bool>,
    by: Option<Instant>,
}

/// How a connection ended.
enum End {
    /// In order, since the client is not wanted any more.
    Closed,
    /// In order, to go on with a new token.
    Renewal,
    Lost(Error),
}

/// What a connection is on its way to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Running,
    /// Waiting for what is under way, at most until then.
    Draining {
        until: Instant,
        renews: bool,
    },
}

/// Something that has happened.
enum Wake {
    Read(std::io::Result<usize>),
    Written(std::io::Result<()>),
    Message(Outgoing),
    Command(Command),
    Answered(Option<Answered>),
    C2dRoom(bool),
    /// What is under way has until then.
    Close(Instant),
    Timer,
}

/// A connection and what goes with it.
struct Run {
    link: Link,
    mode: Mode,
    /// Came when its receiver had no room; nothing is read before it is delivered.
    blocked: Option<Delivery>,
}

impl Worker {
    /// Until the client is closed, or fails for good. `link` is the first connection, when there is one already.
    pub(super) async fn run(mut self, link: Option<Link>) {
        let error = self.live(link).await.err();
        if let Some(error) = &error {
            warn!(device_id = %self.connector.id, %error, "device client ended");
        }
        self.end(error);
    }

    /// Tells everyone who waits, and those who come yet.
    fn end(mut self, error: Option<Error>) {
        let told = error.clone().unwrap_or(Error::Closed);
        self.messages.close();
        self.commands.close();
        while let Ok(message) = self.messages.try_recv() {
            let _ = message.done.send(Err(told.clone()));
        }
        while let Ok(command) = self.commands.try_recv() {
            self.session.handle_command(command);
        }
        self.session.fail(&told);
        self.desired.close();
        self.handlers.clear();
        self.state.send_replace(ConnectionState::Closed { error });
    }

    async fn live(&mut self, mut first: Option<Link>) -> Result<(), Error> {
        let mut outage = Outage::begun();
        loop {
            let connected = match first.take() {
                Some(link) => Ok(link),
                None => match self.dial().await {
                    Some(connected) => connected,
                    None => return Ok(()),
                },
            };
            let error = match connected {
                Ok(link) => {
                    outage.connected();
                    match self.serve(link).await {
                        End::Closed => return Ok(()),
                        End::Renewal => {
                            outage = Outage::begun();
                            continue;
                        }
                        End::Lost(error) => error,
                    }
                }
                Err(error) => error,
            };
            let delay = outage.delay(&self.retry, &error)?;
            if self.wait(error, delay).await.is_none() {
                return Ok(());
            }
        }
    }

    /// One attempt to connect; none when the client is closed and has no message for which to try.
    async fn dial(&mut self) -> Option<Result<Link, Error>> {
        self.state.send_replace(ConnectionState::Connecting);
        let (session, messages) = (&self.session, &self.messages);
        tokio::select! {
            connected = self.connector.dial() => Some(connected),
            () = self.leave.gives_up(|| has_messages(session, messages)) => None,
        }
    }

    /// Waits before the next attempt, which comes at once when the client is closed and has messages; none when it has
    /// none.
    async fn wait(&mut self, error: Error, delay: Duration) -> Option<()> {
        info!(device_id = %self.connector.id, %error, delay_ms = delay.as_millis(), "no connection, trying again");
        self.state.send_replace(ConnectionState::Waiting { error, delay });
        let (session, messages) = (&self.session, &self.messages);
        if self.leave.by.is_some() {
            return tokio::select! {
                () = sleep(delay) => Some(()),
                () = self.leave.gives_up(|| has_messages(session, messages)) => None,
            };
        }
        tokio::select! {
            () = sleep(delay) => Some(()),
            _ = self.leave.asked() => has_messages(session, messages).then_some(()),
        }
    }

    async fn serve(&mut self, link: Link) -> End {
        let epoch = self.epoch.advance();
        debug!(device_id = %self.connector.id, epoch, "connected");
        self.session.begin(epoch);
        self.state.send_replace(ConnectionState::Connected);
        let mut run = Run {
            link,
            mode: Mode::Running,
            blocked: None,
        };
        loop {
            let step = match self.drain_input(&mut run) {
                Ok(()) => self.step(&mut run).await,
                Err(error) => Err(error),
            };
            match step {
                Ok(None) => {}
                Ok(Some(end)) => {
                    run.link.goodbye(&mut self.session.out).await;
                    return end;
                }
                Err(error) => return End::Lost(error),
            }
        }
    }

    /// Waits for one thing and deals with it. Some when it is time to leave in order.
    async fn step(&mut self, run: &mut Run) -> Result<Option<End>, Error> {
        if let Mode::Draining { until, renews } = run.mode
            && (self.is_done(renews) || Instant::now() >= until)
        {
            return Ok(Some(if renews { End::Renewal } else { End::Closed }));
        }
        match self.next(run).await {
            Wake::Read(Ok(0)) => return Err(Error::Lost("the hub closed the connection".to_owned())),
            Wake::Read(Ok(_)) => run.link.pings.heard(),
            Wake::Written(Ok(())) => run.link.pings.wrote(Instant::now()),
            Wake::Read(Err(error)) | Wake::Written(Err(error)) => return Err(Error::lost(&error)),
            Wake::Message(message) => self.send_messages(message),
            Wake::Command(command) => self.session.handle_command(command),
            Wake::Answered(answered) => answered
                .into_iter()
                .for_each(|answered| self.session.answer_method(answered)),
            Wake::C2dRoom(has_room) => self.unblock(run, has_room),
            Wake::Close(until) => self.begin_close(run, until),
            Wake::Timer => self.handle_time(run)?,
        }
        Ok(None)
    }

    /// Is there nothing left to wait for? What has not been taken yet can wait for a renewed connection.
    fn is_done(&self, renews: bool) -> bool {
        let is_idle = self.session.is_idle() && self.running.is_empty() && self.session.out.is_empty();
        is_idle && (renews || (self.messages.is_empty() && self.commands.is_empty()))
    }

    async fn next(&mut self, run: &mut Run) -> Wake {
        let deadline = run.deadline();
        let is_closing = matches!(run.mode, Mode::Draining { renews: false, .. });
        let takes = !matches!(run.mode, Mode::Draining { renews: true, .. });
        let reads = run.blocked.is_none();
        let (reader, writer, input, needs_flush) = run.link.parts();
        input.reserve(READ_BYTES);
        let has_output = !self.session.out.is_empty() || *needs_flush;
        tokio::select! {
            read = reader.read_buf(input), if reads => Wake::Read(read),
            written = link::write(writer, needs_flush, &mut self.session.out), if has_output => Wake::Written(written),
            Some(message) = self.messages.recv(), if takes && self.session.takes_messages() => Wake::Message(message),
            Some(command) = self.commands.recv(), if takes && self.session.takes_commands() => Wake::Command(command),
            answered = self.running.next(), if !self.running.is_empty() => Wake::Answered(answered),
            permit = self.c2d.reserve(), if !reads => Wake::C2dRoom(permit.is_ok()),
            until = self.leave.asked(), if !is_closing => Wake::Close(until),
            () = sleep_until(deadline) => Wake::Timer,
        }
    }

    /// Takes as many messages as there is room for: they leave in one write.
    fn send_messages(&mut self, first: Outgoing) {
        self.session.send(first);
        while self.session.takes_messages()
            && let Ok(message) = self.messages.try_recv()
        {
            self.session.send(message);
        }
    }

    /// Deals with all whole packets, until a message's receiver has no room.
    fn drain_input(&mut self, run: &mut Run) -> Result<(), Error> {
        while run.blocked.is_none()
            && let Some(packet) = link::next_packet(&mut run.link.input)?
        {
            self.handle_packet(run, packet)?;
        }
        Ok(())
    }

    fn handle_packet(&mut self, run: &mut Run, packet: Packet) -> Result<(), Error> {
        match self.session.handle_packet(packet)? {
            None => {}
            Some(Event::DesiredAll(section)) => self.desired.set_all(section),
            Some(Event::DesiredPatch(section)) => {
                let is_known = self.desired.patch(section);
                self.session.check_desired(is_known);
            }
            Some(Event::Method { request_id, request }) => {
                let epoch = self.epoch.current();
                self.running.call(&self.handlers, epoch, request_id, request);
            }
            Some(Event::C2d { message, packet_id }) => {
                let delivery = Delivery {
                    message,
                    epoch: self.epoch.current(),
                    settlement: packet_id.map_or(Settlement::Settled, Settlement::ByAck),
                };
                self.deliver(run, delivery);
            }
        }
        Ok(())
    }

    fn deliver(&self, run: &mut Run, delivery: Delivery) {
        match self.c2d.try_send(delivery) {
            Ok(()) => {}
            Err(TrySendError::Full(delivery)) => run.blocked = Some(delivery),
            // Nobody wants it here; it stays in the hub's queue.
            Err(TrySendError::Closed(_)) => debug!("no receiver for a cloud-to-device message"),
        }
    }

    fn unblock(&self, run: &mut Run, has_room: bool) {
        if let Some(delivery) = run.blocked.take().filter(|_| has_room) {
            self.deliver(run, delivery);
        }
        run.link.pings.resume(Instant::now());
    }

    /// Nothing new; what waits already still goes.
    fn begin_close(&mut self, run: &mut Run, until: Instant) {
        self.messages.close();
        self.commands.close();
        run.mode = Mode::Draining { until, renews: false };
    }

    fn handle_time(&mut self, run: &mut Run) -> Result<(), Error> {
        let now = Instant::now();
        let reads = run.blocked.is_none();
        if run.mode == Mode::Running && run.link.renew_at.is_some_and(|at| now >= at) {
            debug!(device_id = %self.connector.id, "the token is renewed");
            run.mode = Mode::Draining {
                until: now + DRAIN_WAIT_MAX,
                renews: true,
            };
        }
        run.link.pings.poll(now, reads, &mut self.session.out)
    }
}

impl Leave {
    pub(super) fn new(close: watch::Receiver<bool>) -> Self {
        Self { close, by: None }
    }

    /// Returns once the client is closed: by when it has to be gone. Cancel-safe.
    async fn asked(&mut self) -> Instant {
        // Fails when nobody holds the client any more, which means the same.
        let _ = self.close.wait_for(|close| *close).await;
        *self.by.get_or_insert_with(|| Instant::now() + DRAIN_WAIT_MAX)
    }

    /// Returns once the client is closed and there is nothing to connect for, or no time left for it. Cancel-safe.
    async fn gives_up(&mut self, has_messages: impl Fn() -> bool) {
        let by = self.asked().await;
        if has_messages() {
            sleep_until(by).await;
        }
    }
}

/// Is there a message that the hub has not acknowledged?
fn has_messages(session: &Session, messages: &mpsc::Receiver<Outgoing>) -> bool {
    session.has_messages() || !messages.is_empty()
}

impl Run {
    fn deadline(&self) -> Instant {
        let pings = self.link.pings.deadline(self.blocked.is_none());
        let own = match self.mode {
            Mode::Running => self.link.renew_at,
            Mode::Draining { until, .. } => Some(until),
        };
        own.map_or(pings, |own| own.min(pings))
    }
}
