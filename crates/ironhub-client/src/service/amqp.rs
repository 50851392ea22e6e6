//! One AMQP connection of a back end: opened, authorized by a token on `$cbs` that is renewed in place, and driven by
//! whoever waits for something on it. It owns no task and no queue: what is not asked for stays in the socket.

mod authorization;
mod error;
mod requests;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use ironhub_amqp::connection::{Config, Connection, Event, LinkId, SendError, SessionId, Side};
use ironhub_amqp::limits::ConnectionLimits;
use ironhub_amqp::performative::Attach;
use ironhub_amqp::sasl::Credentials;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::rustls::ClientConfig;

pub(super) use self::authorization::Audience;
use self::authorization::Authorization;
pub(super) use self::error::{of_established, read as read_error};
pub(super) use self::requests::RequestLinks;
use crate::credentials::SigningKey;
use crate::error::Error;
use crate::limits::{AMQP_EVENTS_WAITING_MAX, CONNECT_WAIT_MAX};
use crate::retry::RetryPolicy;
use crate::stream::{Endpoint, Stream};

const READ_BYTES: usize = 32 * 1024;

/// All that is needed to connect, again and again.
#[derive(Debug, Clone)]
pub(super) struct AmqpConnector {
    pub(super) endpoint: Endpoint,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) key: Arc<SigningKey>,
    pub(super) retry: RetryPolicy,
}

/// A connection with one session and a token.
pub(super) struct AmqpConnection {
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    amqp: Connection,
    session: Option<SessionId>,
    authorization: Option<Authorization>,
    /// Came while something else was waited for.
    passed_over: VecDeque<Event>,
    input: Vec<u8>,
    needs_flush: bool,
}

impl AmqpConnector {
    /// Connects and puts a token for this audience.
    pub(super) async fn connect(&self, endpoint: &Endpoint, audience: Audience) -> Result<AmqpConnection, Error> {
        let attempt = timeout(CONNECT_WAIT_MAX, async {
            let mut connection = AmqpConnection::open(endpoint, &self.tls).await?;
            let authorization = Authorization::begin(&mut connection, Arc::clone(&self.key), audience).await?;
            connection.authorization = Some(authorization);
            Ok(connection)
        });
        attempt.await.unwrap_or_else(|_| Err(endpoint.silent(CONNECT_WAIT_MAX)))
    }

    /// The hub itself.
    pub(super) async fn connect_to_hub(&self) -> Result<AmqpConnection, Error> {
        self.connect(&self.endpoint, Audience::Hub).await
    }
}

impl AmqpConnection {
    async fn open(endpoint: &Endpoint, tls: &Arc<ClientConfig>) -> Result<Self, Error> {
        let opened = endpoint.connect(tls).await?;
        let (reader, writer) = tokio::io::split(opened.stream);
        let container = format!("ironhub-client-{:08x}", crate::retry::chance());
        let config = Config::client(container, &endpoint.host);
        let side = Side::Client(Some(Credentials::Mssbcbs));
        let mut amqp = Connection::new(config, side, Instant::now().into_std());
        amqp.set_limits(ConnectionLimits::AUTHENTICATED);
        let mut connection = Self {
            reader,
            writer,
            amqp,
            session: None,
            authorization: None,
            passed_over: VecDeque::new(),
            input: vec![0; READ_BYTES],
            needs_flush: false,
        };
        connection
            .wait_for(|event| matches!(event, Event::Opened(_)).then_some(()))
            .await?;
        connection.session = connection.amqp.begin();
        connection
            .wait_for(|event| matches!(event, Event::Begun(_)).then_some(()))
            .await?;
        Ok(connection)
    }

    /// The state machine, for what does not wait.
    pub(super) fn amqp(&mut self) -> &mut Connection {
        &mut self.amqp
    }

    /// Asks for a link and waits for the answer; tells why there is none.
    pub(super) async fn attach(&mut self, attach: Attach) -> Result<LinkId, Error> {
        let asked = self.request_link(attach)?;
        self.wait_for(|event| {
            let is_attached = matches!(event, Event::Attached { link, .. } if *link == asked);
            is_attached.then_some(Ok(asked)).or_else(|| detached(event, asked))
        })
        .await?
    }

    /// Asks for a link; the answer comes as an event.
    pub(super) fn request_link(&mut self, attach: Attach) -> Result<LinkId, Error> {
        let gone = || Error::Lost("the AMQP session is gone".to_owned());
        let session = self.session.ok_or_else(gone)?;
        self.amqp.attach(session, attach).map_err(|_| gone())
    }

    /// The next thing that the peer did; what was passed over comes first. Cancel-safe.
    pub(super) async fn event(&mut self) -> Result<Event, Error> {
        match self.passed_over.pop_front() {
            Some(event) => Ok(event),
            None => self.fresh_event().await,
        }
    }

    /// Waits for something in particular; all else is kept for [`event`](Self::event).
    pub(super) async fn wait_for<T>(&mut self, mut pick: impl FnMut(&Event) -> Option<T>) -> Result<T, Error> {
        loop {
            let event = self.fresh_event().await?;
            match pick(&event) {
                Some(found) => return Ok(found),
                None => self.pass_over(event)?,
            }
        }
    }

