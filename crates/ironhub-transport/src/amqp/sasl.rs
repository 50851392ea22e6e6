//! The authentication layer below AMQP: most clients only pass through it and put tokens later.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ironhub_amqp::sasl::Credentials;
use ironhub_dialect::amqp::user_name::UserName;
use ironhub_hub::{Claim, Hub, HubError, Ports, Unauthorized};
use tokio::time::sleep;
use tracing::info;

use super::AmqpService;
use crate::peer::Peer;

/// What the credentials prove: a claim, nothing, or that the client has to go.
pub(super) type Login = Pin<Box<dyn Future<Output = Result<Option<Claim>, HubError>> + Send>>;

/// Begins to look at what a client presents. A refusal takes longer each time, so that a client with a wrong key does
/// not take the time of others.
pub(super) fn log_in<P: Ports>(service: Arc<AmqpService<P>>, peer: &Peer, credentials: Credentials) -> Login {
    let (has_certificate, peer) = (!peer.certificates().is_empty(), peer.address());
    Box::pin(async move {
        let (user, password) = match credentials {
            Credentials::Plain { user, password, .. } => (user, password),
            Credentials::External if !has_certificate => return Err(Unauthorized::NoCredentials.into()),
            Credentials::External | Credentials::Mssbcbs | Credentials::Anonymous => return Ok(None),
        };
        let outcome = plain(&service.hub, &user, &password).await;
        match &outcome {
            Ok(_) => service.failed_connects.forget(peer.ip(), &user),
            Err(error) => {
                if let Some(held_back) = service.refusals.pass() {
                    // As long as a legal one may be; the rest is a stranger's text.
                    let user: String = user.chars().take(260).collect();
                    info!(%peer, user, %error, held_back, "SASL PLAIN refused");
                }
                sleep(service.failed_connects.add(peer.ip(), &user)).await;
            }
        }
        outcome.map(Some)
    })
}

async fn plain<P: Ports>(hub: &Hub<P>, user: &str, password: &str) -> Result<Claim, HubError> {
    let wrong_user = || HubError::from(Unauthorized::WrongResource);
    match UserName::parse(user).map_err(|_| wrong_user())? {
        // Which one, the token says: V1 service clients in C call themselves "iothubowner" with every policy's token
        // (azure-iot-sdk-c, `createAuthCid`).
        UserName::Policy(_) => {
            let claim = hub.auth.prove_token(password).await?;
            claim.policy().is_some().then_some(claim).ok_or_else(wrong_user)
        }
        UserName::Identity(id) => {
            let claim = hub.auth.prove_token(password).await?;
            hub.auth.device_of_claim(&claim, &id).await?;
            Ok(claim)
        }
        UserName::BarePolicy(policy) => hub.auth.prove_key(policy, password).await,
    }
}
