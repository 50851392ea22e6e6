//! What simulated devices are told to do.

use std::time::Duration;

use ironhub_client::{Settlement, Telemetry};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::template::{InvalidTemplate, Template, Values};
use crate::cli::clock;
use crate::cli::dice::Dice;
use crate::cli::pace::Pace;
use crate::cli::property_list::PropertyList;

/// The content type and encoding by their names among properties.
const CONTENT_TYPE: &str = "$.ct";
const CONTENT_ENCODING: &str = "$.ce";

/// The same for all devices of a simulation.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) message: MessageForm,
    /// Of each device.
    pub(super) msg_count: u64,
    pub(super) interval: Duration,
    /// Their first messages are spread over one interval.
    pub(super) devices: u32,
    /// Messages a second of all devices, in place of the interval.
    pub(super) rate: Option<f64>,
    /// The same once it has begun.
    pub(super) pace: Option<Pace>,
    pub(super) method_status: i32,
    /// What was asked, when none.
    pub(super) method_payload: Option<Value>,
    pub(super) reported: Option<Value>,
    pub(super) settlement: Settlement,
}

/// How a message is made.
#[derive(Debug)]
pub(super) struct MessageForm {
    body: Template,
    properties: Vec<(String, Template)>,
}

/// When one device sends.
#[derive(Debug)]
pub(super) struct Schedule<'a> {
    orders: &'a Orders,
    next: Instant,
}

impl Orders {
    /// The schedule of all devices begins.
    pub(super) fn begin_now(mut self) -> Self {
        self.pace = self.rate.map(|rate| Pace::new(Instant::now(), rate));
        self
    }

    /// The schedule of the device at this place.
    pub(super) fn schedule(&self, place: u32) -> Schedule<'_> {
        let share = f64::from(place) / f64::from(self.devices.max(1));
        Schedule {
            orders: self,
            next: Instant::now() + self.interval.mul_f64(share),
        }
    }
}

impl Schedule<'_> {
    /// Returns when it is time for the device's next message.
    pub(super) async fn turn(&mut self) {
        if let Some(pace) = &self.orders.pace {
            return sleep_until(pace.take().due).await;
        }
        sleep_until(self.next).await;
        self.next += self.orders.interval;
    }
}

impl MessageForm {
    /// A body that looks like JSON is declared to be it unless the properties say what it is: routes read no other.
    pub(super) fn new(body: Template, PropertyList(properties): &PropertyList) -> Result<Self, InvalidTemplate> {
        let parse = |(name, value): &(String, String)| Ok((name.clone(), value.parse()?));
        let mut properties = properties.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let is_declared = properties
            .iter()
            .any(|(name, _)| name == CONTENT_TYPE || name == CONTENT_ENCODING);
        if body.looks_like_json() && !is_declared {
            properties.push((CONTENT_TYPE.to_owned(), Template::of("application/json")));
            properties.push((CONTENT_ENCODING.to_owned(), Template::of("utf-8")));
        }
        Ok(Self { body, properties })
    }

    /// The device's message with this number, counted from 1.
    pub(super) fn make(&self, device: &str, n: u64, dice: &mut Dice) -> Telemetry {
        let time = clock::now();
        let values = Values { device, n, time };
        let message = Telemetry::new(self.body.fill(values, dice));
        // System properties travel among the others: the hub knows them by their names.
        self.properties.iter().fold(message, |message, (name, value)| {
            message.property(name, value.fill(values, dice))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(body: &str, properties: &str) -> Result<MessageForm, InvalidTemplate> {
        MessageForm::new(body.parse()?, &properties.parse().unwrap())
    }

    #[track_caller]
    fn check(body: &str, properties: &str, expected: &Telemetry) {
        assert_eq!(
            form(body, properties).unwrap().make("d", 3, &mut Dice::of(1)),
            *expected
        );
    }

    #[test]
    fn json_is_declared_unless_the_properties_say_what_the_body_is() {
        let json = Telemetry::new(r#"{"n":3}"#);
        let declared = json.clone().property("$.ct", "application/json");
        check(r#"{"n":{n}}"#, "", &declared.property("$.ce", "utf-8"));
        check(r#"{"n":{n}}"#, "$.ct=x", &json.property("$.ct", "x"));
        let ping = Telemetry::new("ping 3").property("a", "d").property("b", "1");
        check("ping {n}", "a={device};b=1", &ping);
        assert!(form("", "a={nothing}").is_err());
    }

    fn orders(interval_s: u64, rate: Option<f64>) -> Orders {
        Orders {
            message: form("", "").unwrap(),
            msg_count: 1,
            interval: Duration::from_secs(interval_s),
            devices: 4,
            rate,
            pace: None,
            method_status: 200,
            method_payload: None,
            reported: None,
            settlement: Settlement::Complete,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn devices_do_not_send_all_at_once() {
        let began = Instant::now();
        let orders = orders(8, None).begin_now();
        let (mut first, mut last) = (orders.schedule(0), orders.schedule(3));
        let mut seen = Vec::new();
        first.turn().await;
        seen.push(began.elapsed().as_secs());
        last.turn().await;
        seen.push(began.elapsed().as_secs());
        first.turn().await;
        seen.push(began.elapsed().as_secs());
        assert_eq!(seen, [0, 6, 8]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_that_of_all_devices_together() {
        let began = Instant::now();
        let orders = orders(8, Some(0.5)).begin_now();
        let (mut one, mut other) = (orders.schedule(0), orders.schedule(1));
        one.turn().await;
        other.turn().await;
        one.turn().await;
        assert_eq!(began.elapsed(), Duration::from_secs(4));
    }
}