    /// Forgets what came while something else was waited for.
    pub(super) fn forget_passed_over(&mut self) {
        self.passed_over.clear();
    }

    /// Waits until the peer takes a message on this link.
    pub(super) async fn wait_for_credit(&mut self, link: LinkId) -> Result<(), Error> {
        while !self.amqp.can_send(link) {
            if self.amqp.session_of_link(link).is_none() {
                return Err(Error::Lost("the AMQP link is gone".to_owned()));
            }
            let event = self.fresh_event().await?;
            self.pass_over(event)?;
        }
        Ok(())
    }

    /// Is the link still there? Looks at what the socket holds, without waiting.
    pub(super) async fn has_link(&mut self, link: LinkId) -> bool {
        loop {
            let event = tokio::select! {
                biased;
                event = self.fresh_event() => event,
                () = std::future::ready(()) => return self.amqp.session_of_link(link).is_some(),
            };
            if event.is_err() {
                return false;
            }
        }
    }

    fn pass_over(&mut self, event: Event) -> Result<(), Error> {
        if self.passed_over.len() >= AMQP_EVENTS_WAITING_MAX {
            return Err(Error::Protocol(
                "the hub says too much that was not asked for".to_owned(),
            ));
        }
        self.passed_over.push_back(event);
        Ok(())
    }

    /// Writes what there is to write.
    pub(super) async fn flush(&mut self) -> Result<(), Error> {
        while !self.amqp.output().is_empty() {
            let count = self
                .writer
                .write(self.amqp.output())
                .await
                .map_err(|error| Error::lost(&error))?;
            self.amqp.handle_written(count, Instant::now().into_std());
        }
        self.writer.flush().await.map_err(|error| Error::lost(&error))
    }

    /// Leaves in good order, without waiting for the peer's word on it.
    pub(super) async fn close(mut self) {
        self.amqp.close(None);
        let goodbye = async {
            let _ = self.flush().await;
            let _ = self.writer.shutdown().await;
        };
        let _ = timeout(crate::limits::GOODBYE_WAIT_MAX, goodbye).await;
    }

    /// Events that are about the token are dealt with here.
    async fn fresh_event(&mut self) -> Result<Event, Error> {
        loop {
            while let Some(event) = self.amqp.poll_event() {
                if let Event::Closed { error } = &event {
                    return Err(error::lost(error.as_ref()));
                }
                let event = match &mut self.authorization {
                    Some(authorization) => authorization.handle(event, &mut self.amqp)?,
                    None => Some(event),
                };
                if let Some(event) = event {
                    return Ok(event);
                }
            }
            if self.amqp.is_finished() {
                return Err(Error::Lost("the AMQP connection ended".to_owned()));
            }
            self.step().await?;
        }
    }

    /// Waits for the socket or the clock.
    async fn step(&mut self) -> Result<(), Error> {
        if let Some(authorization) = &mut self.authorization {
            authorization.renew_if_due(&mut self.amqp);
        }
        let renew_at = self.authorization.as_ref().map(Authorization::renew_at);
        let time_out = self.amqp.poll_timeout().map(Instant::from_std);
        let deadline = [renew_at, time_out].into_iter().flatten().min();
        let far = || Instant::now() + CONNECT_WAIT_MAX;
        let (reads, writes) = (
            self.amqp.wants_input(),
            self.needs_flush || !self.amqp.output().is_empty(),
        );
        tokio::select! {
            read = self.reader.read(&mut self.input), if reads => {
                let count = read.map_err(|error| Error::lost(&error))?;
                let bytes = self.input.get(..count).unwrap_or_default();
                if bytes.is_empty() {
                    return Err(Error::Lost("the hub closed the connection".to_owned()));
                }
                self.amqp.handle_bytes(bytes, Instant::now().into_std());
            }
            written = write(&mut self.writer, self.amqp.output()), if writes => {
                let count = written.map_err(|error| Error::lost(&error))?;
                self.amqp.handle_written(count, Instant::now().into_std());
                self.needs_flush = count > 0;
            }
            () = sleep_until(deadline.unwrap_or_else(far)) => {
                self.amqp.handle_timeout(Instant::now().into_std());
            }
        }
        Ok(())
    }
}

/// Writes a part of `out`, or flushes when there is nothing to write.
async fn write(writer: &mut WriteHalf<Stream>, out: &[u8]) -> io::Result<usize> {
    if out.is_empty() {
        writer.flush().await?;
        return Ok(0);
    }
    writer.write(out).await
}

/// Why the link is gone, when the event says so.
pub(super) fn detached<T>(event: &Event, asked: LinkId) -> Option<Result<T, Error>> {
    if let Event::Detached { link, error } = event
        && *link == asked
    {
        return Some(Err(read_error(error.as_ref())));
    }
    None
}

/// Sends, or says why not.
pub(super) fn send_failed(error: SendError) -> Error {
    Error::Lost(error.to_string())
}
