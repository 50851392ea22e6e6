//! The life of one demonstration device.

use std::time::Duration;

use ironhub_client::{DesiredChange, DesiredStream, DeviceClient, Error, MethodRequest, MethodResponse, Telemetry};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::info;

use super::kind::{Act, INTERVAL, Kind};
use super::settings::Settings;
use crate::cli::{Dice, now};

/// Above this a thermostat's messages say so in a property, for routes to look at.
const ALERT_TEMPERATURE: f64 = 28.0;

pub(super) struct Thing {
    client: DeviceClient,
    kind: &'static Kind,
    settings: watch::Sender<Settings>,
}

impl Thing {
    pub(super) fn new(client: DeviceClient, kind: &'static Kind) -> Self {
        let settings = watch::Sender::new(Settings::new(kind.settings));
        Self { client, kind, settings }
    }

    /// Until it is stopped.
    pub(super) async fn live(self, mut stopped: watch::Receiver<bool>) -> Result<(), Error> {
        let lived = tokio::select! {
            lived = self.act() => lived,
            _ = stopped.wait_for(|stop| *stop) => Ok(()),
        };
        self.client.close().await;
        lived
    }

    async fn act(&self) -> Result<(), Error> {
        self.answer_methods().await?;
        let mut reported = self.settings.borrow().to_json();
        reported.insert("firmware".to_owned(), self.kind.firmware.into());
        self.client.update_reported(Value::Object(reported)).await?;
        let desired = self.client.desired().await?;
        tokio::try_join!(self.send(), self.follow(desired), self.obey())?;
        Ok(())
    }

    async fn send(&self) -> Result<(), Error> {
        let (mut measured, mut dice, mut settings) = (0.0, Dice::thrown(), self.settings.subscribe());
        loop {
            let now = settings.borrow_and_update().clone();
            let body = (self.kind.measure)(&now, &mut measured, &mut dice);
            let is_hot = body
                .get("temperature")
                .and_then(Value::as_f64)
                .map(|now| now > ALERT_TEMPERATURE);
            let mut message = Telemetry::json(&body)?;
            if let Some(is_hot) = is_hot {
                message = message.property("temperatureAlert", is_hot.to_string());
            }
            self.client.send_telemetry(message).await?;
            let pause = Duration::try_from_secs_f64(now.value(INTERVAL)).unwrap_or(Duration::from_secs(1));
            tokio::select! {
                () = sleep(pause) => {}
                changed = settings.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }

    /// Does as desired properties say and reports what it does.
    async fn follow(&self, mut desired: DesiredStream) -> Result<(), Error> {
        while let Some(change) = desired.next().await {
            let (DesiredChange::All(section) | DesiredChange::Patch(section)) = change;
            let mut reported = serde_json::Map::new();
            self.settings
                .send_modify(|settings| reported = settings.take(&section.properties));
            if !reported.is_empty() {
                self.client.update_reported(Value::Object(reported)).await?;
            }
        }
        Ok(())
    }

    /// Completes every message from the cloud; modules get none.
    async fn obey(&self) -> Result<(), Error> {
        if self.client.id().module.is_some() {
            return Ok(());
        }
        let mut orders = self.client.c2d().await?;
        while let Some(order) = orders.next().await {
            info!(device_id = %self.client.id(), bytes = order.body.len(), "a demonstration device has a message");
            match order.complete().await {
                Ok(()) | Err(Error::LockLost) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn answer_methods(&self) -> Result<(), Error> {
        let (client, settings) = (self.client.clone(), self.settings.clone());
        let reboot = move |_: MethodRequest| {
            let (client, settings) = (client.clone(), settings.clone());
            async move {
                settings.send_modify(|settings| settings.reset(INTERVAL));
                report(
                    client,
                    json!({ "lastReboot": now(), INTERVAL: settings.borrow().value(INTERVAL) }),
                );
                MethodResponse::from(json!({ "rebooting": true }))
            }
        };
        self.client.on_method("reboot", reboot).await?;
        let (client, settings) = (self.client.clone(), self.settings.clone());
        let set_interval = move |request: MethodRequest| {
            let answer = set_interval(&settings, &request);
            if let Ok(interval) = &answer {
                report(client.clone(), interval.clone());
            }
            async move { answer.map_or_else(|refusal| refusal, MethodResponse::from) }
        };
        self.client.on_method("setInterval", set_interval).await?;
        for (name, act) in self.kind.methods {
            self.answer(name, *act).await?;
        }
        Ok(())
    }

    /// By what changes the settings and needs no payload.
    async fn answer(&self, name: &str, act: Act) -> Result<(), Error> {
        let (client, settings) = (self.client.clone(), self.settings.clone());
        let handler = move |_: MethodRequest| {
            let mut response = MethodResponse::status(500);
            settings.send_modify(|settings| response = act(settings));
            report(client.clone(), Value::Object(settings.borrow().to_json()));
            async move { response }
        };
        self.client.on_method(name, handler).await
    }
}

/// Takes `{"seconds": 5}` or `5`.
fn set_interval(settings: &watch::Sender<Settings>, request: &MethodRequest) -> Result<Value, MethodResponse> {
    let payload = request.json::<Value>().unwrap_or_default();
    let seconds = payload.get("seconds").unwrap_or(&payload).as_f64();
    let mut is_set = false;
    settings.send_modify(|settings| is_set = seconds.is_some_and(|seconds| settings.set(INTERVAL, seconds)));
    if is_set {
        return Ok(json!({ INTERVAL: seconds }));
    }
    let message = "setInterval takes a number of seconds from 0.1 to 3600, such as {\"seconds\": 5}";
    Err(MethodResponse::json(400, &json!({ "error": message })))
}

/// Behind the answer's back: the caller of a method does not wait for the twin.
fn report(client: DeviceClient, properties: Value) {
    tokio::spawn(async move {
        // A device that is just leaving has nothing to report any more.
        let _ = client.update_reported(properties).await;
    });
}

#[cfg(test)]
mod tests {
    use super::super::kind::KINDS;
    use super::*;

    fn set(payload: &'static str) -> (bool, f64) {
        let settings = watch::Sender::new(Settings::new(KINDS[0].settings));
        let request = MethodRequest {
            name: "setInterval".to_owned(),
            payload: payload.into(),
        };
        let is_set = set_interval(&settings, &request).is_ok();
        (is_set, settings.borrow().value(INTERVAL))
    }

    #[test]
    fn an_interval_is_set_by_a_number_that_can_be_one() {
        for (payload, expected) in [
            (r#"{"seconds": 5}"#, (true, 5.0)),
            ("0.5", (true, 0.5)),
            ("0", (false, 2.0)),
            ("", (false, 2.0)),
            (r#"{"seconds": "soon"}"#, (false, 2.0)),
        ] {
            assert_eq!(set(payload), expected, "{payload}");
        }
    }
}
