//! `$cbs`: clients put tokens, here they become claims of the connection.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ironhub_amqp::cbs::PutToken;
use ironhub_amqp::connection::{Delivery, LinkId, Receipt};
use ironhub_amqp::performative::{AmqpError, Role, condition};
use ironhub_amqp::request::{Reply, Request, RequestError, Responder, Status};
use ironhub_amqp::types::Value;
use ironhub_dialect::amqp::address::event_hub_of_audience;
use ironhub_hub::{Claim, Hub, HubError, Ports, Unauthorized};
use ironhub_model::limits::{AMQP_REQUESTS_CREDIT, AMQP_TOKENS_PENDING_BYTES_MAX};
use tokio::time::sleep;
use tracing::{debug, info};

use super::io::Io;
use super::node::{NodeEvents, Offer};
use crate::error::{amqp_error, entity_not_found, wire_error};

/// The node of a connection: tokens on any of its links, replies where they ask for them.
#[derive(Default)]
pub(super) struct Cbs {
    responder: Responder,
    puts: Vec<Put>,
}

/// A token that is being looked at.
struct Put {
    receipt: Receipt,
    /// The request, for the reply's address.
    payload: Vec<u8>,
    /// What the client says that the token is for.
    audience: String,
    proof: Pin<Box<dyn Future<Output = Proved> + Send>>,
    /// It has failed, and its answer waits a while.
    is_delayed: bool,
}

type Proved = Result<Claim, Refused>;

/// Why a token is no claim.
struct Refused {
    status: u16,
    error: AmqpError,
    /// For logs and metrics; the peer learns only the rest.
    reason: &'static str,
}

impl Cbs {
    pub(super) fn attach<P: Ports>(&mut self, io: &mut Io<'_, P>, offer: Offer) {
        let Offer { link, session, attach } = offer;
        if io.accept(link, attach.answer()).is_err() {
            return;
        }
        match attach.role {
            Role::Sender => {
                let _ = io.amqp.grant(link, AMQP_REQUESTS_CREDIT); // It was accepted just now.
            }
            Role::Receiver => self.responder.handle_attached(session, link, &attach),
        }
    }

    /// Begins to look at a token.
    fn begin<P: Ports>(&self, io: &Io<'_, P>, payload: &[u8]) -> Result<(String, String), Refused> {
        let pending: usize = self.puts.iter().map(Put::cost_bytes).sum();
        if pending + payload.len() > AMQP_TOKENS_PENDING_BYTES_MAX {
            debug!(peer = %io.peer.address(), "too many tokens at a time");
            return Err(HubError::Throttled.into());
        }
        let request = Request::read(payload)?;
        let put = PutToken::read(&request)?;
        // An Entra ID token is none that the hub could check.
        if !put.kind.to_ascii_lowercase().ends_with(":sastoken") {
            return Err(RequestError::Property("type").into());
        }
        Ok((put.token.to_owned(), put.audience.to_owned()))
    }

    fn finish<P: Ports>(&mut self, io: &mut Io<'_, P>, put: &Put, proved: Proved) {
        let proved = proved.and_then(|claim| {
            let policy = claim.policy().map(str::to_owned);
            let id = claim.identity().map(ToString::to_string);
            debug!(peer = %io.peer.address(), policy, id, "token accepted");
            io.claims.put(claim).map_err(Refused::from)
        });
        let (message_id, reply_to) = Request::return_address(&put.payload);
        let mut reply = Vec::new();
        let mut status = match &proved {
            Ok(()) => Status::OK,
            Err(Refused { status, error, .. }) => Status {
                code: i32::from(*status),
                description: error.description.as_deref().unwrap_or_default(),
                condition: Some(&error.condition),
            },
        };
        status.code = io.amqp.broken.status(put.receipt.link()).unwrap_or(status.code);
        Reply::write(&mut reply, message_id, reply_to, &status, Value::Null);
        let outcome = proved.map_or_else(|refused| refused.reason, |()| "accepted");
        metrics::counter!("ironhub_amqp_tokens_total", "outcome" => outcome).increment(1);
        if let Err(error) = self.responder.reply(io.amqp, put.receipt, reply_to, reply) {
            debug!(peer = %io.peer.address(), %error, "a reply of $cbs is lost");
        }
    }
}

