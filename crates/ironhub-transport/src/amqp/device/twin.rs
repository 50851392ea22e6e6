//! The twin: requests of the device on one link; answers to them, and changes of its desired properties, on another.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use ironhub_amqp::connection::{Delivery, LinkId, Outgoing, SendError};
use ironhub_amqp::message::MessageId;
use ironhub_amqp::performative::{Attach, DeliveryState, DeliveryTag};
use ironhub_amqp::types::{Encoded, Value};
use ironhub_dialect::amqp::twin::{self, Operation, parse_request};
use ironhub_hub::{DevicePrincipal, Features, Hub, HubError, Link, Ports};
use ironhub_model::limits::{
    AMQP_TWIN_REQUEST_BYTES_MAX, OPERATIONS_PER_CONNECTION_MAX, TWIN_ANSWERS_HELD_MAX, TWIN_REQUEST_BYTES_WAITING_MAX,
};

use super::pair::Pair;
use crate::amqp::claims::HubFuture;
use crate::amqp::io::Io;
use crate::amqp::protocol::Protocol;
use crate::twin_refusal::refusal;

/// The two links, and the requests in the order in which they came, done one after the other.
pub(super) struct Twin {
    pub(super) links: Pair,
    pub(super) is_subscribed: bool,
    waiting: VecDeque<Asked>,
    waiting_bytes: usize,
    running: Option<(Encoded, HubFuture<Done>)>,
    /// Answers that wait for credit, or for the link on which they go.
    answers: VecDeque<Answer>,
    sent: u32,
}

/// A request of the device.
struct Asked {
    /// As it came, type included.
    correlation_id: Encoded,
    wish: Wish,
}

enum Wish {
    Get,
    PatchReported { version: Option<u64>, patch: Vec<u8> },
    Subscribe,
    Unsubscribe,
    NotUnderstood(&'static str),
}

/// What the hub made of it.
struct Done {
    status: u16,
    version: Option<u64>,
    body: String,
}

struct Answer {
    correlation_id: Encoded,
    done: Done,
}

/// The device asks and asks, and does not listen to the answers.
#[derive(Debug)]
pub(super) struct TooManyAnswers;

impl Twin {
    pub(super) fn new() -> Self {
        Self {
            links: Pair::default(),
            is_subscribed: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            running: None,
            answers: VecDeque::new(),
            sent: 0,
        }
    }

    pub(super) fn attach<P: Ports>(&mut self, io: &mut Io<'_, P>, link: LinkId, attach: &Attach) {
        self.links.attach(io, link, attach, AMQP_TWIN_REQUEST_BYTES_MAX);
    }

    /// The link on which the device asks is gone: who comes back subscribes again.
    pub(super) fn handle_requests_detached(&mut self) {
        self.is_subscribed = false;
        self.answers.clear();
    }

    /// Shall the device send no further request for now?
    pub(super) fn is_blocked(&self) -> bool {
        self.waiting.len() >= OPERATIONS_PER_CONNECTION_MAX || self.waiting_bytes >= TWIN_REQUEST_BYTES_WAITING_MAX
    }

    pub(super) fn handle_request(&mut self, amqp: &mut Protocol, delivery: &Delivery) {
        let state = match parse_request(&delivery.payload) {
            Ok(request) => {
                let correlation_id = request.correlation_id.map_or(Value::Null, Value::from);
                let asked = Asked {
                    correlation_id: Encoded::from(correlation_id),
                    wish: Wish::from(request.operation),
                };
                self.waiting_bytes += asked.bytes();
                self.waiting.push_back(asked);
                DeliveryState::Accepted
            }
            Err(error) => DeliveryState::Rejected(Some(error)),
        };
        // A link that is gone meanwhile needs no answer.
        let _ = amqp.settle(delivery.receipt, state);
    }

    /// Does what was asked, and sends what is answered. `features` is what the connection listens to besides.
    pub(super) fn poll<P: Ports>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut Io<'_, P>,
        link: &Link<P>,
        features: Features,
    ) -> Result<(), TooManyAnswers> {
        loop {
            if let Some((_, future)) = &mut self.running {
                let Poll::Ready(result) = future.as_mut().poll(cx) else {
                    break;
                };
                let done = result.unwrap_or_else(|error| refused(io.hub, &error));
                if let Some((correlation_id, _)) = self.running.take() {
                    self.answers.push_back(Answer { correlation_id, done });
                }
            }
            self.send_answers(io);
            if self.answers.len() > TWIN_ANSWERS_HELD_MAX {
                return Err(TooManyAnswers);
            }
            let Some(asked) = self.waiting.pop_front() else { break };
            self.waiting_bytes -= asked.bytes();
            let future = self.perform(asked.wish, (io.hub, link), features);
            self.running = Some((asked.correlation_id, future));
        }
        Ok(())
    }

