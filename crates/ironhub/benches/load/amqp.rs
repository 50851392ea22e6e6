//! An AMQP client over any byte stream, for benchmarks and tests: logs in, attaches links, hands over what happens.

use std::error::Error;

use ironhub_amqp::connection::{Config, Connection, Event, LinkId, SessionId, Side};
use ironhub_amqp::limits::ConnectionLimits;
use ironhub_amqp::performative::{AmqpError, Attach, Role, Source, Target};
use ironhub_amqp::sasl::Credentials;
use ironhub_amqp::types::{Descriptor, Encoded, Value, encode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

const SELECTOR: &str = "apache.org:selector-filter:string";
const READ_BYTES: usize = 64 * 1024;

type Failure = Box<dyn Error + Send + Sync>;

/// Where and as whom to read: the parts of an Event Hubs connection string.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    policy: String,
    key: String,
    event_hub: String,
}

/// One connection with one session.
pub(crate) struct AmqpClient<S> {
    stream: S,
    pub(crate) amqp: Connection,
    session: Option<SessionId>,
    arrivals: Vec<u8>,
}

/// What a partition's reader asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) partition: u32,
    /// What follows `amqp.annotation.`; empty for the oldest event.
    pub(crate) selector: &'a str,
    pub(crate) level: Option<i64>,
}

impl Endpoint {
    /// Takes a connection string apart.
    pub(crate) fn parse(connection_string: &str) -> Option<Self> {
        let part = |name: &str| {
            let mut parts = connection_string.split(';');
            let value = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            value.map(str::to_owned)
        };
        Some(Self {
            policy: part("SharedAccessKeyName")?,
            key: part("SharedAccessKey")?,
            event_hub: part("EntityPath")?,
        })
    }

    /// The policy and its key.
    pub(crate) fn credentials(&self) -> (&str, &str) {
        (&self.policy, &self.key)
    }

    /// The link of a partition's reader.
    pub(crate) fn reader(&self, wish: &Wish<'_>) -> Attach {
        let partition = wish.partition;
        let mut source = Source::at(format!(
            "{}/ConsumerGroups/$Default/Partitions/{partition}",
            self.event_hub
        ));
        if !wish.selector.is_empty() {
            source.filter = Encoded::map(|map| {
                map.push(Value::Symbol(SELECTOR));
                map.nested(|out| {
                    encode::descriptor(out, Descriptor::Name(SELECTOR));
                    encode::value(out, format!("amqp.annotation.{}", wish.selector).as_str());
                });
            });
        }
        let mut attach = Attach::new(format!("reader-{partition}"), Role::Receiver);
        attach.source = Some(source);
        attach.target = Some(Target::at("reader"));
        if let Some(level) = wish.level {
            attach.properties = Encoded::map(|map| {
                map.push(Value::Symbol("com.microsoft:epoch"));
                map.push(level);
            });
        }
        attach
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AmqpClient<S> {
    /// Opens a connection as this user, and a session.
    pub(crate) async fn open(stream: S, (user, password): (&str, &str)) -> Result<Self, Failure> {
        let credentials = Credentials::Plain {
            authorization_id: String::new(),
            user: user.into(),
            password: password.into(),
        };
        let (config, side) = (Config::client("load", "127.0.0.1"), Side::Client(Some(credentials)));
        let mut amqp = Connection::new(config, side, Instant::now().into_std());
        amqp.set_limits(ConnectionLimits::AUTHENTICATED);
        let mut client = Self {
            stream,
            amqp,
            session: None,
            arrivals: vec![0; READ_BYTES],
        };
        while !matches!(client.event().await?, Event::Opened(_)) {}
        client.session = client.amqp.begin();
        while !matches!(client.event().await?, Event::Begun(_)) {}
        Ok(client)
    }

    /// Attaches a link; the inner error is the hub's refusal.
    pub(crate) async fn attach(&mut self, attach: Attach) -> Result<Result<LinkId, AmqpError>, Failure> {
        let session = self.session.ok_or("no session")?;
        let link = self.amqp.attach(session, attach)?;
        loop {
            let event = self.event().await?;
            if matches!(event, Event::Attached { link: own, .. } if own == link) {
                return Ok(Ok(link));
            }
            if let Event::Detached { link: own, error } = event
                && own == link
            {
                return Ok(Err(error.ok_or("no reason")?));
            }
        }
    }

    /// What the hub did next. Sends what waits before it waits itself.
    pub(crate) async fn event(&mut self) -> Result<Event, Failure> {
        loop {
            if let Some(event) = self.amqp.poll_event() {
                return Ok(event);
            }
            self.flush().await?;
            let count = self.stream.read(&mut self.arrivals).await?;
            let bytes = self.arrivals.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                return Err("the hub has closed the connection".into());
            }
            self.amqp.handle_bytes(bytes, Instant::now().into_std());
        }
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        // A large message follows its first piece.
        while !self.amqp.output().is_empty() {
            let output = self.amqp.output().to_vec();
            self.amqp.handle_written(output.len(), Instant::now().into_std());
            self.stream.write_all(&output).await?;
        }
        Ok(self.stream.flush().await?)
    }
}
