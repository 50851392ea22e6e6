//! The loop of one connection: socket ⇄ protocol ⇄ nodes, and when to give up.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ironhub_amqp::connection::{Config, Connection, Event, Side};
use ironhub_amqp::limits::ConnectionLimits;
use ironhub_hub::{Claim, HubError, Ports};
use ironhub_model::limits::{AMQP_CLAIM_WAIT_MAX, AMQP_CLOSE_WAIT_MAX, AMQP_UNREAD_MAX, STALL_MAX};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use super::AmqpService;
use super::claims::Claims;
use super::end::End;
use super::io::{Around, Io};
use super::nodes::Nodes;
use super::protocol::Protocol;
use super::sasl::{self, Login};
use super::wire::{Moved, Wire};
use crate::listener::Drain;
use crate::peer::Peer;

/// How often a connection without any deadline looks up.
const DEADLINE_LOOK_MAX: Duration = Duration::from_mins(10);

/// One connection.
pub(super) struct Driver<S, P: Ports> {
    around: Around<P>,
    wire: Wire<S>,
    amqp: Protocol,
    claims: Claims<P>,
    nodes: Nodes<P>,
    login: Option<Login>,
    settings: watch::Receiver<u64>,
    timer: Pin<Box<Sleep>>,
    unread: Option<Unread>,
    /// Since when a node wants nothing to come in.
    blocked_since: Option<Instant>,
    /// Since when nobody is known.
    unclaimed_since: Option<Instant>,
    is_known: bool,
}

/// Output that waits for the peer.
#[derive(Debug, Clone, Copy)]
struct Unread {
    /// Since when, without any progress.
    since: Instant,
    /// What had been written by then.
    written_bytes: u64,
}

