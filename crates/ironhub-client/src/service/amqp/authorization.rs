//! The token of a connection: put on `$cbs`, and put again before it ends.

use std::sync::Arc;

use ironhub_amqp::cbs::{self, PutToken};
use ironhub_amqp::connection::{Connection, Event};
use ironhub_amqp::message::MessageId;
use ironhub_amqp::performative::DeliveryState;
use tokio::time::Instant;

use super::AmqpConnection;
use super::requests::{RequestLinks, check, request};
use crate::clock;
use crate::credentials::{SigningKey, Token};
use crate::error::Error;
use crate::limits::TOKEN_RETRY_DELAY;

const REPLY_TO: &str = "cbs";

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service) enum Audience {
    /// The hub of the connection string.
    Hub,
    /// An event hub, by its address `sb://…`.
    EventHub(String),
}

pub(super) struct Authorization {
    key: Arc<SigningKey>,
    audience: Audience,
    links: RequestLinks,
    renew_at: Instant,
}

impl Authorization {
    /// Puts the first token and waits for the hub's word on it.
    pub(super) async fn begin(
        connection: &mut AmqpConnection,
        key: Arc<SigningKey>,
        audience: Audience,
    ) -> Result<Self, Error> {
        let mut links = RequestLinks::attach(connection, cbs::NODE, REPLY_TO).await?;
        let token = audience.token(&key);
        let name = audience.name(&key);
        links.ask(connection, |out, id| put(out, id, &name, &token)).await?;
        Ok(Self {
            key,
            audience,
            links,
            renew_at: Instant::now() + token.renew_after,
        })
    }

    pub(super) fn renew_at(&self) -> Instant {
        self.renew_at
    }

    /// Puts a new token when it is time; the reply comes as an event.
    pub(super) fn renew_if_due(&mut self, amqp: &mut Connection) {
        let now = Instant::now();
        if now < self.renew_at {
            return;
        }
        let token = self.audience.token(&self.key);
        let name = self.audience.name(&self.key);
        let id = self.links.next_id();
        let sent = amqp.send(self.links.sender, request(id), |out| {
            put(out, MessageId::Ulong(id), &name, &token);
        });
        // Without credit a little later; should the link be gone, the hub ends the connection with the old token.
        self.renew_at = now + sent.map_or(TOKEN_RETRY_DELAY, |_| token.renew_after);
    }

    /// Takes what is about the token; gives back the rest.
    pub(super) fn handle(&self, event: Event, amqp: &mut Connection) -> Result<Option<Event>, Error> {
        if let Event::Delivery(delivery) = &event
            && delivery.receipt.link() == self.links.receiver
        {
            let _ = amqp.settle(delivery.receipt, DeliveryState::Accepted);
            check(delivery)?;
            return Ok(None);
        }
        Ok(Some(event))
    }
}

impl Audience {
    fn token(&self, key: &SigningKey) -> Token {
        match self {
            Self::Hub => key.token(clock::now()),
            Self::EventHub(address) => key.event_hub_token(address, clock::now()),
        }
    }

    fn name(&self, key: &SigningKey) -> String {
        match self {
            Self::Hub => key.resource().to_owned(),
            Self::EventHub(address) => address.clone(),
        }
    }
}

fn put(out: &mut Vec<u8>, id: MessageId<'_>, audience: &str, token: &Token) {
    let put = PutToken {
        kind: "servicebus.windows.net:sastoken",
        audience,
        token: &token.text,
    };
    put.write(out, id, REPLY_TO);
}
