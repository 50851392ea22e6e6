//! Requests to a node and its replies.

use ironhub_amqp::connection::{Delivery, Event, LinkId, Outgoing};
use ironhub_amqp::message::MessageId;
use ironhub_amqp::performative::{Attach, DeliveryState, DeliveryTag, Role, Source, Target};
use ironhub_amqp::request::Reply;

use super::{AmqpConnection, detached, send_failed};
use crate::error::{Error, HubError};

/// Replies that may be under way.
const REPLIES: u32 = 10;

/// A pair of links to one node.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct RequestLinks {
    pub(super) sender: LinkId,
    pub(super) receiver: LinkId,
    last_id: u64,
}

impl RequestLinks {
    /// Attaches both links; `reply_to` names them.
    pub(in crate::service) async fn attach(
        connection: &mut AmqpConnection,
        node: &str,
        reply_to: &str,
    ) -> Result<Self, Error> {
        let sender = Attach {
            source: Some(Source::at(reply_to)),
            target: Some(Target::at(node)),
            ..Attach::new(format!("{reply_to}-sender"), Role::Sender)
        };
        let receiver = Attach {
            source: Some(Source::at(node)),
            target: Some(Target::at(reply_to)),
            ..Attach::new(format!("{reply_to}-receiver"), Role::Receiver)
        };
        let sender = connection.attach(sender).await?;
        let receiver = connection.attach(receiver).await?;
        // Fails when the link went away meanwhile, which the wait for the reply tells.
        let _ = connection.amqp.grant(receiver, REPLIES);
        Ok(Self {
            sender,
            receiver,
            last_id: 0,
        })
    }

    /// The next request's ID.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Sends what `write` appends and waits for the reply to it; its payload, when the status is a success.
    pub(in crate::service) async fn ask(
        &mut self,
        connection: &mut AmqpConnection,
        write: impl FnOnce(&mut Vec<u8>, MessageId<'_>),
    ) -> Result<Vec<u8>, Error> {
        connection.wait_for_credit(self.sender).await?;
        let id = self.next_id();
        let sent = connection
            .amqp
            .send(self.sender, request(id), |out| write(out, MessageId::Ulong(id)));
        sent.map_err(send_failed)?;
        let receiver = self.receiver;
        let delivery = connection
            .wait_for(|event| {
                if let Event::Delivery(delivery) = event
                    && delivery.receipt.link() == receiver
                {
                    return Some(Ok(delivery.clone()));
                }
                detached(event, receiver)
            })
            .await??;
        let _ = connection.amqp.settle(delivery.receipt, DeliveryState::Accepted);
        check(&delivery)?;
        Ok(delivery.payload)
    }
}

pub(super) fn request(id: u64) -> Outgoing {
    Outgoing {
        tag: DeliveryTag::counted(u32::try_from(id).unwrap_or(u32::MAX)),
        message_format: 0,
        settled: true,
    }
}

/// Is the reply a success?
pub(super) fn check(delivery: &Delivery) -> Result<(), Error> {
    let reply = Reply::read(&delivery.payload).map_err(|error| Error::Protocol(error.to_string()))?;
    if (200..300).contains(&reply.status.code) {
        return Ok(());
    }
    let status = u16::try_from(reply.status.code).unwrap_or(500);
    Err(Error::Hub(HubError {
        status,
        code: (status == 401).then_some(401_002),
        message: reply.status.description.to_owned(),
        tracking_id: None,
    }))
}