/// What woke the connection.
enum Wake {
    Drain,
    Login(Result<Option<Claim>, HubError>),
    Settings,
    Wire(std::io::Result<Moved>),
    Nodes,
    Timer,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send, P: Ports> Driver<S, P> {
    pub(super) fn new(service: Arc<AmqpService<P>>, stream: S, peer: Peer) -> Self {
        let config = Config::server(service.container_id.clone());
        let now = Instant::now();
        Self {
            wire: Wire::new(stream),
            amqp: Protocol::new(
                Connection::new(config, Side::Server, now.into_std()),
                service.faults.clone(),
            ),
            claims: Claims::new(service.hub.clone(), peer.clone()),
            nodes: Nodes::new(),
            login: None,
            settings: service.hub.settings.changes(),
            timer: Box::pin(sleep_until(now + AMQP_CLAIM_WAIT_MAX)),
            unread: None,
            blocked_since: None,
            unclaimed_since: Some(now),
            is_known: false,
            around: Around {
                service,
                peer,
                host: None,
            },
        }
    }

    /// Serves the connection to its end, and says goodbye.
    pub(super) async fn run(mut self: Box<Self>, drain: &Drain) -> End {
        let mut drained = pin!(drain.begun());
        let end = loop {
            if let Err(end) = self.turn(&mut drained).await {
                break end;
            }
        };
        self.finish(end).await
    }

    /// Does all that can be done, then waits for more.
    async fn turn(&mut self, drained: &mut Pin<&mut impl Future<Output = Instant>>) -> Result<(), End> {
        consume_budget().await;
        self.act()?;
        if let Some(pause) = self.amqp.take_pause() {
            return tokio::select! {
                _ = drained.as_mut() => Err(End::Draining),
                () = sleep(pause) => Ok(()),
            };
        }
        let deadline = self.check_deadlines(Instant::now())?;
        // A deadline that has moved away is looked up when the timer fires, since most never come.
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
        if !self.wire.has_output(&self.amqp) {
            self.amqp.release_idle();
        }
        let wake = self.wait(drained).await;
        self.handle(wake)
    }

    /// Hands what the peer did to the nodes, and has those act that were woken.
    fn act(&mut self) -> Result<(), End> {
        self.take_events()?;
        let mut io = Io::new(&self.around, &mut self.amqp, &mut self.claims);
        self.nodes.poll(&mut io);
        self.follow_claims();
        self.take_events()
    }

    fn take_events(&mut self) -> Result<(), End> {
        while let Some(event) = self.amqp.next_event() {
            match event {
                Event::Authenticate { credentials, .. } => {
                    self.login = Some(sasl::log_in(
                        Arc::clone(&self.around.service),
                        &self.around.peer,
                        credentials,
                    ));
                }
                Event::Opened(open) => {
                    let hub = &self.around.service.hub;
                    self.around.host = open.hostname.filter(|host| hub.info().is_host(host)).map(Into::into);
                }
                Event::Closed { error } => return Err(error.map_or(End::Closed, End::Protocol)),
                Event::Begun(_)
                | Event::Attach { .. }
                | Event::Attached { .. }
                | Event::Delivery(_)
                | Event::Disposition { .. }
                | Event::Credit { .. }
                | Event::Detached { .. }
                | Event::Ended { .. } => {
                    let mut io = Io::new(&self.around, &mut self.amqp, &mut self.claims);
                    self.nodes.handle(&mut io, event);
                }
            }
        }
        if self.amqp.is_finished() {
            return Err(End::Refused);
        }
        if self.amqp.is_broken_off() {
            return Err(End::PeerClosed);
        }
        Ok(())
    }

    /// Tells the nodes of claims that came or went, and lets the peer have more once it is known.
    fn follow_claims(&mut self) {
        if let Some(change) = self.claims.take_change() {
            let mut io = Io::new(&self.around, &mut self.amqp, &mut self.claims);
            self.nodes.handle_claims_changed(&mut io, change);
        }
        if self.claims.has_any() {
            self.unclaimed_since = None;
            if !std::mem::replace(&mut self.is_known, true) {
                self.around.peer.authenticated();
                self.amqp.set_limits(ConnectionLimits::AUTHENTICATED);
            }
        } else {
            self.unclaimed_since.get_or_insert_with(Instant::now);
        }
    }

    async fn wait(&mut self, drained: &mut Pin<&mut impl Future<Output = Instant>>) -> Wake {
        let Self {
            wire,
            amqp,
            nodes,
            login,
            settings,
            timer,
            ..
        } = self;
        let logged_in = poll_fn(|cx| match login {
            Some(login) => login.as_mut().poll(cx),
            None => Poll::Pending,
        });
        let may_read = !nodes.is_blocked();
        tokio::select! {
            biased;
            _ = drained.as_mut() => Wake::Drain,
            outcome = logged_in => Wake::Login(outcome),
            Ok(()) = settings.changed() => Wake::Settings,
            moved = wire.exchange(amqp, may_read) => Wake::Wire(moved),
            () = poll_fn(|cx| nodes.ready.poll_woken(cx)) => Wake::Nodes,
            () = timer.as_mut() => Wake::Timer,
        }
    }

    fn handle(&mut self, wake: Wake) -> Result<(), End> {
        match wake {
            Wake::Drain => return Err(End::Draining),
            Wake::Login(outcome) => self.decide_login(outcome),
            Wake::Settings => self.claims.review(),
            Wake::Wire(moved) => {
                if moved? == Moved::End {
                    return Err(End::PeerClosed);
                }
                self.nodes.wake_waiting();
            }
            Wake::Nodes => {}
            Wake::Timer => {
                self.claims.review();
                let deadline = self.check_deadlines(Instant::now())?;
                self.timer.as_mut().reset(deadline);
            }
        }
        self.follow_claims();
        Ok(())
    }

    fn decide_login(&mut self, outcome: Result<Option<Claim>, HubError>) {
        self.login = None;
        let outcome = outcome.and_then(|claim| claim.map_or(Ok(()), |claim| self.claims.put(claim)));
        self.amqp.decide_sasl(outcome.is_ok());
    }

    /// Gives up on who does not keep a deadline; returns the next one.
    fn check_deadlines(&mut self, now: Instant) -> Result<Instant, End> {
        if !self.amqp.wants_input() || self.nodes.is_blocked() {
            self.amqp.handle_pause(now.into_std());
        }
        self.blocked_since = match self.blocked_since {
            _ if !self.nodes.is_blocked() => None,
            since => since.or(Some(now)),
        };
        let blocked_until = self.blocked_since.map(|since| since + STALL_MAX);
        if blocked_until.is_some_and(|at| at <= now) {
            return Err(End::Stalled);
        }
        if self.amqp.poll_timeout().is_some_and(|due| due <= now.into_std()) {
            self.amqp.handle_timeout(now.into_std());
            self.take_events()?;
        }
        self.unread = match self.unread {
            _ if !self.wire.has_output(&self.amqp) => None,
            Some(unread) if unread.written_bytes == self.wire.written_bytes() => Some(unread),
            Some(_) | None => Some(Unread {
                since: now,
                written_bytes: self.wire.written_bytes(),
            }),
        };
        let unread_max = if self.is_known { AMQP_UNREAD_MAX } else { STALL_MAX };
        let stalled_at = self.unread.map(|unread| unread.since + unread_max);
        if stalled_at.is_some_and(|at| at <= now) {
            return Err(End::NotReading);
        }
        let unclaimed_at = self.unclaimed_since.map(|since| since + AMQP_CLAIM_WAIT_MAX);
        if unclaimed_at.is_some_and(|at| at <= now) {
            return Err(End::NoClaim);
        }
        let claims_at = self.claims.time_left().map(|left| now + left);
        let protocol_at = self.amqp.poll_timeout().map(Instant::from_std);
        let deadlines = [blocked_until, stalled_at, unclaimed_at, claims_at, protocol_at];
        let next = deadlines.into_iter().flatten().min();
        Ok(next.unwrap_or(now + DEADLINE_LOOK_MAX))
    }

    async fn finish(mut self: Box<Self>, end: End) -> End {
        // Devices and readers are let go before the peer's goodbye is waited for.
        self.nodes = Nodes::new();
        if let Some(error) = end.farewell() {
            self.amqp.close(Some(error));
            let _ = timeout(AMQP_CLOSE_WAIT_MAX, self.closed()).await;
        }
        match end {
            End::NotReading | End::Stalled | End::Io(_) => self.wire.cut().await,
            End::Closed | End::Protocol(_) | End::PeerClosed | End::Refused | End::NoClaim | End::Draining => {
                self.wire.close(&mut self.amqp).await;
            }
        }
        end
    }

    /// Resolves when the peer has answered our close.
    async fn closed(&mut self) {
        while !self.amqp.is_finished() {
            if let Ok(Moved::End) | Err(_) = self.wire.exchange(&mut self.amqp, true).await {
                return;
            }
            while self.amqp.poll_event().is_some() {}
        }
    }
}
