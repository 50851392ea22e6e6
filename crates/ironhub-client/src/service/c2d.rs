//! Messages to devices.

use ironhub_amqp::connection::{Event, LinkId, Outgoing};
use ironhub_amqp::performative::{AmqpError, Attach, DeliveryState, DeliveryTag, Role, Source, Target};
use ironhub_dialect::amqp::c2d::write_message;
use ironhub_model::limits::C2D_MESSAGE_BYTES_MAX;
use ironhub_model::{C2dMessage, DeviceId};

use super::ServiceClient;
use super::amqp::{AmqpConnection, AmqpConnector, detached, read_error, send_failed};
use crate::error::{Error, HubError};

const ADDRESS: &str = "/messages/devicebound";

/// Sends messages to devices over a connection of its own, which is made when it is needed and again after it broke.
#[derive(Debug)]
pub struct C2dSender {
    connector: AmqpConnector,
    link: Option<OpenLink>,
    sent: u32,
}

struct OpenLink {
    connection: AmqpConnection,
    link: LinkId,
}

impl ServiceClient {
    /// Sends messages to devices; see [`C2dSender::send`].
    pub fn c2d_sender(&self) -> C2dSender {
        C2dSender {
            connector: self.amqp().clone(),
            link: None,
            sent: 0,
        }
    }
}

impl C2dSender {
    /// Puts a message into the device's queue; returns when it is durable there. The message's `to` is filled in.
    ///
    /// # Errors
    ///
    /// With code 403004 when the queue is full, 404001 when there is no such device. [`Error::Lost`] when the
    /// connection broke before the hub has answered: the message may be in the queue or not.
    pub async fn send(&mut self, device: &DeviceId, mut message: C2dMessage) -> Result<(), Error> {
        message.to = format!("/devices/{device}/messages/devicebound");
        let (bytes, bytes_max) = (message.size_bytes(), C2D_MESSAGE_BYTES_MAX);
        if bytes > bytes_max {
            return Err(Error::MessageTooLarge { bytes, bytes_max });
        }
        let mut open = match self.take_live().await {
            Some(open) => open,
            None => OpenLink::attach(&self.connector).await?,
        };
        self.sent = self.sent.wrapping_add(1);
        let outcome = open.send(&message, DeliveryTag::counted(self.sent)).await;
        // A refusal of one message leaves the link as it is.
        if matches!(outcome, Ok(()) | Err(Error::Hub(_))) {
            self.link = Some(open);
        }
        outcome
    }

    /// The connection that is there, unless it broke while nothing was sent.
    async fn take_live(&mut self) -> Option<OpenLink> {
        let mut open = self.link.take()?;
        open.connection.has_link(open.link).await.then_some(open)
    }

    /// Ends the connection in order.
    pub async fn close(self) {
        if let Some(open) = self.link {
            open.connection.close().await;
        }
    }
}

impl OpenLink {
    async fn attach(connector: &AmqpConnector) -> Result<Self, Error> {
        let mut connection = connector.connect_to_hub().await?;
        let attach = Attach {
            source: Some(Source::at("ironhub-client")),
            target: Some(Target::at(ADDRESS)),
            ..Attach::new("c2d-sender", Role::Sender)
        };
        let link = connection.attach(attach).await?;
        Ok(Self { connection, link })
    }

    async fn send(&mut self, message: &C2dMessage, tag: DeliveryTag) -> Result<(), Error> {
        self.connection.forget_passed_over(); // Credit and the like: nothing that was waited for.
        self.connection.wait_for_credit(self.link).await?;
        let outgoing = Outgoing {
            tag,
            message_format: 0,
            settled: false,
        };
        let sent = self
            .connection
            .amqp()
            .send(self.link, outgoing, |out| write_message(out, message));
        let sent = sent.map_err(send_failed)?;
        let state = self.connection.wait_for(|event| {
            if let Event::Disposition { deliveries, state, .. } = event
                && deliveries.contains(&sent)
            {
                return Some(Ok(state.clone()));
            }
            detached(event, sent.link)
        });
        let state = state.await??;
        match &state {
            DeliveryState::Accepted => Ok(()),
            DeliveryState::Rejected(error) => Err(refused(error.as_ref())),
            DeliveryState::Received { .. }
            | DeliveryState::Released
            | DeliveryState::Modified { .. }
            | DeliveryState::Other => Err(Error::Protocol(format!("the hub answers a message with {state:?}"))),
        }
    }
}

/// What cannot be found for a message is its device.
fn refused(error: Option<&AmqpError>) -> Error {
    let mut refused = read_error(error);
    if let Error::Hub(HubError { status: 404, code, .. }) = &mut refused {
        code.get_or_insert(404_001);
    }
    refused
}

impl std::fmt::Debug for OpenLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenLink")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}
