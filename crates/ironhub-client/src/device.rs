//! The device side: telemetry, cloud-to-device messages, direct methods, the twin.

mod builder;
mod c2d;
mod command;
mod link;
mod message;
mod method;
mod session;
mod state;
mod twin;
mod worker;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use ironhub_dialect::mqtt::subscription::Subscription;
use ironhub_dialect::mqtt::topic::DeviceTopics;
use ironhub_model::{ConnectionString, IdentityId};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

pub use self::builder::{DeviceClientBuilder, Transport};
pub use self::c2d::{C2dStream, ReceivedMessage};
pub use self::message::Telemetry;
pub use self::method::{MethodRequest, MethodResponse};
pub use self::state::ConnectionState;
pub use self::twin::{DesiredChange, DesiredStream, DeviceTwin, Section};

use self::c2d::{Delivery, Epoch};
use self::command::{Answer, Command, Outgoing};
use self::method::Handlers;
use self::twin::DesiredQueue;
use self::worker::Worker;
use crate::error::Error;

/// A device, or a module of one, and its connection to a hub.
///
/// The connection is a task of its own: it reconnects as the [`RetryPolicy`](crate::RetryPolicy) says, renews tokens
/// before they end, subscribes anew, and sends again what the hub has not acknowledged. What a method of this client
/// returns is the hub's answer, however many connections that took; who wants to wait no longer uses
/// `tokio::time::timeout`.
///
/// Clones share the connection. It ends when all of them are dropped, or by [`close`](Self::close), which waits.
///
/// ```no_run
/// use ironhub_client::{DeviceClient, MethodResponse, Telemetry, Trust};
/// use serde_json::json;
///
/// # async fn example() -> Result<(), ironhub_client::Error> {
/// let device = DeviceClient::builder("HostName=localhost;DeviceId=wind-1;SharedAccessKey=…")?
///     .trust(Trust::ca_file("ca.pem")?)
///     .connect()
///     .await?;
///
/// device.on_method("reboot", |_request| async { MethodResponse::from(json!({ "rebooting": true })) }).await?;
/// device.update_reported(json!({ "firmware": "1.4.2" })).await?;
/// device.send_telemetry(Telemetry::json(&json!({ "windSpeed": 11.5 }))?).await?;
///
/// let mut orders = device.c2d().await?;
/// while let Some(order) = orders.next().await {
///     println!("{}", String::from_utf8_lossy(&order.body));
///     order.complete().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DeviceClient(Arc<Shared>);

struct Shared {
    id: IdentityId,
    topics: DeviceTopics,
    messages: mpsc::Sender<Outgoing>,
    commands: mpsc::Sender<Command>,
    close: watch::Sender<bool>,
    state: watch::Receiver<ConnectionState>,
    is_tls_resumed: Arc<AtomicBool>,
    epoch: Epoch,
    /// Until somebody takes it.
    deliveries: Mutex<Option<mpsc::Receiver<Delivery>>>,
    desired: Arc<DesiredQueue>,
    handlers: Handlers,
    /// One reported patch at a time, so that one that is sent again never overtakes a later one.
    report_turn: Semaphore,
}

/// The hub's answer to one message; await it to know that the message is safe. Dropping it does not take the message
/// back.
#[derive(Debug)]
#[must_use = "a message is safe when its acknowledgement has come"]
pub struct Acknowledgement(oneshot::Receiver<Result<(), Error>>);

impl DeviceClient {
    /// A client for the device or module that this connection string names.
    pub fn builder(connection_string: &str) -> Result<DeviceClientBuilder, Error> {
        connection_string.parse()
    }

    /// The same for a connection string that is parsed already.
    pub fn builder_for(connection: ConnectionString) -> DeviceClientBuilder {
        DeviceClientBuilder::new(connection)
    }

    /// Whom this client speaks for.
    pub fn id(&self) -> &IdentityId {
        &self.0.id
    }

