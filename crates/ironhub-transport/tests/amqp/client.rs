//! A client of whole calls: connect, put a token, attach, ask.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ironhub_amqp::cbs::{self, PutToken};
use ironhub_amqp::connection::{Config, Connection, Event, LinkId, Outgoing, SessionId, Side};
use ironhub_amqp::limits::ConnectionLimits;
use ironhub_amqp::message::MessageId;
use ironhub_amqp::performative::{AmqpError, Attach, DeliveryState, DeliveryTag, Role, Source, Target};
use ironhub_amqp::request::Reply;
use ironhub_amqp::sasl::Credentials;
use ironhub_hub::ports::EventLog;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::hub::{HOST, TestHub};

/// Longer than any time-out that a test has the runtime make pass.
const WATCHDOG: Duration = Duration::from_hours(1);

pub(crate) struct Client {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) amqp: Connection,
    pub(crate) session: Option<SessionId>,
    sent: u32,
    /// Tells the clients of one run apart.
    number: u32,
    audiences: u32,
}

static CLIENTS: AtomicU32 = AtomicU32::new(0);

/// What carries the protocol.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A pair of links to a node that answers requests.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) requests: LinkId,
    pub(crate) replies: LinkId,
}

/// How a request ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) description: String,
    pub(crate) condition: Option<String>,
}

impl Client {
    /// Opens a connection and a session; panics when it is not let in.
    pub(crate) async fn open(hub: &TestHub<impl EventLog>, credentials: Option<Credentials>) -> Self {
        let client = Self::knock(hub, credentials).await;
        client.expect("the connection opens").begun().await
    }

    /// The same over this stream, without SASL.
    pub(crate) async fn open_over(stream: impl Stream + 'static) -> Self {
        let client = Self::knock_over(Box::new(stream), None).await;
        client.expect("the connection opens").begun().await
    }

    async fn begun(self) -> Self {
        let mut client = self;
        let session = client.amqp.begin().expect("a session");
        client.session = Some(session);
        client
            .until(|event| matches!(event, Event::Begun(_)).then_some(()))
            .await;
        client
    }

    /// Tries to open a connection; `None` when the hub closes it.
    pub(crate) async fn knock(hub: &TestHub<impl EventLog>, credentials: Option<Credentials>) -> Option<Self> {
        let stream = TcpStream::connect(hub.address).await.unwrap();
        Self::knock_over(Box::new(stream), credentials).await
    }

    async fn knock_over(stream: Box<dyn Stream>, credentials: Option<Credentials>) -> Option<Self> {
        let now = Instant::now().into_std();
        let amqp = Connection::new(Config::client("client", HOST), Side::Client(credentials), now);
        let mut client = Self {
            stream,
            amqp,
            session: None,
            sent: 0,
            number: CLIENTS.fetch_add(1, Ordering::Relaxed),
            audiences: 0,
        };
        client.amqp.set_limits(ConnectionLimits::AUTHENTICATED);
        loop {
            match client.event().await? {
                Event::Opened(_) => return Some(client),
                Event::Closed { .. } => return None,
                _ => {}
            }
        }
    }

    /// Without SASL, with this token put.
    pub(crate) async fn with_token(hub: &TestHub<impl EventLog>, token: &str) -> Self {
        let mut client = Self::open(hub, None).await;
        let cbs = client.pair(cbs::NODE).await;
        assert_eq!(client.put_token(cbs, token).await, Answer::ok());
        client
    }

    pub(crate) async fn pair(&mut self, node: &str) -> Pair {
        let requests = self.sender(node).await.unwrap();
        let replies = self.receiver(node).await.unwrap();
        self.amqp.grant(replies, 100).unwrap();
        Pair { requests, replies }
    }

    pub(crate) async fn sender(&mut self, address: &str) -> Result<LinkId, AmqpError> {
        let mut attach = Attach::new(format!("sender-{address}"), Role::Sender);
        attach.target = Some(Target::at(address));
        attach.source = Some(Source::at("client"));
        self.attach(attach).await
    }

    pub(crate) async fn receiver(&mut self, address: &str) -> Result<LinkId, AmqpError> {
        let mut attach = Attach::new(format!("receiver-{address}"), Role::Receiver);
        attach.source = Some(Source::at(address));
        attach.target = Some(Target::at("client"));
        self.attach(attach).await
    }

