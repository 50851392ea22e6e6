//! A back end sends cloud-to-device messages. What is accepted is durable.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ironhub_amqp::connection::{Delivery, LinkId, Receipt};
use ironhub_amqp::performative::{AmqpError, DeliveryState, Role};
use ironhub_dialect::amqp::c2d::{SentMessage, sent_message};
use ironhub_hub::{Hub, HubError, Ports};
use ironhub_model::DeviceId;
use ironhub_model::limits::C2D_MESSAGE_BYTES_MAX;

use super::io::Io;
use super::node::{NodeEvents, Offer, not_allowed};
use crate::error::amqp_error;

/// Messages that a sender may have under way, as on Azure.
const CREDIT: u32 = 100;
/// Messages of one link that are being stored, each for another device: they become durable together.
const STORING_MAX: usize = 16;

/// One sender link.
pub(super) struct C2dSend<P: Ports> {
    link: LinkId,
    hub: Hub<P>,
    /// In the sender's order. At most as many as it has credit, and what the protocol lets pass beyond.
    queue: VecDeque<(Receipt, SentMessage)>,
    storing: Vec<Storing>,
}

struct Storing {
    receipt: Receipt,
    /// As the sender named it: a second message for it waits, so that they stay in order.
    device: DeviceId,
    stored: Pin<Box<dyn Future<Output = Result<(), HubError>> + Send>>,
}

impl<P: Ports> C2dSend<P> {
    /// Takes the link, or refuses one that goes the other way.
    pub(super) fn attach(io: &mut Io<'_, P>, offer: &Offer) -> Option<Self> {
        if offer.attach.role != Role::Sender {
            io.refuse(offer.link, not_allowed());
            return None;
        }
        io.accept(offer.link, offer.attach.answer()).ok()?;
        io.amqp.grant(offer.link, CREDIT).ok()?;
        Some(Self {
            link: offer.link,
            hub: io.hub.clone(),
            queue: VecDeque::new(),
            storing: Vec::new(),
        })
    }

    /// Begins with the next messages, as long as each is for a device that nothing is being stored for.
    fn begin(&mut self) {
        while self.storing.len() < STORING_MAX
            && let Some((receipt, sent)) = self.queue.pop_front()
        {
            let Some(device) = sent.devices.first().cloned() else {
                continue;
            };
            if self.storing.iter().any(|storing| storing.device == device) {
                self.queue.push_front((receipt, sent));
                return;
            }
            let stored = Box::pin(store(self.hub.clone(), sent));
            self.storing.push(Storing {
                receipt,
                device,
                stored,
            });
        }
    }

    /// Settles what is stored, or cannot be. Returns whether anything was.
    fn settle_stored(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) -> bool {
        let before = self.storing.len();
        self.storing.retain_mut(|storing| {
            let Poll::Ready(stored) = storing.stored.as_mut().poll(cx) else {
                return true;
            };
            let state = match stored {
                Ok(()) => DeliveryState::Accepted,
                Err(error) => DeliveryState::Rejected(Some(amqp_error(&error))),
            };
            // A sender that has gone needs no answer.
            let _ = io.amqp.settle(storing.receipt, state);
            false
        });
        self.storing.len() < before
    }
}

impl<P: Ports> NodeEvents<P> for C2dSend<P> {
    fn handle_delivery(&mut self, io: &mut Io<'_, P>, delivery: Delivery) {
        let sent = sent_message(&delivery.payload, delivery.message_format).and_then(|sent| {
            let bytes_max = C2D_MESSAGE_BYTES_MAX;
            if sent.message.size_bytes() > bytes_max {
                return Err(amqp_error(&HubError::MessageTooLarge { bytes_max }));
            }
            Ok(sent)
        });
        match sent {
            Ok(sent) => self.queue.push_back((delivery.receipt, sent)),
            Err(error) => {
                let _ = io.amqp.settle(delivery.receipt, DeliveryState::Rejected(Some(error)));
            }
        }
    }

    fn handle_revoked(&mut self, io: &mut Io<'_, P>, error: &AmqpError) {
        io.detach(self.link, Some(error.clone()));
    }

    fn poll(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) {
        self.begin();
        while self.settle_stored(cx, io) {
            self.begin();
        }
    }
}

/// Puts a message into the queue of the first device of these names that exists.
async fn store<P: Ports>(hub: Hub<P>, sent: SentMessage) -> Result<(), HubError> {
    let SentMessage { devices, message } = sent;
    let mut unknown = None;
    for device in devices {
        match hub.c2d.send(&device, message.clone()).await {
            Err(error @ HubError::DeviceNotFound(_)) => unknown = unknown.or(Some(error)),
            other => return other,
        }
    }
    Err(unknown.unwrap_or_else(|| HubError::Internal("a message for nobody".into())))
}