    /// Whether there is a connection, now and whenever that changes.
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.0.state.clone()
    }

    /// Whether the newest connection resumed the TLS session of an earlier one: that spares both ends a certificate and
    /// its signature. False before the hub has accepted the first.
    pub fn is_tls_resumed(&self) -> bool {
        self.0.is_tls_resumed.load(Ordering::Relaxed)
    }

    /// Sends a message and waits for the hub's acknowledgement: then the message is durable.
    ///
    /// Without a connection this waits until there is one. A message whose connection breaks before the
    /// acknowledgement came is sent again, so the hub may have it twice.
    pub async fn send_telemetry(&self, message: impl Into<Telemetry>) -> Result<(), Error> {
        self.submit_telemetry(message).await?.await
    }

    /// Hands a message to the connection and returns without the acknowledgement, so that many can be on their way.
    /// Waits while too many are. Messages of one client go, and are acknowledged, in the order of this call.
    pub async fn submit_telemetry(&self, message: impl Into<Telemetry>) -> Result<Acknowledgement, Error> {
        let (topic, payload) = message.into().into_packet(&self.0.topics)?;
        let (done, answer) = oneshot::channel();
        let message = Outgoing { topic, payload, done };
        match self.0.messages.send(message).await {
            Ok(()) => Ok(Acknowledgement(answer)),
            Err(_) => Err(self.end()),
        }
    }

    /// The device's cloud-to-device messages. There is one stream for each client; a second call fails.
    pub async fn c2d(&self) -> Result<C2dStream, Error> {
        let taken = || Error::Configuration("the stream of cloud-to-device messages is taken already".to_owned());
        let deliveries = || self.0.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        if deliveries().is_none() {
            return Err(taken());
        }
        self.subscribe(Subscription::C2d).await?;
        // Not before: a call that fails, or that nobody waits for any more, leaves the stream to another.
        let deliveries = deliveries().take().ok_or_else(taken)?;
        let commands = self.0.commands.downgrade();
        Ok(C2dStream::new(deliveries, commands, self.0.epoch.clone()))
    }

    /// Has `handler` answer a direct method. Handlers run side by side, each in a task of its own; a later one for the
    /// same name replaces the earlier. Methods without a handler are answered with status 501.
    ///
    /// A handler that holds this client keeps it from being dropped; close it then, but not within the handler:
    /// [`close`](Self::close) waits for its answer.
    pub async fn on_method<F, A>(&self, name: &str, handler: F) -> Result<(), Error>
    where
        F: Fn(MethodRequest) -> A + Send + Sync + 'static,
        A: Future<Output = MethodResponse> + Send + 'static,
    {
        self.0.handlers.set(name, handler);
        self.subscribe(Subscription::Methods).await
    }

    /// Has `handler` answer every direct method that has no handler of its own, as [`Self::on_method`] does for one name.
    pub async fn on_other_methods<F, A>(&self, handler: F) -> Result<(), Error>
    where
        F: Fn(MethodRequest) -> A + Send + Sync + 'static,
        A: Future<Output = MethodResponse> + Send + 'static,
    {
        self.0.handlers.set_other(handler);
        self.subscribe(Subscription::Methods).await
    }

    /// Reads the twin.
    pub async fn twin(&self) -> Result<DeviceTwin, Error> {
        self.ask(Command::TwinGet).await
    }

    /// Merges this JSON object into the reported properties; `null` deletes. Returns their new version.
    pub async fn update_reported(&self, patch: Value) -> Result<u64, Error> {
        let _turn = self.0.report_turn.acquire().await;
        self.ask(|done| Command::Report(patch, done)).await
    }

    /// The desired properties: all of them at first, then each change. Any number of reconnects leave no gap. There is
    /// one stream of news; of several readers each gets a part.
    pub async fn desired(&self) -> Result<DesiredStream, Error> {
        self.subscribe(Subscription::Desired).await?;
        Ok(DesiredStream::new(Arc::clone(&self.0.desired)))
    }

    /// Ends the connection in order: what was submitted goes out and is waited for, running methods are answered, ten
    /// seconds at most. Without a connection one is made for messages that were submitted, in the same time; without
    /// any this returns at once. Whoever waits after that gets [`Error::Closed`].
    pub async fn close(&self) {
        self.0.close.send_replace(true);
        let mut state = self.state();
        // Fails when the task is gone, which is just as well.
        let _ = state
            .wait_for(|state| matches!(state, ConnectionState::Closed { .. }))
            .await;
    }

    fn new(
        worker: &Worker,
        deliveries: mpsc::Receiver<Delivery>,
        (messages, commands): (mpsc::Sender<Outgoing>, mpsc::Sender<Command>),
        (close, state): (watch::Sender<bool>, watch::Receiver<ConnectionState>),
    ) -> Self {
        let id = worker.connector.id.clone();
        Self(Arc::new(Shared {
            topics: DeviceTopics::new(&id),
            id,
            messages,
            commands,
            close,
            state,
            is_tls_resumed: Arc::clone(&worker.connector.is_resumed),
            epoch: worker.epoch.clone(),
            deliveries: Mutex::new(Some(deliveries)),
            desired: Arc::clone(&worker.desired),
            handlers: worker.handlers.clone(),
            report_turn: Semaphore::new(1),
        }))
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<(), Error> {
        self.ask(|done| Command::Subscribe(subscription, done)).await
    }

    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, Error> {
        let (done, answer) = oneshot::channel();
        self.0.commands.send(command(done)).await.map_err(|_| self.end())?;
        answer.await.unwrap_or_else(|_| Err(self.end()))
    }

    /// Why the connection's task is gone.
    fn end(&self) -> Error {
        if let ConnectionState::Closed { error: Some(error) } = &*self.0.state.borrow() {
            return error.clone();
        }
        Error::Closed
    }
}

impl fmt::Debug for DeviceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceClient")
            .field("id", &self.0.id)
            .finish_non_exhaustive()
    }
}

impl Future for Acknowledgement {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|answer| answer.unwrap_or(Err(Error::Closed)))
    }
}
