//! Cloud-to-device messages to the device: as many as it grants credit for, each under a lock that it settles.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ironhub_amqp::connection::{LinkId, Outgoing, SendError, Sent};
use ironhub_amqp::performative::{AmqpError, Attach, DeliveryState, DeliveryTag, SenderSettleMode};
use ironhub_dialect::amqp::c2d::delivery;
use ironhub_dialect::amqp::condition::MESSAGE_LOCK_LOST;
use ironhub_dialect::amqp::lock_token::delivery_tag;
use ironhub_hub::{C2dReceiver, HubError, Link, Ports};
use ironhub_model::limits::C2D_IN_FLIGHT_PER_CONNECTION_MAX;
use ironhub_model::{C2dDelivery, DeviceId, LockToken};
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tracing::{debug, warn};

use crate::amqp::claims::HubFuture;
use crate::amqp::io::Io;
use crate::error::amqp_error;

/// How long to wait after the hub could not hand out messages.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// The device's receiver, what it has not settled, and what is being settled.
pub(super) struct C2d<P: Ports> {
    pub(super) link: Option<LinkId>,
    device: DeviceId,
    receiver: C2dReceiver<P>,
    /// Messages are settled by being sent.
    sends_settled: bool,
    /// The queue may have messages.
    has_more: bool,
    /// The peer wants its credit used up.
    is_draining: bool,
    taking: Option<Taking>,
    /// Locked, to be sent.
    taken: VecDeque<C2dDelivery>,
    unsettled: HashMap<DeliveryTag, LockToken>,
    /// Those who wait for it; the hub goes on without them.
    settling: JoinSet<Settled>,
    /// Of those, messages on their way back: until they are there, what is behind them would overtake them.
    abandoning: usize,
    retry: Option<Pin<Box<Sleep>>>,
}

struct Taking {
    messages: HubFuture<Vec<C2dDelivery>>,
    asked: usize,
}

/// What the device wants of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Complete,
    Abandon,
    Reject,
}

/// A message that was settled, or could not be.
struct Settled {
    verdict: Verdict,
    /// The peer waits for a word on it.
    confirm: Option<(Sent, DeliveryState)>,
    result: Result<(), HubError>,
}

impl<P: Ports> C2d<P> {
    pub(super) fn new(link: &Link<P>) -> Self {
        Self {
            link: None,
            device: link.principal().id.device.clone(),
            receiver: link.c2d_receiver(),
            sends_settled: false,
            has_more: false,
            is_draining: false,
            taking: None,
            taken: VecDeque::new(),
            unsettled: HashMap::new(),
            settling: JoinSet::new(),
            abandoning: 0,
            retry: None,
        }
    }

    pub(super) fn attach(&mut self, io: &mut Io<'_, P>, link: LinkId, attach: &Attach) {
        let mut answer = attach.answer();
        self.sends_settled = attach.snd_settle_mode == Some(SenderSettleMode::Settled);
        if !self.sends_settled {
            answer.snd_settle_mode = Some(SenderSettleMode::Unsettled);
        }
        if io.accept(link, answer).is_ok() {
            self.link = Some(link);
            self.has_more = true;
            self.is_draining = false;
        }
    }

    /// The queue may have messages.
    pub(super) fn ready(&mut self) {
        self.has_more = true;
    }

    pub(super) fn drain(&mut self, drain: bool) {
        self.is_draining = drain;
    }

    /// The link is gone: what was sent on it is available again, as a failed delivery.
    pub(super) fn handle_detached(&mut self) {
        self.link = None;
        let unsettled = std::mem::take(&mut self.unsettled).into_values();
        let unsent = std::mem::take(&mut self.taken)
            .into_iter()
            .map(|delivery| delivery.lock_token);
        for token in unsettled.chain(unsent).collect::<Vec<_>>() {
            self.settle(token, Verdict::Abandon, None);
        }
    }

    pub(super) fn handle_disposition(&mut self, deliveries: &[Sent], state: &DeliveryState, settled: bool) {
        let verdict = match state {
            DeliveryState::Accepted => Verdict::Complete,
            DeliveryState::Rejected(_) => Verdict::Reject,
            DeliveryState::Released
            | DeliveryState::Modified { .. }
            | DeliveryState::Received { .. }
            | DeliveryState::Other => Verdict::Abandon,
        };
        for sent in deliveries {
            let confirm = (!settled).then(|| (*sent, state.clone()));
            if let Some(token) = self.unsettled.remove(&sent.tag) {
                self.settle(token, verdict, confirm);
            }
        }
    }