impl<P: Ports> NodeEvents<P> for Cbs {
    fn handle_delivery(&mut self, io: &mut Io<'_, P>, delivery: Delivery) {
        let (is_delayed, audience, proof): (_, _, Pin<Box<dyn Future<Output = Proved> + Send>>) =
            match self.begin(io, &delivery.payload) {
                Ok((token, audience)) => (false, audience, Box::pin(prove(io.hub.clone(), token))),
                Err(refused) => (true, String::new(), Box::pin(async { Err(refused) })),
            };
        self.puts.push(Put {
            receipt: delivery.receipt,
            payload: delivery.payload,
            audience,
            proof,
            is_delayed,
        });
    }

    fn handle_credit(&mut self, io: &mut Io<'_, P>, link: LinkId, drain: bool) {
        self.responder.send_held(io.amqp);
        if drain {
            let _ = io.amqp.drained(link); // Nothing is left to send on a link that is gone.
        }
    }

    fn handle_detached(&mut self, _: &mut Io<'_, P>, link: LinkId) {
        self.responder.handle_detached(link);
        self.puts.retain(|put| put.receipt.link() != link);
    }

    /// Nothing rests on a claim here.
    fn handle_revoked(&mut self, _: &mut Io<'_, P>, _: &AmqpError) {}

    fn poll(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) {
        let mut waiting = Vec::new();
        for mut put in std::mem::take(&mut self.puts) {
            match put.poll(cx, io) {
                Poll::Ready(proved) => self.finish(io, &put, proved),
                Poll::Pending => waiting.push(put),
            }
        }
        self.puts = waiting;
        self.responder.send_held(io.amqp);
        if self.responder.has_held() {
            io.want_output();
        }
    }
}

impl Put {
    /// The token is held twice: in its request, and by whoever looks at it.
    fn cost_bytes(&self) -> usize {
        2 * self.payload.len()
    }

    /// A refusal is told later each time, so that a client with a wrong key does not take the time of others.
    fn poll<P: Ports>(&mut self, cx: &mut Context<'_>, io: &Io<'_, P>) -> Poll<Proved> {
        loop {
            let proved = std::task::ready!(self.proof.as_mut().poll(cx));
            let address = io.peer.address().ip();
            match proved {
                Ok(claim) => {
                    io.service.failed_connects.forget(address, &self.audience);
                    return Poll::Ready(Ok(claim));
                }
                Err(refused) if self.is_delayed => return Poll::Ready(Err(refused)),
                Err(refused) => {
                    self.report(io, &refused);
                    let delay = io.service.failed_connects.add(address, &self.audience);
                    self.is_delayed = true;
                    self.proof = Box::pin(async move {
                        sleep(delay).await;
                        Err(refused)
                    });
                }
            }
        }
    }

    fn report<P: Ports>(&self, io: &Io<'_, P>, refused: &Refused) {
        if let Some(held_back) = io.service.refusals.pass() {
            // The rest is a stranger's text.
            let audience: String = self.audience.chars().take(260).collect();
            let (peer, reason) = (io.peer.address(), refused.reason);
            info!(%peer, audience, reason, held_back, "token refused");
        }
    }
}

async fn prove<P: Ports>(hub: Hub<P>, token: String) -> Proved {
    let claim = hub.auth.prove_token(&token).await?;
    // Here an Event Hubs client shows its user what is wrong; a refused link it tries again for ever.
    if claim.policy().is_some()
        && let Some((event_hub, consumer_group)) = event_hub_of_audience(&claim.path())
    {
        let is_known = event_hub.eq_ignore_ascii_case(&hub.info().hub_name)
            && consumer_group.is_none_or(|group| hub.events.has_consumer_group(group));
        if !is_known {
            return Err(Refused {
                status: 404,
                error: entity_not_found(&claim.path()),
                reason: "unknown_entity",
            });
        }
    }
    Ok(claim)
}

impl From<HubError> for Refused {
    fn from(error: HubError) -> Self {
        let wire = wire_error(&error);
        let (status, reason) = if let HubError::Unauthorized(reason) = error {
            let is_malformed = reason == Unauthorized::MalformedToken;
            (if is_malformed { 400 } else { 401 }, reason.label())
        } else if wire.condition == condition::NOT_FOUND {
            (404, wire.name) // A disabled device as well.
        } else {
            (wire.status(), wire.name)
        };
        Self {
            status,
            error: amqp_error(&error),
            reason,
        }
    }
}

impl From<RequestError> for Refused {
    fn from(error: RequestError) -> Self {
        Self {
            status: 400,
            error: AmqpError::new(condition::INVALID_FIELD, error.to_string()),
            reason: "no_request",
        }
    }
}