    pub(crate) async fn attach(&mut self, attach: Attach) -> Result<LinkId, AmqpError> {
        let link = self.amqp.attach(self.session.unwrap(), attach).unwrap();
        self.until(|event| match event {
            Event::Attached { link: own, .. } if own == link => Some(Ok(link)),
            Event::Detached { link: own, error } if own == link => Some(Err(error.expect("a reason"))),
            _ => None,
        })
        .await
    }

    /// Sends a message once there is credit.
    pub(crate) async fn send(&mut self, link: LinkId, payload: &[u8]) {
        while !self.amqp.can_send(link) {
            self.event().await.expect("the connection lives");
        }
        self.sent += 1;
        let outgoing = Outgoing {
            tag: DeliveryTag::counted(self.sent),
            message_format: 0,
            settled: false,
        };
        self.amqp
            .send(link, outgoing, |out| out.extend_from_slice(payload))
            .unwrap();
    }

    pub(crate) async fn put_token(&mut self, cbs: Pair, token: &str) -> Answer {
        // Each its own, so that refusals do not add up their delays.
        self.audiences += 1;
        let put = PutToken {
            kind: "servicebus.windows.net:sastoken",
            audience: &format!("{HOST}/{}/{}", self.number, self.audiences),
            token,
        };
        let mut payload = Vec::new();
        put.write(&mut payload, MessageId::Ulong(1), "client");
        self.ask(cbs, &payload).await.0
    }

    /// Sends a request; the reply's status and whole message. The request is accepted before.
    pub(crate) async fn ask(&mut self, pair: Pair, request: &[u8]) -> (Answer, Vec<u8>) {
        self.send(pair.requests, request).await;
        let state = self
            .until(|event| match event {
                Event::Disposition { state, .. } => Some(state),
                Event::Delivery(_) => panic!("the reply came before the request was accepted"),
                _ => None,
            })
            .await;
        assert_eq!(state, DeliveryState::Accepted);
        let delivery = self
            .until(|event| match event {
                Event::Delivery(delivery) => Some(delivery),
                _ => None,
            })
            .await;
        assert_eq!(delivery.receipt.link(), pair.replies);
        let _ = self.amqp.settle(delivery.receipt, DeliveryState::Accepted);
        let reply = Reply::read(&delivery.payload).unwrap();
        let answer = Answer {
            code: reply.status.code,
            description: reply.status.description.into(),
            condition: reply.status.condition.map(Into::into),
        };
        (answer, delivery.payload)
    }

    /// The reason with which the hub ends a link.
    pub(crate) async fn detached(&mut self, link: LinkId) -> Option<AmqpError> {
        self.until(|event| match event {
            Event::Detached { link: own, error } if own == link => Some(error),
            _ => None,
        })
        .await
    }

    /// The reason with which the hub closes the connection.
    pub(crate) async fn closed(&mut self) -> Option<AmqpError> {
        self.until(|event| match event {
            Event::Closed { error } => Some(error),
            _ => None,
        })
        .await
    }

    pub(crate) async fn until<T>(&mut self, mut choose: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            let event = self.event().await.expect("the connection lives");
            if let Some(chosen) = choose(event) {
                return chosen;
            }
        }
    }

    /// The next event; `None` when the hub has closed the socket.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        loop {
            self.flush().await;
            if let Some(event) = self.amqp.poll_event() {
                return Some(event);
            }
            let mut bytes = [0; 4096];
            let read = timeout(WATCHDOG, self.stream.read(&mut bytes)).await;
            let count = read.expect("the hub says something").unwrap_or(0);
            if count == 0 {
                return None;
            }
            self.amqp.handle_bytes(&bytes[..count], Instant::now().into_std());
        }
    }

    pub(crate) async fn flush(&mut self) {
        // A large message follows its first piece.
        while !self.amqp.output().is_empty() {
            let output = self.amqp.output().to_vec();
            self.amqp.handle_written(output.len(), Instant::now().into_std());
            // A hub that has gone is noticed by reading.
            let _ = self.stream.write_all(&output).await;
        }
    }
}

impl Answer {
    pub(crate) fn ok() -> Self {
        Self {
            code: 200,
            description: "OK".into(),
            condition: None,
        }
    }
}