    /// Takes, sends, and says what became of what was settled.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) {
        while let Poll::Ready(Some(joined)) = self.settling.poll_join_next(cx) {
            // Nobody cancels these tasks; one that panicked has lost its message's lock to time.
            if let Ok(settled) = joined {
                self.tell(io, settled);
            }
        }
        if self.settling.is_empty() {
            self.abandoning = 0;
        }
        loop {
            self.poll_taking(cx);
            if !self.send_taken(io) || !self.take(cx, io) {
                return;
            }
        }
    }

    fn settle(&mut self, token: LockToken, verdict: Verdict, confirm: Option<(Sent, DeliveryState)>) {
        self.abandoning += usize::from(verdict == Verdict::Abandon);
        // Begun now: a device may leave right after its word.
        let settled: HubFuture<()> = match verdict {
            Verdict::Complete => Box::pin(self.receiver.complete(&token)),
            Verdict::Abandon => Box::pin(self.receiver.abandon(&token)),
            Verdict::Reject => Box::pin(self.receiver.reject(&token)),
        };
        self.settling.spawn(async move {
            Settled {
                verdict,
                confirm,
                result: settled.await,
            }
        });
    }

    fn tell(&mut self, io: &mut Io<'_, P>, settled: Settled) {
        let Settled {
            verdict,
            confirm,
            result,
        } = settled;
        self.abandoning -= usize::from(verdict == Verdict::Abandon);
        if let Err(error) = &result
            && !is_lost(error)
        {
            warn!(device_id = %self.device, %error, "a C2D message could not be settled");
        }
        let Some((sent, state)) = confirm else { return };
        let state = match result {
            Ok(()) => state,
            Err(HubError::LockLost) => {
                let text = "The lock on the message is lost: it was settled, has expired or was delivered again.";
                DeliveryState::Rejected(Some(AmqpError::new(MESSAGE_LOCK_LOST, text)))
            }
            Err(error) => DeliveryState::Rejected(Some(amqp_error(&error))),
        };
        // A link that is gone meanwhile waits for nothing.
        let _ = io.amqp.confirm(&sent, state);
    }

    fn poll_taking(&mut self, cx: &mut Context<'_>) {
        let Some(Taking { messages, asked }) = &mut self.taking else {
            return;
        };
        let Poll::Ready(result) = messages.as_mut().poll(cx) else {
            return;
        };
        match result {
            Ok(messages) => {
                self.has_more |= messages.len() == *asked;
                self.taken.extend(messages);
            }
            // The hub link tells why, right away.
            Err(HubError::Unauthorized(_) | HubError::Disconnected | HubError::ShuttingDown) => {}
            Err(error) => {
                debug!(device_id = %self.device, %error, "C2D messages cannot be fetched, retrying");
                self.has_more = true;
                self.retry = Some(Box::pin(tokio::time::sleep(RETRY_WAIT)));
            }
        }
        self.taking = None;
    }

    /// Returns whether all that was taken is sent.
    fn send_taken(&mut self, io: &mut Io<'_, P>) -> bool {
        let Some(link) = self.link else {
            return self.taken.is_empty();
        };
        while let Some(message) = self.taken.pop_front() {
            let (device, outgoing) = (&self.device, self.outgoing(message.lock_token));
            let token = message.lock_token;
            match io
                .amqp
                .send(link, outgoing, |out| delivery::write(out, device, &message))
            {
                Ok(_) if self.sends_settled => self.settle(token, Verdict::Complete, None),
                Ok(sent) => {
                    self.unsettled.insert(sent.tag, token);
                }
                Err(SendError::TooLarge) => {
                    warn!(device_id = %self.device, "a C2D message is larger than the device takes and is rejected");
                    self.settle(token, Verdict::Reject, None);
                }
                Err(error @ (SendError::Busy | SendError::NoCredit)) => {
                    self.taken.push_front(message);
                    if error == SendError::Busy {
                        io.want_output();
                    }
                    return false;
                }
                // Its end is on the way here.
                Err(SendError::Gone) => {
                    self.taken.push_front(message);
                    return false;
                }
            }
        }
        true
    }

    /// Asks the hub for more, as far as credit goes. Returns whether the answer may be there at once.
    fn take(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) -> bool {
        let Some(link) = self.link else { return false };
        if let Some(retry) = &mut self.retry {
            if retry.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.retry = None;
        }
        let credit = usize::try_from(io.amqp.credit(link)).unwrap_or(usize::MAX);
        let asked = credit.min(C2D_IN_FLIGHT_PER_CONNECTION_MAX);
        if self.taking.is_some() || self.abandoning > 0 || asked == 0 {
            return false;
        }
        if !self.has_more {
            if std::mem::take(&mut self.is_draining) {
                let _ = io.amqp.drained(link);
            }
            return false;
        }
        // What comes from here on is told again.
        self.has_more = false;
        let receiver = self.receiver.clone();
        let messages = Box::pin(async move { receiver.take(asked).await });
        self.taking = Some(Taking { messages, asked });
        true
    }

    fn outgoing(&self, token: LockToken) -> Outgoing {
        Outgoing {
            tag: delivery_tag(token),
            message_format: 0,
            settled: self.sends_settled,
        }
    }
}

/// The message is somebody else's by now, and that is known.
fn is_lost(error: &HubError) -> bool {
    matches!(
        error,
        HubError::LockLost | HubError::Disconnected | HubError::Unauthorized(_) | HubError::ShuttingDown
    )
}
