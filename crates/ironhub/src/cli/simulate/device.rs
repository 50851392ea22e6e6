//! One simulated device.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use ironhub_client::device::Acknowledgement;
use ironhub_client::{
    C2dStream, DesiredChange, DesiredStream, DeviceClient, Error, MethodRequest, MethodResponse, ServiceClient,
    Settlement,
};
use ironhub_model::DeviceId;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::orders::Orders;
use super::totals::{Count, Totals};
use crate::cli::dice::Dice;
use crate::cli::interrupt::Interrupt;
use crate::cli::progress::Progress;
use crate::cli::table::visible;

/// Messages that wait for their acknowledgement.
const WAITING_MAX: usize = 64;
/// After an empty queue is looked at over HTTPS.
const QUEUE_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Simulated {
    pub(super) client: DeviceClient,
    /// Receives messages from the cloud over HTTPS; over MQTT when none.
    pub(super) queue: Option<ServiceClient>,
    pub(super) orders: Arc<Orders>,
    pub(super) totals: Arc<Totals>,
    /// Where what the device hears is told.
    pub(super) notes: Option<Arc<Progress>>,
    /// Among the others, from 0.
    pub(super) place: u32,
}

impl Simulated {
    /// Until all messages are sent and acknowledged, or somebody asks to end; leaves the hub in order.
    pub(super) async fn live(self, interrupt: Interrupt) -> Result<(), Error> {
        let lived = tokio::select! {
            lived = self.act(interrupt.clone()) => lived,
            () = self.close_when_asked(interrupt.clone()) => Ok(()),
        };
        self.client.close().await;
        lived.or_else(|error| if interrupt.is_asked() { Ok(()) } else { Err(error) })
    }

    /// Closing waits for acknowledgements, a while; whoever waits for one hears of it then. Never returns.
    async fn close_when_asked(&self, mut interrupt: Interrupt) {
        interrupt.asked().await;
        self.client.close().await;
        pending::<()>().await;
    }

    async fn act(&self, interrupt: Interrupt) -> Result<(), Error> {
        self.answer_methods().await?;
        if let Some(reported) = &self.orders.reported {
            self.client.update_reported(reported.clone()).await?;
        }
        let desired = self.client.desired().await?;
        tokio::select! {
            sent = self.send(interrupt) => sent,
            failed = self.receive() => failed,
            failed = self.follow(desired) => failed,
        }
    }

    async fn answer_methods(&self) -> Result<(), Error> {
        let (orders, totals, notes) = (Arc::clone(&self.orders), Arc::clone(&self.totals), self.notes.clone());
        let answer = move |request: MethodRequest| {
            let payload = orders.method_payload.clone().unwrap_or_else(|| echo(&request));
            totals.add(Count::Methods);
            if let Some(notes) = &notes {
                let asked = String::from_utf8_lossy(&request.payload);
                let (name, asked) = (visible(&request.name), visible(&asked));
                notes.note(&format!("method {name} {asked}: answered {}", orders.method_status));
            }
            let response = MethodResponse::json(orders.method_status, &payload);
            async move { response }
        };
        self.client.on_other_methods(answer).await
    }

    /// Sends what is due and waits for acknowledgements beside that: a hub that is away for a while holds nothing up.
    async fn send(&self, mut interrupt: Interrupt) -> Result<(), Error> {
        let (waiting, mut flying) = mpsc::channel::<Acknowledgement>(WAITING_MAX);
        // Owns the channel's entrance: the receiver's loop ends with it.
        let send = async move {
            let (id, mut dice) = (self.client.id().to_string(), Dice::thrown());
            let mut schedule = self.orders.schedule(self.place);
            for n in 1..=self.orders.msg_count {
                tokio::select! {
                    () = schedule.turn() => {}
                    () = interrupt.asked() => break,
                }
                let message = self.orders.message.make(&id, n, &mut dice);
                let acknowledgement = self.client.submit_telemetry(message).await?;
                self.totals.add(Count::Sent);
                let _ = waiting.send(acknowledgement).await;
            }
            Ok(())
        };
        let receive = async {
            while let Some(acknowledgement) = flying.recv().await {
                let outcome = acknowledgement.await;
                self.totals.add(if outcome.is_ok() {
                    Count::Acknowledged
                } else {
                    Count::Failed
                });
            }
        };
        tokio::join!(send, receive).0
    }

    /// Takes messages from the cloud; returns only with an error.
    async fn receive(&self) -> Result<(), Error> {
        match &self.queue {
            Some(service) => self.poll_queue(service, &self.client.id().device).await,
            None => self.complete_all(self.client.c2d().await?).await,
        }
    }

    async fn complete_all(&self, mut messages: C2dStream) -> Result<(), Error> {
        while let Some(message) = messages.next().await {
            let body = message.body.clone();
            match message.complete().await {
                Ok(()) => self.settled(&body, "completed"),
                Err(Error::LockLost) => {} // It comes again.
                Err(error) => return Err(error),
            }
        }
        pending().await // The client has ended; the sender hears why.
    }

    async fn poll_queue(&self, service: &ServiceClient, device: &DeviceId) -> Result<(), Error> {
        let done = match self.orders.settlement {
            Settlement::Complete => "completed",
            Settlement::Abandon => "abandoned",
            Settlement::Reject => "rejected",
        };
        loop {
            match service.receive_c2d(device, None).await {
                Ok(Some(queued)) => {
                    service
                        .settle_c2d(device, queued.lock_token, self.orders.settlement)
                        .await?;
                    self.settled(&queued.message.body, done);
                    if self.orders.settlement == Settlement::Abandon {
                        sleep(QUEUE_PAUSE).await; // It is there again at once.
                    }
                }
                Ok(None) => sleep(QUEUE_PAUSE).await,
                Err(error) if error.is_transient() => sleep(QUEUE_PAUSE).await,
                Err(error) => return Err(error),
            }
        }
    }

    fn settled(&self, body: &[u8], how: &str) {
        self.totals.add(Count::C2d);
        let body = visible(&String::from_utf8_lossy(body));
        self.note(format_args!("message from the cloud {body}: {how}"));
    }

    /// Reports each change of desired properties as done; ends only with an error.
    async fn follow(&self, mut desired: DesiredStream) -> Result<(), Error> {
        let mut is_first = true;
        while let Some(change) = desired.next().await {
            let (DesiredChange::All(section) | DesiredChange::Patch(section)) = change;
            // What was wanted before the device came is no change.
            if std::mem::take(&mut is_first) {
                continue;
            }
            let patch = Value::Object(section.properties);
            self.note(format_args!(
                "desired properties {}: reported",
                visible(&patch.to_string())
            ));
            self.client.update_reported(patch).await?;
            self.totals.add(Count::Desired);
        }
        pending().await // The client has ended; the sender hears why.
    }

    fn note(&self, line: std::fmt::Arguments<'_>) {
        if let Some(notes) = &self.notes {
            notes.note(&line.to_string());
        }
    }
}

/// Tells who called what.
fn echo(request: &MethodRequest) -> Value {
    let payload = request.json::<Value>().unwrap_or_default();
    json!({ "methodName": request.name, "methodRequestPayload": payload })
}
