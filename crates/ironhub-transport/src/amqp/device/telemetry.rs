//! Messages from the device: the hot path.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use ironhub_amqp::connection::{Delivery, LinkId, Receipt};
use ironhub_amqp::performative::{AmqpError, Attach, DeliveryState, condition};
use ironhub_dialect::amqp::telemetry;
use ironhub_hub::ports::{Completion, Waiter};
use ironhub_hub::{HubError, Link, Ports, TelemetryError, TelemetrySender};
use ironhub_model::limits::{AMQP_DELIVERY_BYTES_MAX, D2C_MESSAGE_BYTES_MAX};

use crate::amqp::claims::HubFuture;
use crate::amqp::io::Io;
use crate::amqp::protocol::Protocol;
use crate::error::amqp_error;

/// Messages that may be under way, or in the hub and not durable: what the real service grants.
const CREDIT: u32 = 1000;

/// The link on which messages come, and those that are not accepted yet.
pub(super) struct Telemetry<P: Ports> {
    pub(super) link: Option<LinkId>,
    sender: Arc<TelemetrySender<P>>,
    /// In the hub, in the order in which they came. Bounded by the link's credit.
    submitted: VecDeque<(Receipt, Completion)>,
    /// What the log had no room for. Nothing is read from the socket while there is anything.
    waiting: VecDeque<Waiting>,
    room: Option<HubFuture<()>>,
    waiter: Waiter,
}

struct Waiting {
    delivery: Delivery,
    /// Messages of a batch that the hub has already.
    taken: usize,
}

/// What became of a delivery that was offered to the hub.
enum Offered {
    /// It is the hub's, or it was refused.
    Done,
    /// The log's inbox is full after so many messages of it.
    Full(usize),
}

impl<P: Ports> Telemetry<P> {
    pub(super) fn new(link: &Link<P>) -> Self {
        Self {
            link: None,
            sender: Arc::new(link.telemetry()),
            submitted: VecDeque::new(),
            waiting: VecDeque::new(),
            room: None,
            waiter: Waiter::default(),
        }
    }

    /// What is common to all messages has changed.
    pub(super) fn renew(&mut self, link: &Link<P>) {
        self.sender = Arc::new(link.telemetry());
    }

    pub(super) fn attach(&mut self, io: &mut Io<'_, P>, link: LinkId, attach: &Attach) {
        let mut answer = attach.answer();
        // The C SDK fills its batches up to this.
        answer.max_message_size = Some(D2C_MESSAGE_BYTES_MAX as u64);
        if io.accept(link, answer).is_err() {
            return;
        }
        self.link = Some(link);
        // What is somewhat too large is rejected; only far larger messages end the link, as on Azure.
        let _ = io.amqp.limit_messages(link, AMQP_DELIVERY_BYTES_MAX as u64);
        let _ = io.amqp.grant(link, CREDIT);
    }

    /// Shall nothing more be read?
    pub(super) fn is_blocked(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn handle_delivery(&mut self, amqp: &mut Protocol, delivery: Delivery) {
        let waiting = Waiting { delivery, taken: 0 };
        if self.is_blocked() {
            self.waiting.push_back(waiting);
            return;
        }
        if let Offered::Full(taken) = self.offer(amqp, &waiting) {
            self.waiting.push_back(Waiting { taken, ..waiting });
        }
    }

    /// Accepts what has become durable and offers again what found no room. Fails when the log has stopped.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, amqp: &mut Protocol) -> Result<(), HubError> {
        self.poll_room(cx, amqp)?;
        self.poll_durable(cx, amqp)
    }

    fn poll_room(&mut self, cx: &mut Context<'_>, amqp: &mut Protocol) -> Result<(), HubError> {
        while let Some(mut waiting) = self.waiting.pop_front() {
            let sender = &self.sender;
            let room = self.room.get_or_insert_with(|| {
                let sender = Arc::clone(sender);
                Box::pin(async move { sender.ready().await })
            });
            let Poll::Ready(ready) = room.as_mut().poll(cx) else {
                self.waiting.push_front(waiting);
                return Ok(());
            };
            self.room = None;
            ready?;
            if let Offered::Full(taken) = self.offer(amqp, &waiting) {
                waiting.taken = taken;
                self.waiting.push_front(waiting);
            }
        }
        Ok(())
    }

    fn poll_durable(&mut self, cx: &mut Context<'_>, amqp: &mut Protocol) -> Result<(), HubError> {
        loop {
            let durable = self.submitted.iter().take_while(|(_, record)| record.is_durable());
            let durable = durable.count();
            amqp.accept_all(self.submitted.drain(..durable).map(|(receipt, _)| receipt));
            let Some((_, next)) = self.submitted.front() else {
                return Ok(());
            };
            match self.waiter.poll(cx, next) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Err(HubError::ShuttingDown),
                Poll::Pending => return Ok(()),
            }
        }
    }

    fn offer(&mut self, amqp: &mut Protocol, waiting: &Waiting) -> Offered {
        let Delivery {
            receipt,
            message_format,
            ref payload,
            ..
        } = waiting.delivery;
        let messages = match telemetry::parse(message_format, payload) {
            Ok(messages) => messages,
            Err(error) => {
                reject(amqp, receipt, error);
                return Offered::Done;
            }
        };
        let mut last = Completion::durable_already();
        for (index, message) in messages.iter().enumerate().skip(waiting.taken) {
            match self.sender.submit_encoded(message) {
                Ok(completion) => last = completion,
                Err(TelemetryError::Full) => return Offered::Full(index),
                Err(TelemetryError::Hub(error)) => {
                    refuse(amqp, receipt, &error);
                    return Offered::Done;
                }
            }
        }
        self.submitted.push_back((receipt, last));
        Offered::Done
    }
}

/// A link that was cut hears of that; what it had sent is neither accepted nor refused.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only the ways in which a link is cut have names of their own"
)]
fn refuse(amqp: &mut Protocol, receipt: Receipt, error: &HubError) {
    match error {
        HubError::Unauthorized(_) | HubError::Disconnected | HubError::ShuttingDown => {}
        HubError::Malformed(text) => reject(amqp, receipt, AmqpError::new(condition::DECODE_ERROR, text.as_str())),
        error => reject(amqp, receipt, amqp_error(error)),
    }
}

fn reject(amqp: &mut Protocol, receipt: Receipt, error: AmqpError) {
    metrics::counter!("ironhub_amqp_telemetry_rejected_total").increment(1);
    // A link that is gone meanwhile needs no answer.
    let _ = amqp.settle(receipt, DeliveryState::Rejected(Some(error)));
}