    /// Would a notice go out now? Answers go first.
    pub(super) fn can_notify(&self, amqp: &Protocol) -> bool {
        self.answers.is_empty() && self.links.to_device.is_some_and(|link| amqp.can_send(link))
    }

    /// Sends a notice, for which there is room.
    pub(super) fn notify(&mut self, amqp: &mut Protocol, patch: &str) {
        if let Some(link) = self.links.to_device {
            let outgoing = self.outgoing();
            // A device that takes no message of that size reads its twin in another way, if at all.
            let _ = amqp.send(link, outgoing, |out| twin::write_notice(out, patch));
        }
    }

    fn perform<P: Ports>(
        &mut self,
        wish: Wish,
        (hub, link): (&Hub<P>, &Link<P>),
        features: Features,
    ) -> HubFuture<Done> {
        if let Err(cut) = link.check_open() {
            return done(Err(cut));
        }
        let (hub, principal) = (hub.clone(), link.principal().clone());
        match wish {
            Wish::Get => Box::pin(get(hub, principal)),
            Wish::PatchReported { version, patch } => Box::pin(async move {
                let version = hub.twins.update_reported(&principal, &patch, version).await?;
                Ok(Done::of(204, Some(version)))
            }),
            Wish::Subscribe => {
                self.is_subscribed = true;
                let start = link.set_features(Features {
                    desired: self.links.is_whole(),
                    ..features
                });
                Box::pin(async move {
                    if let Some(start) = start {
                        start.await?;
                    }
                    Ok(Done::of(200, None))
                })
            }
            Wish::Unsubscribe => {
                self.is_subscribed = false;
                let _nothing_begins = link.set_features(Features {
                    desired: false,
                    ..features
                });
                done(Ok(Done::of(200, None)))
            }
            Wish::NotUnderstood(why) => done(Err(HubError::Malformed(why.into()))),
        }
    }

    pub(super) fn send_answers<P: Ports>(&mut self, io: &mut Io<'_, P>) {
        let Some(link) = self.links.to_device else { return };
        while let Some(answer) = self.answers.pop_front() {
            let (outgoing, Answer { correlation_id, done }) = (self.outgoing(), &answer);
            let id = MessageId::from_value(correlation_id.value());
            let result = io.amqp.send(link, outgoing, |out| {
                twin::write_answer(out, id, (done.status, done.version), done.body.as_bytes());
            });
            match result {
                // Nobody can be told what the device does not take.
                Ok(_) | Err(SendError::TooLarge) => {}
                Err(error) => {
                    if error == SendError::Busy {
                        io.want_output();
                    }
                    self.answers.push_front(answer);
                    return;
                }
            }
        }
    }

    fn outgoing(&mut self) -> Outgoing {
        self.sent = self.sent.wrapping_add(1);
        Outgoing {
            tag: DeliveryTag::counted(self.sent),
            message_format: 0,
            settled: self.links.sends_settled,
        }
    }
}

impl Asked {
    /// What it holds.
    fn bytes(&self) -> usize {
        let patch = match &self.wish {
            Wish::PatchReported { patch, .. } => patch.len(),
            Wish::Get | Wish::Subscribe | Wish::Unsubscribe | Wish::NotUnderstood(_) => 0,
        };
        self.correlation_id.len_bytes() + patch
    }
}

impl From<Result<Operation<'_>, &'static str>> for Wish {
    fn from(operation: Result<Operation<'_>, &'static str>) -> Self {
        match operation {
            Ok(Operation::Get) => Self::Get,
            Ok(Operation::PatchReported { version, patch }) => Self::PatchReported {
                version,
                patch: patch.into_owned(),
            },
            Ok(Operation::Subscribe) => Self::Subscribe,
            Ok(Operation::Unsubscribe) => Self::Unsubscribe,
            Err(why) => Self::NotUnderstood(why),
        }
    }
}

impl Done {
    fn of(status: u16, version: Option<u64>) -> Self {
        Self {
            status,
            version,
            body: String::new(),
        }
    }
}

async fn get<P: Ports>(hub: Hub<P>, principal: DevicePrincipal) -> Result<Done, HubError> {
    let body = hub.twins.device_twin(&principal).await?;
    Ok(Done {
        body,
        ..Done::of(200, None)
    })
}

fn done(result: Result<Done, HubError>) -> HubFuture<Done> {
    Box::pin(std::future::ready(result))
}

fn refused<P: Ports>(hub: &Hub<P>, error: &HubError) -> Done {
    let (status, body) = refusal(hub, error);
    Done {
        body,
        ..Done::of(status, None)
    }
}
