//! What became of messages to devices.

use ironhub_amqp::connection::{Delivery, Event, LinkId, Receipt};
use ironhub_amqp::message::{Body, Message};
use ironhub_amqp::performative::{Attach, DeliveryState, Role, Source, Target};
use ironhub_model::FeedbackRecord;
use tokio::time::sleep;

use super::ServiceClient;
use super::amqp::{AmqpConnection, AmqpConnector, detached, of_established};
use crate::error::Error;
use crate::outage::Outage;

const ADDRESS: &str = "/messages/servicebound/feedback";
/// The hub hands out one batch at a time.
const BATCHES: u32 = 1;

/// Receives feedback over a connection of its own, which is made again after it broke.
#[derive(Debug)]
pub struct FeedbackReceiver {
    connector: AmqpConnector,
    link: Option<OpenLink>,
    /// Counts connections.
    epoch: u64,
    outage: Outage,
}

struct OpenLink {
    connection: AmqpConnection,
    link: LinkId,
}

/// Feedback that was received and is not settled: it comes again when nobody completes it.
#[derive(Debug)]
#[must_use = "feedback that is not completed comes again"]
pub struct ReceivedFeedback {
    /// Oldest first.
    pub records: Vec<FeedbackRecord>,
    receipt: Receipt,
    epoch: u64,
}

impl ServiceClient {
    /// Receives what became of messages to devices that asked for feedback.
    pub fn feedback(&self) -> FeedbackReceiver {
        FeedbackReceiver {
            connector: self.amqp().clone(),
            link: None,
            epoch: 0,
            outage: Outage::default(),
        }
    }
}

impl FeedbackReceiver {
    /// The next batch. Connects again when the connection breaks; an error is for good, or the retry policy's end.
    pub async fn next(&mut self) -> Result<ReceivedFeedback, Error> {
        loop {
            let error = match self.try_next().await {
                Ok(feedback) => return Ok(feedback),
                Err(error) => error,
            };
            self.link = None;
            let delay = self.outage.delay(&self.connector.retry, &error)?;
            sleep(delay).await;
        }
    }

    /// Takes the batch out of the hub's queue.
    ///
    /// # Errors
    ///
    /// [`Error::LockLost`] when the connection that delivered it is gone: it comes again.
    pub async fn complete(&mut self, feedback: ReceivedFeedback) -> Result<(), Error> {
        self.settle(&feedback, DeliveryState::Accepted).await
    }

    /// Gives the batch back: it comes again at once.
    pub async fn abandon(&mut self, feedback: ReceivedFeedback) -> Result<(), Error> {
        self.settle(&feedback, DeliveryState::Released).await
    }

    /// Ends the connection in order.
    pub async fn close(self) {
        if let Some(open) = self.link {
            open.connection.close().await;
        }
    }

    async fn try_next(&mut self) -> Result<ReceivedFeedback, Error> {
        let open = match &mut self.link {
            Some(open) => open,
            none => {
                let open = none.insert(OpenLink::attach(&self.connector).await?);
                self.epoch += 1;
                self.outage.connected();
                open
            }
        };
        loop {
            let event = open.connection.event().await.map_err(of_established)?;
            if let Some(error) = detached(&event, open.link) {
                return error.map_err(of_established);
            }
            if let Event::Delivery(delivery) = event
                && delivery.receipt.link() == open.link
            {
                return Ok(ReceivedFeedback {
                    records: records(&delivery)?,
                    receipt: delivery.receipt,
                    epoch: self.epoch,
                });
            }
        }
    }

    async fn settle(&mut self, feedback: &ReceivedFeedback, state: DeliveryState) -> Result<(), Error> {
        let open = self
            .link
            .as_mut()
            .filter(|_| feedback.epoch == self.epoch)
            .ok_or(Error::LockLost)?;
        let settled = open.connection.amqp().settle(feedback.receipt, state);
        settled.map_err(|_| Error::LockLost)?;
        open.connection.flush().await
    }
}

impl OpenLink {
    async fn attach(connector: &AmqpConnector) -> Result<Self, Error> {
        let mut connection = connector.connect_to_hub().await?;
        let attach = Attach {
            source: Some(Source::at(ADDRESS)),
            target: Some(Target::at("ironhub-client")),
            ..Attach::new("feedback-receiver", Role::Receiver)
        };
        let link = connection.attach(attach).await?;
        let granted = connection.amqp().grant(link, BATCHES);
        granted.map_err(|_| Error::Lost("the AMQP link is gone".to_owned()))?;
        Ok(Self { connection, link })
    }
}

impl std::fmt::Debug for OpenLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenLink")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

fn records(delivery: &Delivery) -> Result<Vec<FeedbackRecord>, Error> {
    let message = Message::parse(&delivery.payload).map_err(|error| Error::Protocol(error.to_string()))?;
    let Body::Data(data) = message.bare.body else {
        return Err(Error::Protocol("feedback without a body of bytes".to_owned()));
    };
    let body: Vec<u8> = data.flatten().copied().collect();
    serde_json::from_slice(&body).map_err(|error| Error::Protocol(format!("feedback that cannot be read: {error}")))
}
