//! A back end reads what became of its cloud-to-device messages: one batch at a time, until it settles that.

use std::task::{Context, Poll};

use ironhub_amqp::connection::{Delivery, LinkId, Outgoing, SendError, Sent};
use ironhub_amqp::performative::{AmqpError, Attach, DeliveryState, Role, SenderSettleMode, condition};
use ironhub_dialect::amqp::feedback::write_batch;
use ironhub_dialect::amqp::lock_token::delivery_tag;
use ironhub_hub::{FeedbackReader, HubError, Ports};
use ironhub_model::{FeedbackBatch, LockToken};
use tracing::debug;

use super::claims::HubFuture;
use super::io::Io;
use super::node::{NodeEvents, Offer, not_allowed};
use crate::error::amqp_error;

/// Batches of one link that were not settled, their locks lost but for the last one: more are not sent.
const UNSETTLED_MAX: usize = 16;

/// One receiver link.
pub(super) struct Feedback<P: Ports> {
    link: LinkId,
    reader: FeedbackReader<P>,
    /// The next batch, while there is credit for it.
    next: Option<NextBatch>,
    /// Has come, and waits for room in the output.
    unsent: Option<FeedbackBatch>,
    unsettled: Vec<(Sent, LockToken)>,
    settling: Vec<Settling>,
    is_draining: bool,
}

/// None when there is no batch and the peer does not wait for one.
type NextBatch = HubFuture<Option<FeedbackBatch>>;

struct Settling {
    sent: Sent,
    /// What the reader has said, when it waits for our word on it.
    to_confirm: Option<DeliveryState>,
    settled: HubFuture<()>,
}

impl<P: Ports> Feedback<P> {
    /// Takes the link, or refuses one that goes the other way.
    pub(super) fn attach(io: &mut Io<'_, P>, offer: &Offer) -> Option<Self> {
        if offer.attach.role != Role::Receiver {
            io.refuse(offer.link, not_allowed());
            return None;
        }
        let answer = Attach {
            snd_settle_mode: Some(SenderSettleMode::Unsettled),
            ..offer.attach.answer()
        };
        io.accept(offer.link, answer).ok()?;
        Some(Self {
            link: offer.link,
            reader: io.hub.feedback.reader(),
            next: None,
            unsent: None,
            unsettled: Vec::new(),
            settling: Vec::new(),
            is_draining: false,
        })
    }

    /// Fetches the next batch when the peer would take it.
    fn fetch(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) -> Result<(), HubError> {
        if self.unsent.is_some() || self.unsettled.len() >= UNSETTLED_MAX {
            return Ok(());
        }
        if io.amqp.credit(self.link) == 0 {
            self.next = None;
            return Ok(());
        }
        let (reader, is_draining) = (&self.reader, self.is_draining);
        let next = self.next.get_or_insert_with(|| {
            let reader = reader.clone();
            Box::pin(async move {
                if is_draining {
                    reader.next_if_any().await
                } else {
                    reader.next().await.map(Some)
                }
            })
        });
        if let Poll::Ready(batch) = next.as_mut().poll(cx) {
            self.next = None;
            self.unsent = batch?;
            if self.unsent.is_none() {
                self.is_draining = false;
                // A link that has gone meanwhile has nothing to drain.
                let _ = io.amqp.drained(self.link);
            }
        }
        Ok(())
    }

    /// Sends the batch that has come. Returns whether it was sent.
    fn send(&mut self, io: &mut Io<'_, P>) -> Result<bool, AmqpError> {
        let Some(batch) = &self.unsent else {
            return Ok(false);
        };
        let outgoing = Outgoing {
            tag: delivery_tag(batch.lock_token),
            message_format: 0,
            settled: false,
        };
        let hub_name = &io.hub.info().hub_name;
        match io
            .amqp
            .send(self.link, outgoing, |out| write_batch(out, batch, hub_name))
        {
            Ok(sent) => {
                self.unsettled.push((sent, batch.lock_token));
                self.unsent = None;
                Ok(true)
            }
            Err(SendError::Busy) => {
                io.want_output();
                Ok(false)
            }
            // The batch waits for credit, or goes back with the node.
            Err(SendError::NoCredit | SendError::Gone) => Ok(false),
            Err(SendError::TooLarge) => {
                let text = "A batch of feedback is larger than the link takes.";
                Err(AmqpError::new(condition::MESSAGE_SIZE_EXCEEDED, text))
            }
        }
    }

    fn settle(&mut self, io: &Io<'_, P>, sent: &Sent, state: &DeliveryState, is_settled: bool) {
        let place = self.unsettled.iter().position(|(own, _)| own == sent);
        let Some((sent, token)) = place.map(|place| self.unsettled.swap_remove(place)) else {
            return;
        };
        // Begun now: a reader may leave right after its word.
        let settled: HubFuture<()> = if wants_again(state) {
            Box::pin(io.hub.feedback.abandon(&token))
        } else {
            Box::pin(io.hub.feedback.complete(&token))
        };
        self.settling.push(Settling {
            sent,
            to_confirm: (!is_settled).then(|| state.clone()),
            settled,
        });
    }

    /// Ends what is settled, and says so to those who wait for it.
    fn confirm(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) {
        self.settling.retain_mut(|settling| {
            let Poll::Ready(settled) = settling.settled.as_mut().poll(cx) else {
                return true;
            };
            if let Err(error) = &settled {
                debug!(%error, "a feedback batch could not be settled");
            }
            if let Some(said) = settling.to_confirm.take() {
                let state = match settled {
                    Ok(()) => said,
                    Err(error) => DeliveryState::Rejected(Some(amqp_error(&error))),
                };
                // A reader that has gone waits for nothing.
                let _ = io.amqp.confirm(&settling.sent, state);
            }
            false
        });
    }
}

impl<P: Ports> NodeEvents<P> for Feedback<P> {
    fn handle_delivery(&mut self, io: &mut Io<'_, P>, delivery: Delivery) {
        // Nobody sends to a reader.
        let _ = io.amqp.settle(delivery.receipt, DeliveryState::Released);
    }

    fn handle_disposition(&mut self, io: &mut Io<'_, P>, deliveries: &[Sent], state: &DeliveryState, settled: bool) {
        for sent in deliveries {
            self.settle(io, sent, state, settled);
        }
    }

    fn handle_credit(&mut self, _io: &mut Io<'_, P>, _link: LinkId, drain: bool) {
        if drain != self.is_draining {
            self.is_draining = drain;
            self.next = None; // It waits, or it does not.
        }
    }

    fn handle_revoked(&mut self, io: &mut Io<'_, P>, error: &AmqpError) {
        io.detach(self.link, Some(error.clone()));
    }

    fn poll(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) {
        self.confirm(cx, io);
        loop {
            let fetched = self.fetch(cx, io).map_err(|error| amqp_error(&error));
            match fetched.and_then(|()| self.send(io)) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return io.detach(self.link, Some(error)),
            }
        }
    }
}

/// Accepted and rejected batches are done with; those that are released or modified come again.
fn wants_again(state: &DeliveryState) -> bool {
    match state {
        DeliveryState::Accepted | DeliveryState::Rejected(_) => false,
        DeliveryState::Released
        | DeliveryState::Modified { .. }
        | DeliveryState::Received { .. }
        | DeliveryState::Other => true,
    }
}
