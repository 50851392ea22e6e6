//! One connection: from the dial to the hub's answer, then bytes both ways.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use ironhub_dialect::mqtt::auth::UserName;
use ironhub_model::IdentityId;
use ironhub_mqtt::packet::{
    ConnAck, Connect, Login, Packet, Password, encode_connect, encode_disconnect, encode_pingreq,
};
use ironhub_mqtt::{DecodeLimits, decode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, timeout};
use tokio_rustls::rustls::ClientConfig;

use crate::clock;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::limits::{CONNECT_WAIT_MAX, GOODBYE_WAIT_MAX, PING_WAIT_MAX};
use crate::stream::{Endpoint, Stream};

/// The REST and MQTT version whose behaviour this client expects.
const API_VERSION: &str = "2021-04-12";
const CLIENT_TYPE: &str = concat!("ironhub-client/", env!("CARGO_PKG_VERSION"), " (rust)");

/// All that is needed to connect, again and again.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) endpoint: Endpoint,
    pub(super) tls: Arc<ClientConfig>,
    /// The hub's own name, also behind a gateway.
    pub(super) host: String,
    pub(super) id: IdentityId,
    pub(super) credentials: Credentials,
    pub(super) model_id: Option<String>,
    pub(super) keep_alive: Duration,
    /// The newest connection that the hub accepted resumed a TLS session.
    pub(super) is_resumed: Arc<AtomicBool>,
}

/// An accepted connection.
pub(super) struct Link {
    pub(super) reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    /// Read and not yet decoded.
    pub(super) input: BytesMut,
    /// Bytes were given to the stream and may still lie there.
    pub(super) needs_flush: bool,
    /// When to be replaced by a connection with a new token.
    pub(super) renew_at: Option<Instant>,
    pub(super) pings: Pings,
}

/// When to ask for a sign of life, and when to do without.
#[derive(Debug)]
pub(super) struct Pings {
    interval: Duration,
    next: Instant,
    answer_by: Option<Instant>,
}

impl Connector {
    /// One attempt.
    pub(super) async fn dial(&self) -> Result<Link, Error> {
        let attempt = timeout(CONNECT_WAIT_MAX, self.connect());
        attempt
            .await
            .unwrap_or_else(|_| Err(self.endpoint.silent(CONNECT_WAIT_MAX)))
    }

    async fn connect(&self) -> Result<Link, Error> {
        let opened = self.endpoint.connect(&self.tls).await?;
        let (reader, writer) = tokio::io::split(opened.stream);
        // Made as late as possible: a short token does not age in the handshake.
        let (password, renew_at) = self.password();
        let mut link = Link {
            reader,
            writer,
            input: BytesMut::new(),
            needs_flush: false,
            renew_at,
            pings: Pings::new(self.keep_alive, Instant::now()),
        };
        let mut out = BytesMut::new();
        encode_connect(&mut out, &self.connect_packet(password))
            .map_err(|error| Error::Configuration(error.to_string()))?;
        link.write(&mut out).await.map_err(|error| Error::lost(&error))?;
        let packet = link.next_packet().await?;
        let Packet::ConnAck(connack) = packet else {
            return Err(Error::Protocol(format!("{} instead of CONNACK", packet.kind())));
        };
        match connack {
            ConnAck::Accepted { .. } => {
                self.is_resumed.store(opened.is_resumed, Ordering::Relaxed);
                Ok(link)
            }
            ConnAck::Refused(refusal) => Err(Error::Refused(refusal)),
        }
    }

    fn password(&self) -> (Option<Password>, Option<Instant>) {
        match &self.credentials {
            Credentials::Certificate(_) => (None, None),
            Credentials::Key(key) => {
                let token = key.token(clock::now());
                let password = Password::new(token.text.into_bytes());
                (Some(password), Some(Instant::now() + token.renew_after))
            }
        }
    }

    fn connect_packet(&self, password: Option<Password>) -> Connect {
        let user_name = UserName {
            host: &self.host,
            id: self.id.clone(),
            api_version: Some(API_VERSION.into()),
            model_id: self.model_id.as_deref().map(Into::into),
            client_type: Some(CLIENT_TYPE.into()),
        };
        Connect {
            client_id: self.id.to_string(),
            clean_session: false,
            keep_alive_s: u16::try_from(self.keep_alive.as_secs()).unwrap_or(u16::MAX),
            will: None,
            login: Some(Login {
                user_name: user_name.to_string(),
                password,
            }),
        }
    }
}

impl Link {
    /// Writes all of `out`. Cancel-safe: what is not written stays in `out`.
    pub(super) async fn write(&mut self, out: &mut BytesMut) -> io::Result<()> {
        write(&mut self.writer, &mut self.needs_flush, out).await
    }

