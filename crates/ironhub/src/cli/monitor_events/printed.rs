//! An event as the Azure command line prints it.

use ironhub_client::Event;
use ironhub_model::Timestamp;
use serde_json::{Map, Value, json};

use crate::cli::text_encoding::{NON_DECODABLE, TextEncoding};

/// The sender's standard properties; everything else among the system properties is the hub's annotation.
const STANDARD: &[&str] = &[
    "absolute-expiry-time",
    "content-encoding",
    "content-type",
    "correlation-id",
    "creation-time",
    "message-id",
    "to",
    "user-id",
];

/// Times that are told in milliseconds since 1970, as AMQP carries them.
const TIMES: &[&str] = &[
    "absolute-expiry-time",
    "creation-time",
    "iothub-enqueuedtime",
    "x-opt-enqueued-time",
];

/// Where a Plug and Play device names its interface: the first and the second version of the convention.
const INTERFACES: [&str; 2] = ["iothub-interface-name", "dt-dataschema"];

/// What of an event's properties is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Properties {
    /// Message annotations: what the hub wrote on it
    Anno,
    /// System properties
    Sys,
    /// Application properties
    App,
    /// All of them
    All,
}

/// How events are printed.
#[derive(Debug, Default)]
pub(super) struct Printer<'a> {
    pub(super) properties: &'a [Properties],
    /// In place of the events' own.
    pub(super) content_type: Option<&'a str>,
}

impl Printer<'_> {
    /// `{"event": {"origin": …, "module": …, "interface": …, "component": …, "payload": …}}`.
    pub(super) fn print(&self, event: &Event) -> Value {
        let mut printed = Map::new();
        let mut put = |name: &str, value: Value| printed.insert(name.to_owned(), value);
        put("origin", event.device_id().unwrap_or_default().into());
        put("module", event.module_id().unwrap_or_default().into());
        put("interface", interface(event).into());
        put("component", text(event, "dt-subject").into());
        if !self.properties.is_empty() {
            put("properties", self.properties(event));
        }
        if self.wants(Properties::Anno) {
            put(
                "annotations",
                section(event, |name| !STANDARD.contains(&name), str::to_owned),
            );
        }
        put("payload", self.payload(event));
        json!({ "event": printed })
    }

    fn properties(&self, event: &Event) -> Value {
        let mut printed = Map::new();
        let system = section(event, |name| STANDARD.contains(&name), |name| name.replace('-', "_"));
        if self.wants(Properties::Sys) && system.as_object().is_some_and(|system| !system.is_empty()) {
            printed.insert("system".to_owned(), system);
        }
        if self.wants(Properties::App) {
            printed.insert("application".to_owned(), event.properties.clone().into());
        }
        printed.into()
    }

    fn wants(&self, wanted: Properties) -> bool {
        self.properties.contains(&wanted) || self.properties.contains(&Properties::All)
    }

    /// JSON where the content type says so and the body is; text otherwise.
    pub(super) fn payload(&self, event: &Event) -> Value {
        let declared = TextEncoding::parse(text(event, "content-encoding"));
        let mut encodings = declared.into_iter().chain([TextEncoding::Utf8]);
        let Some(payload) = encodings.find_map(|encoding| encoding.decode(&event.body)) else {
            return NON_DECODABLE.into();
        };
        let content_type = self.content_type.unwrap_or_else(|| text(event, "content-type"));
        if content_type.to_ascii_lowercase().contains("application/json")
            && let Ok(json) = serde_json::from_str(&payload)
        {
            return json;
        }
        payload.into()
    }
}

/// The Plug and Play interface that the event is of.
pub(super) fn interface(event: &Event) -> &str {
    let mut named = INTERFACES.into_iter().map(|name| text(event, name));
    named.find(|interface| !interface.is_empty()).unwrap_or_default()
}

