//! An accepted connection: what it reads, what it writes, and when it gives up.

use std::pin::Pin;

use ironhub_hub::{Hub, HubError, Link, LinkEvent, Ports};
use ironhub_model::limits::STALL_MAX;
use ironhub_mqtt::packet::{encode_suback, encode_unsuback};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tracing::debug;

use super::connect::Established;
use super::end::End;
use super::operations::Outcome;
use super::state::{Pending, State, publish};
use super::will::Will;
use super::wire::{Moved, Wire};

/// A connection in three parts, which are waited for together.
pub(super) struct Session<S, P: Ports> {
    hub: Hub<P>,
    wire: Wire<S>,
    link: Link<P>,
    state: State<P>,
    will: Option<Will>,
    timer: Pin<Box<Sleep>>,
}

/// What woke the connection.
enum Wake {
    Link(LinkEvent),
    Operation(Outcome),
    Durable,
    LogReady(Result<(), HubError>),
    Wire(std::io::Result<Moved>),
    Timer,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send, P: Ports> Session<S, P> {
    pub(super) fn new(hub: Hub<P>, wire: Wire<S>, established: Established<P>) -> Self {
        let Established { link, will, accepted } = established;
        let state = State::new(hub.clone(), &link, accepted);
        Self {
            hub,
            wire,
            link,
            timer: Box::pin(sleep_until(state.next_deadline(Instant::now()))),
            state,
            will,
        }
    }

    /// Serves the connection to its end, and cleans up behind it. What is rare is boxed: the task of an idle connection
    /// is as large as the largest thing that it may do.
    pub(super) async fn run(mut self: Box<Self>) -> End {
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
        };
        Box::pin(self.finish(end)).await
    }

    /// Does all that can be done, then waits for more.
    async fn turn(&mut self) -> Result<(), End> {
        while let Some(pending) = self.state.take_packets(&mut self.wire, &self.link)? {
            Box::pin(self.store_filters(pending)).await?;
        }
        let c2d_room = self.c2d_room();
        if c2d_room > 0 {
            Box::pin(self.fetch_c2d(c2d_room)).await?;
        }
        let acks = self.state.send_acks(&mut self.wire.output)?;
        let now = Instant::now();
        self.state.note_progress(&self.wire, acks > 0, now);
        let deadline = self.state.next_deadline(now);
        // A deadline that has moved away is looked up when the timer fires, since most never come.
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
        let wake = self.wait().await;
        self.handle(wake)
    }

    async fn wait(&mut self) -> Wake {
        let Self {
            wire,
            link,
            state,
            timer,
            ..
        } = self;
        let may_read = !state.is_blocked(wire);
        tokio::select! {
            biased;
            event = link.next(), if !wire.is_output_full() => Wake::Link(event),
            outcome = state.operations.next(), if !state.operations.is_idle() => Wake::Operation(outcome),
            () = state.acks.progress(), if !state.acks.is_empty() => Wake::Durable,
            ready = state.telemetry.ready(), if state.is_log_full => Wake::LogReady(ready),
            moved = wire.exchange(may_read) => Wake::Wire(moved),
            () = timer.as_mut() => Wake::Timer,
        }
    }

    fn handle(&mut self, wake: Wake) -> Result<(), End> {
        let (state, wire) = (&mut self.state, &mut self.wire);
        match wake {
            Wake::Link(event) => state.tell(event, &mut wire.output),
            Wake::Operation(Outcome::C2dSettled) => {
                state.c2d.settled();
                Ok(())
            }
            Wake::Operation(Outcome::TwinResponse { topic, body }) => {
                // As on Azure, the request's PUBACK goes first if it can.
                state.send_acks(&mut wire.output)?;
                publish(&mut wire.output, &topic, body.as_bytes());
                Ok(())
            }
            Wake::Durable => Ok(()),
            Wake::LogReady(ready) => {
                state.is_log_full = false;
                Ok(ready?)
            }
            Wake::Wire(moved) => match moved? {
                Moved::In => Ok(()),
                Moved::Out => {
                    state.unread_since = None;
                    Ok(())
                }
                Moved::End => Err(End::PeerClosed),
            },
            Wake::Timer => {
                let now = Instant::now();
                state.check_deadlines(now, &self.link.principal().id.device, &mut wire.output)?;
                let deadline = state.next_deadline(now);
                self.timer.as_mut().reset(deadline);
                Ok(())
            }
        }
    }

    /// SUBACK and UNSUBACK come after the filters are stored: Python and Node never subscribe again.
    async fn store_filters(&mut self, pending: Pending) -> Result<(), End> {
        let (state, out) = (&mut self.state, &mut self.wire.output);
        match pending {
            Pending::Subscribe(subscribe) => {
                let (filters, codes) = state.subscriptions.with(&subscribe, &state.topics);
                state.set_filters(&mut self.link, filters).await?;
                let acknowledged = encode_suback(out, subscribe.packet_id, &codes);
                debug_assert!(acknowledged.is_ok(), "a SUBSCRIBE has filters");
            }
            Pending::Unsubscribe(unsubscribe) => {
                let filters = state.subscriptions.without(&unsubscribe.filters);
                state.set_filters(&mut self.link, filters).await?;
                encode_unsuback(out, unsubscribe.packet_id);
            }
        }
        Ok(())
    }

    /// How many messages may be fetched now.
    fn c2d_room(&self) -> usize {
        if self.wire.is_output_full() {
            return 0;
        }
        self.state.c2d.room(Instant::now())
    }

    async fn fetch_c2d(&mut self, room: usize) -> Result<(), End> {
        let (state, now) = (&mut self.state, Instant::now());
        match self.hub.c2d.take_for_link(&self.link, room).await {
            Ok(deliveries) => {
                state.c2d.fetched(deliveries.len(), room);
                let (device, qos) = (&self.link.principal().id.device, state.subscriptions.c2d_qos());
                for delivery in &deliveries {
                    if let Some(operation) = state.c2d.send(delivery, device, (qos, now), &mut self.wire.output) {
                        state.operations.push(operation);
                    }
                }
            }
            // The link tells why, right away.
            Err(HubError::Unauthorized(_) | HubError::Disconnected | HubError::ShuttingDown) => {
                state.c2d.fetched(0, room);
            }
            Err(error) => {
                debug!(device_id = %self.link.principal().id, %error, "C2D messages cannot be fetched, retrying");
                state.c2d.fetch_failed(now);
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>, end: End) -> End {
        if end.is_clients() {
            let rest = async {
                while !self.state.operations.is_idle() {
                    self.state.operations.next().await;
                }
            };
            let _ = timeout(STALL_MAX, rest).await;
        }
        if let Some(will) = self.will.take()
            && end.publishes_will()
        {
            will.publish(&self.state.telemetry).await;
        }
        // The peer first: the device that was cut shall hear nothing more while the hub notes its end.
        self.wire.cut().await;
        self.link.close(end.close_reason()).await;
        end
    }
}
