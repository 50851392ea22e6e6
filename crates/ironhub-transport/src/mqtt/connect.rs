//! From the first byte to CONNACK.

use ironhub_dialect::mqtt::auth::UserName;
use ironhub_dialect::mqtt::topic::DeviceTopics;
use ironhub_hub::{Hub, HubError, Link, LinkOptions, Ports, SessionState};
use ironhub_model::limits::CONNECT_WAIT_MAX;
use ironhub_mqtt::DecodeLimits;
use ironhub_mqtt::connection::{Connection, Event, ProtocolError};
use ironhub_mqtt::packet::{Connect, ConnectRefusal, Login, Password};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tracing::info;

use super::end::End;
use super::will::Will;
use super::wire::{Moved, Wire};
use crate::error::wire_error;
use crate::failed_connects::FailedConnects;
use crate::listener::Drain;
use crate::log_limit::LogLimit;
use crate::peer::Peer;

/// Lets one connection in, or not.
pub(super) struct Door<'a, P: Ports> {
    pub(super) hub: &'a Hub<P>,
    pub(super) failed_connects: &'a FailedConnects,
    pub(super) refusals: &'a LogLimit,
    pub(super) peer: &'a Peer,
}

/// A connection whose CONNECT was accepted.
pub(super) struct Established<P: Ports> {
    pub(super) link: Link<P>,
    pub(super) will: Option<Will>,
    pub(super) accepted: Accepted,
}

/// What CONNECT said, and what was kept of the session.
pub(super) struct Accepted {
    pub(super) protocol: Connection,
    pub(super) session: SessionState,
    pub(super) topics: DeviceTopics,
    pub(super) keep_alive_s: u16,
}

/// A CONNECT that is answered by a code other than 0.
struct Refusal {
    code: ConnectRefusal,
    /// For the log and the metric; the peer learns only the code.
    reason: &'static str,
}

impl<P: Ports> Door<'_, P> {
    /// Reads CONNECT and answers it. After an error the answer, if one is due, waits in the output.
    pub(super) async fn establish<S>(&self, wire: &mut Wire<S>, drain: &Drain) -> Result<Established<P>, End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut protocol = Connection::new(DecodeLimits::CONNECTED);
        let connect = match timeout(CONNECT_WAIT_MAX, read_connect(&mut protocol, wire, drain)).await {
            Ok(connect) => connect?,
            Err(_) => return Err(End::ConnectTimeout),
        };
        let address = self.peer.address().ip();
        match self.log_in(&connect).await {
            Ok((link, session, topics, will)) => {
                self.failed_connects.forget(address, &connect.client_id);
                self.peer.authenticated();
                protocol.accept(session.present, &mut wire.output);
                let accepted = Accepted {
                    protocol,
                    session,
                    topics,
                    keep_alive_s: connect.keep_alive_s,
                };
                Ok(Established { link, will, accepted })
            }
            Err(refusal) => {
                self.report(&connect, &refusal);
                sleep(self.failed_connects.add(address, &connect.client_id)).await;
                protocol.refuse(refusal.code, &mut wire.output);
                Err(End::Refused)
            }
        }
    }

    async fn log_in(&self, connect: &Connect) -> Result<(Link<P>, SessionState, DeviceTopics, Option<Will>), Refusal> {
        if connect.client_id.is_empty() {
            return Err(Refusal {
                code: ConnectRefusal::IdentifierRejected,
                reason: "empty_client_id",
            });
        }
        let login = connect.login.as_ref().ok_or(Refusal::denied("no_user_name"))?;
        let user = UserName::parse(&login.user_name, &connect.client_id).map_err(|_| Refusal::denied("user_name"))?;
        if !self.hub.info().is_host(user.host) {
            return Err(Refusal::denied("host"));
        }
        let topics = DeviceTopics::new(&user.id);
        let will = match connect.will.clone() {
            None => None,
            Some(will) => Some(Will::new(will, &topics).ok_or(Refusal::denied("will"))?),
        };
        let token = token(login)?;
        let principal = self
            .hub
            .auth
            .connect_device(&user.id, user.host, token, &self.peer.certificates())
            .await?;
        let options = LinkOptions {
            clean_session: connect.clean_session,
            model_id: user.model_id.map(Into::into),
            product_info: user.client_type.map(Into::into),
        };
        let (link, session) = self.hub.connections.open(principal, options).await?;
        Ok((link, session, topics, will))
    }

    fn report(&self, connect: &Connect, refusal: &Refusal) {
        let Refusal { code, reason } = *refusal;
        metrics::counter!("ironhub_mqtt_connects_refused_total", "reason" => reason).increment(1);
        if let Some(held_back) = self.refusals.pass() {
            // As long as a legal one may be; the rest is a stranger's text.
            let client_id: String = connect.client_id.chars().take(260).collect();
            let (peer, code) = (self.peer.address(), code.code());
            info!(%peer, client_id, reason, code, held_back, "CONNECT refused");
        }
    }
}

/// Reads until CONNECT is there. What follows it stays in the input.
async fn read_connect<S>(protocol: &mut Connection, wire: &mut Wire<S>, drain: &Drain) -> Result<Box<Connect>, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let moved = tokio::select! {
            biased;
            _ = drain.begun() => {
                protocol.refuse(ConnectRefusal::ServerUnavailable, &mut wire.output);
                return Err(End::Refused);
            }
            moved = wire.exchange(true) => moved?,
        };
        if moved == Moved::End {
            return Err(End::PeerClosed);
        }
        let step = protocol.handle_input(&wire.input).map(|step| match step {
            Some((Event::Connect(connect), bytes)) => Some((connect, bytes)),
            // The protocol lets nothing else pass as the first packet.
            _ => None,
        });
        match step {
            Ok(Some((connect, bytes))) => {
                wire.consume(bytes);
                return Ok(connect);
            }
            Ok(None) => {}
            Err(error) => return Err(refused(protocol, error, wire)),
        }
    }
}

/// A wrong first packet; a wrong level of the protocol is answered [MQTT-3.1.2-2].
fn refused<S>(protocol: &mut Connection, error: ProtocolError, wire: &mut Wire<S>) -> End {
    if let Some(refusal) = error.refusal() {
        protocol.refuse(refusal, &mut wire.output);
    }
    error.into()
}

fn token(login: &Login) -> Result<Option<&str>, Refusal> {
    let bytes = login.password.as_ref().map(Password::as_bytes);
    let token = bytes.map(std::str::from_utf8).transpose();
    // An empty password is none: some clients send one along with a certificate.
    token
        .map(|token| token.filter(|token| !token.is_empty()))
        .map_err(|_| Refusal::denied("token"))
}

impl Refusal {
    fn denied(reason: &'static str) -> Self {
        Self {
            code: ConnectRefusal::NotAuthorized,
            reason,
        }
    }
}

impl From<HubError> for Refusal {
    fn from(error: HubError) -> Self {
        let wire = wire_error(&error);
        Self {
            code: wire.connect,
            reason: if let HubError::Unauthorized(reason) = error {
                reason.label()
            } else {
                wire.name
            },
        }
    }
}