fn text<'a>(event: &'a Event, name: &str) -> &'a str {
    event
        .system_properties
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn section(event: &Event, is_part: impl Fn(&str) -> bool, spelled: impl Fn(&str) -> String) -> Value {
    let part = event.system_properties.iter().filter(|(name, _)| is_part(name));
    let printed = part.map(|(name, value)| {
        let time = value.as_str().filter(|_| TIMES.contains(&name.as_str()));
        let time_ms = time
            .and_then(|time| Timestamp::parse(time).ok())
            .map(Timestamp::as_millis);
        (spelled(name), time_ms.map_or_else(|| value.clone(), Value::from))
    });
    Value::Object(printed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(system: Value, body: &[u8]) -> Event {
        let Value::Object(system_properties) = system else {
            panic!("not an object: {system}");
        };
        Event {
            partition: "0".into(),
            sequence_number: 7,
            offset: "7".into(),
            enqueued_at: Timestamp::from_millis(1_700_000_000_123),
            system_properties,
            properties: Map::from_iter([("alert".to_owned(), json!("true"))]),
            body: body.into(),
        }
    }

    fn full() -> Event {
        let system = json!({
            "message-id": "m-1",
            "content-type": "application/json",
            "absolute-expiry-time": "2023-11-14T22:13:20Z",
            "iothub-connection-device-id": "wind-1",
            "iothub-connection-module-id": "m1",
            "dt-dataschema": "dtmi:example:Wind;1",
            "dt-subject": "rotor",
            "x-opt-enqueued-time": "2023-11-14T22:13:20.123Z",
        });
        event(system, br#"{"windSpeed":11.5}"#)
    }

    /// The forms are those of `azext_iot/monitor/parsers/common_parser.py` in `Azure/azure-iot-cli-extension`.
    #[track_caller]
    fn check(properties: &[Properties], event: &Event, expected: &Value) {
        let printer = Printer {
            properties,
            content_type: None,
        };
        let found = printer.print(event);
        assert_eq!(found.to_string(), json!({ "event": expected }).to_string());
    }

    #[test]
    fn an_event() {
        check(
            &[],
            &full(),
            &json!({
                "origin": "wind-1",
                "module": "m1",
                "interface": "dtmi:example:Wind;1",
                "component": "rotor",
                "payload": { "windSpeed": 11.5 },
            }),
        );
        check(
            &[],
            &event(json!({}), b"21.5"),
            &json!({ "origin": "", "module": "", "interface": "", "component": "", "payload": "21.5" }),
        );
    }

    #[test]
    fn its_properties() {
        let event = full();
        let head = json!({
            "origin": "wind-1",
            "module": "m1",
            "interface": "dtmi:example:Wind;1",
            "component": "rotor",
        });
        let with = |rest: Value| {
            let (mut head, Value::Object(rest)) = (head.clone(), rest) else {
                panic!("not an object");
            };
            head.as_object_mut().unwrap().extend(rest);
            head["payload"] = json!({ "windSpeed": 11.5 });
            head
        };
        let system = json!({
            "message_id": "m-1",
            "content_type": "application/json",
            "absolute_expiry_time": 1_700_000_000_000_i64,
        });
        let annotations = json!({
            "iothub-connection-device-id": "wind-1",
            "iothub-connection-module-id": "m1",
            "dt-dataschema": "dtmi:example:Wind;1",
            "dt-subject": "rotor",
            "x-opt-enqueued-time": 1_700_000_000_123_i64,
        });
        check(
            &[Properties::Anno],
            &event,
            &with(json!({ "properties": {}, "annotations": annotations })),
        );
        check(
            &[Properties::Sys, Properties::App],
            &event,
            &with(json!({ "properties": { "system": system, "application": { "alert": "true" } } })),
        );
        check(
            &[Properties::All],
            &event,
            &with(json!({
                "properties": { "system": system, "application": { "alert": "true" } },
                "annotations": annotations,
            })),
        );
    }

    #[test]
    fn payloads() {
        let check = |given: Option<&str>, own: &str, encoding: &str, body: &[u8], expected: Value| {
            let printer = Printer {
                properties: &[],
                content_type: given,
            };
            let system = json!({ "content-type": own, "content-encoding": encoding });
            assert_eq!(printer.payload(&event(system, body)), expected, "{body:?}");
        };
        check(None, "text/plain", "", b"{}", json!("{}"));
        check(Some("application/json"), "text/plain", "", b"{}", json!({}));
        check(Some("text/plain"), "application/json", "", b"{}", json!("{}"));
        check(None, "Application/JSON; charset=utf-8", "", b"[1]", json!([1]));
        check(None, "application/json", "", b"[1", json!("[1"));
        check(None, "", "utf-16", b"\xFF\xFEa\0", json!("a"));
        check(None, "", "utf-16", b"abc", json!("abc"));
        check(None, "", "", b"\xFF\xFF", json!(NON_DECODABLE));
        check(None, "", "", b"", json!(""));
    }
}