    /// Takes the stream apart, so that reading and writing can be waited for at once.
    pub(super) fn parts(&mut self) -> (&mut ReadHalf<Stream>, &mut WriteHalf<Stream>, &mut BytesMut, &mut bool) {
        (
            &mut self.reader,
            &mut self.writer,
            &mut self.input,
            &mut self.needs_flush,
        )
    }

    /// Leaves in good order. What goes wrong here harms nobody.
    pub(super) async fn goodbye(mut self, out: &mut BytesMut) {
        encode_disconnect(out);
        let _ = timeout(GOODBYE_WAIT_MAX, async {
            self.write(out).await?;
            self.writer.shutdown().await
        })
        .await;
    }

    async fn next_packet(&mut self) -> Result<Packet, Error> {
        loop {
            if let Some(packet) = next_packet(&mut self.input)? {
                return Ok(packet);
            }
            match self.reader.read_buf(&mut self.input).await {
                Ok(0) => {
                    return Err(Error::Lost(
                        "the hub closed the connection before it answered".to_owned(),
                    ));
                }
                Ok(_) => {}
                Err(error) => return Err(Error::lost(&error)),
            }
        }
    }
}

/// Writes and flushes. Cancel-safe: what is not written stays in `out`, what is not flushed in `needs_flush`.
pub(super) async fn write(
    writer: &mut WriteHalf<Stream>,
    needs_flush: &mut bool,
    out: &mut BytesMut,
) -> io::Result<()> {
    *needs_flush = true;
    writer.write_all_buf(out).await?;
    writer.flush().await?;
    *needs_flush = false;
    Ok(())
}

/// The next whole packet of the input.
pub(super) fn next_packet(input: &mut BytesMut) -> Result<Option<Packet>, Error> {
    decode(input, &DecodeLimits::CONNECTED).map_err(|error| Error::Protocol(error.to_string()))
}

impl Pings {
    fn new(interval: Duration, now: Instant) -> Self {
        Self {
            interval,
            next: now + interval,
            answer_by: None,
        }
    }

    /// Something was written: the hub has heard of us.
    pub(super) fn wrote(&mut self, now: Instant) {
        self.next = now + self.interval;
    }

    /// Something came: the hub is there.
    pub(super) fn heard(&mut self) {
        self.answer_by = None;
    }

    /// We read again, after a while in which we could not have seen an answer.
    pub(super) fn resume(&mut self, now: Instant) {
        if self.answer_by.is_some() {
            self.answer_by = Some(now + PING_WAIT_MAX);
        }
    }

    /// When to look again; the answer is not waited for while nobody reads.
    pub(super) fn deadline(&self, reads: bool) -> Instant {
        let answer_by = self.answer_by.filter(|_| reads);
        answer_by.map_or(self.next, |answer_by| answer_by.min(self.next))
    }

    /// Asks for a sign of life when it is time; an error when none has come.
    pub(super) fn poll(&mut self, now: Instant, reads: bool, out: &mut BytesMut) -> Result<(), Error> {
        if reads && self.answer_by.is_some_and(|answer_by| now >= answer_by) {
            return Err(Error::Lost("the hub gives no sign of life".to_owned()));
        }
        if now >= self.next {
            encode_pingreq(out);
            self.next = now + self.interval;
            self.answer_by.get_or_insert(now + PING_WAIT_MAX);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_asked_about_and_then_held_against_the_hub() {
        let (start, minute) = (Instant::now(), Duration::from_mins(1));
        let mut out = BytesMut::new();
        let mut pings = Pings::new(minute, start);
        assert_eq!(pings.deadline(true), start + minute);
        pings.wrote(start + minute / 2);
        pings.poll(start + minute, true, &mut out).unwrap();
        assert!(out.is_empty(), "what was written is a sign of life");
        let asked = start + minute * 3 / 2;
        pings.poll(asked, true, &mut out).unwrap();
        assert_eq!(out, &b"\xc0\0"[..]);
        assert_eq!(pings.deadline(true), asked + PING_WAIT_MAX);
        pings.poll(asked + PING_WAIT_MAX, false, &mut out).unwrap();
        pings.resume(asked + PING_WAIT_MAX);
        assert_eq!(pings.deadline(true), asked + PING_WAIT_MAX * 2);
        pings.poll(asked + PING_WAIT_MAX * 2, true, &mut out).unwrap_err();
        pings.heard();
        pings.poll(asked + PING_WAIT_MAX * 2, true, &mut out).unwrap();
    }
}
