//! Where each part of a device's message goes in the stored event.
//!
//! Annotations: what the hub vouches for (who, how proven, which source) and the Plug and Play names. Properties and
//! application properties: what the sender wrote (Azure documentation "Create and read IoT Hub messages").

use ironhub_amqp::message::{self, MessageId, Properties};
use ironhub_amqp::types::{DecodeError, Value};
use ironhub_model::{
    D2cMessage, EncodedD2cMessage, EventSource, GenerationId, IdentityId, ModuleId, SystemProperties, Timestamp,
};

use crate::auth::{AuthKind, SasScope};
use crate::events::annotation;
use crate::events::stored_form::{Head, Prefix};

/// Encodes what all messages of one sender have in common.
pub(super) fn prefix(id: &IdentityId, generation: &GenerationId, auth: AuthKind, model_id: Option<&str>) -> Prefix {
    let source = EventSource::DeviceMessages;
    let device = id.device.as_str();
    let module = id.module.as_ref().map(ModuleId::as_str);
    let generation = generation.as_str();
    let constant = [
        (annotation::DEVICE_ID, Some(device)),
        (annotation::MODULE_ID, module),
        (annotation::AUTH_METHOD, Some(auth_method(auth))),
        (annotation::AUTH_GENERATION_ID, Some(generation)),
        (annotation::MESSAGE_SOURCE, Some(source.annotation())),
        (annotation::MODEL_ID, model_id),
    ];
    let constant: Vec<(&str, &str)> = constant
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect();
    let head = Head {
        source,
        device,
        module,
        generation: Some(generation),
        auth: Some(auth),
    };
    Prefix::new(&head, &constant)
}

/// Encodes one message into `out`, which is emptied first.
pub(super) fn encode(prefix: &Prefix, message: &D2cMessage<'_>, out: &mut Vec<u8>) {
    let system = &message.system;
    let mut event = prefix.begin(out);
    event.annotate(annotation::INTERFACE_ID, system.interface_id.as_deref());
    event.annotate(annotation::COMPONENT, system.component.as_deref());
    event.annotate(annotation::OUTPUT_NAME, system.output_name.as_deref());
    event.end_annotations();
    message::write_properties(out, &properties(system));
    let stamped = [
        ("iothub-creation-time-utc", &system.creation_time),
        ("iothub-message-schema", &system.message_schema),
    ];
    let stamped = stamped
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref().map(Value::from)?)));
    let own = message
        .properties
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_deref().map_or(Value::Null, Value::from)));
    message::write_application_properties(out, own.chain(stamped));
    message::write_data(out, message.body);
}

/// Encodes a message that is AMQP already into `out`, which is emptied first: the hub's annotations and the few of the
/// device's that it passes on, then what the device wrote, byte for byte.
pub(super) fn copy(prefix: &Prefix, message: &EncodedD2cMessage<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let mut event = prefix.begin(out);
    event.annotate(annotation::INTERFACE_ID, message.interface_id);
    event.annotate(annotation::COMPONENT, message.component);
    event.annotate(annotation::OUTPUT_NAME, message.output_name);
    event.annotate(annotation::TRACE_ID, message.trace_id);
    event.annotate(annotation::TRACE_CONTEXT, message.trace_context);
    event.end_annotations();
    message::append_bare(out, message.encoded)
}

fn properties<'a>(system: &'a SystemProperties<'_>) -> Properties<'a> {
    Properties {
        message_id: system.message_id.as_deref().map(MessageId::String),
        user_id: system.user_id.as_deref().map(str::as_bytes),
        to: system.to.as_deref(),
        correlation_id: system.correlation_id.as_deref().map(MessageId::String),
        content_type: system.content_type.as_deref(),
        content_encoding: system.content_encoding.as_deref(),
        absolute_expiry_time_ms: system.expires_at.map(Timestamp::as_millis),
        ..Properties::default()
    }
}

/// The annotation `iothub-connection-auth-method`, letter for letter as Azure stamps it.
fn auth_method(kind: AuthKind) -> &'static str {
    match kind {
        AuthKind::Sas { scope } => match scope {
            SasScope::Device => r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#,
            SasScope::Module => r#"{"scope":"module","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#,
            SasScope::Hub => r#"{"scope":"hub","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#,
        },
        AuthKind::X509 { .. } => {
            r#"{"scope":"device","type":"x509Certificate","issuer":"external","acceptingIpFilterRule":null}"#
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use fe2o3_amqp_types::messaging::message::__private::Deserializable;
    use fe2o3_amqp_types::messaging::{Body, Data, Message, MessageId as TheirId};
    use fe2o3_amqp_types::primitives::{Symbol, Value as TheirValue};
    use ironhub_amqp::message::annotations::write_message_annotations;

    use super::*;
    use crate::auth::X509Issuer;
    use crate::events::stored_form::{StoredEvent, StoredFormError, dedupe_id, set_dedupe_id};
    use crate::ports::OutboxId;

    const FIXTURE: &str = include_str!("../../tests/fixtures/event-format-1.hex");

    fn message() -> D2cMessage<'static> {
        D2cMessage {
            system: SystemProperties {
                message_id: Some("m1".into()),
                user_id: Some("user".into()),
                content_type: Some("application/json".into()),
                content_encoding: Some("utf-8".into()),
                expires_at: Some(Timestamp::from_millis(1_893_456_000_123)),
                creation_time: Some("2026-01-01T00:00:00Z".into()),
                component: Some("thermostat1".into()),
                ..SystemProperties::default()
            },
            properties: vec![("alert".into(), Some("é".into())), ("flag".into(), None)],
            body: br#"{"t":21.5}"#,
        }
    }

    fn stored(message: &D2cMessage<'_>) -> Vec<u8> {
        let id = IdentityId::parse("dev-1/mod-1").unwrap();
        let generation = GenerationId::created_at(Timestamp::from_secs(1_767_225_600), 7);
        let auth = AuthKind::Sas {
            scope: SasScope::Module,
        };
        let mut out = b"what another event left".to_vec();
        encode(&prefix(&id, &generation, auth, Some("dtmi:a;1")), message, &mut out);
        out
    }

    fn from_hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    #[test]
    fn format_1_stays_as_it_was() {
        let fixture = from_hex(FIXTURE);
        let encoded = stored(&message());
        assert!(encoded == fixture, "encoded now:\n{}", hex(&encoded));
        let event = StoredEvent::parse(&fixture).unwrap();
        assert_eq!(event.source, EventSource::DeviceMessages);
        assert_eq!((event.device, event.module), ("dev-1", Some("mod-1")));
        assert_eq!(event.generation, Some("639028224000000007"));
        assert_eq!(
            event.auth,
            Some(AuthKind::Sas {
                scope: SasScope::Module
            })
        );
        assert_eq!(event.dedupe, None);
        let annotations: Vec<_> = event
            .annotation_map()
            .unwrap()
            .iter_text()
            .map(|(key, value)| format!("{key}={}", value.as_text().unwrap()))
            .collect();
        assert_eq!(
            annotations,
            [
                "iothub-connection-device-id=dev-1",
                "iothub-connection-module-id=mod-1",
                "iothub-connection-auth-method={\"scope\":\"module\",\"type\":\"sas\",\"issuer\":\"iothub\",\
                 \"acceptingIpFilterRule\":null}",
                "iothub-connection-auth-generation-id=639028224000000007",
                "iothub-message-source=Telemetry",
                "dt-dataschema=dtmi:a;1",
                "dt-subject=thermostat1",
            ]
        );
    }

    /// As a reader of the built-in endpoint does it: its own annotations, the stored ones, the rest as it is.
    #[test]
    fn an_independent_implementation_reads_it() {
        let fixture = from_hex(FIXTURE);
        let event = StoredEvent::parse(&fixture).unwrap();
        let mut delivered = Vec::new();
        write_message_annotations(&mut delivered, |map| {
            map.push("x-opt-sequence-number", 5i64);
            map.push_encoded(event.annotation_pairs, event.annotations);
        });
        delivered.extend_from_slice(event.bare_message);
        let read: Deserializable<Message<Body<TheirValue>>> = serde_amqp::from_slice(&delivered).unwrap();
        let message = read.0;
        assert_eq!(message.message_annotations.unwrap().0.len(), 8);
        let properties = message.properties.unwrap();
        assert_eq!(properties.message_id, Some(TheirId::String("m1".into())));
        assert_eq!(properties.user_id.unwrap().into_vec(), b"user");
        assert_eq!(properties.content_type, Some(Symbol::from("application/json")));
        assert_eq!(properties.content_encoding, Some(Symbol::from("utf-8")));
        assert_eq!(properties.absolute_expiry_time.unwrap().into_inner(), 1_893_456_000_123);
        let own = message.application_properties.unwrap().0;
        let value = |name: &str| TheirValue::from(own.get(name).unwrap().clone());
        assert_eq!(value("alert"), TheirValue::String("é".into()));
        assert_eq!(value("flag"), TheirValue::Null);
        assert_eq!(
            value("iothub-creation-time-utc"),
            TheirValue::String("2026-01-01T00:00:00Z".into())
        );
        let Body::Data(data) = message.body else {
            panic!("no data")
        };
        let bodies: Vec<_> = data.into_iter().map(|Data(body)| body.into_vec()).collect();
        assert_eq!(bodies, [br#"{"t":21.5}"#]);
    }

    #[test]
    fn an_empty_message_has_an_empty_body() {
        let encoded = stored(&D2cMessage::default());
        let event = StoredEvent::parse(&encoded).unwrap();
        let bare = ironhub_amqp::message::BareMessage::parse(event.bare_message).unwrap();
        assert!(bare.application_properties.is_empty());
        assert!(matches!(bare.body, ironhub_amqp::message::Body::Data(data) if data.clone().eq([b""])));
    }

    #[test]
    fn what_no_writer_wrote_is_refused() {
        let good = stored(&message());
        let event = StoredEvent::parse(&good).unwrap();
        let fixed = good.len() - event.bare_message.len();
        for len in 0..fixed {
            assert!(StoredEvent::parse(&good[..len]).is_err(), "{len}");
        }
        for (at, byte, expected) in [
            (0, 2, StoredFormError::UnknownFormat(2)),
            (1, 6, StoredFormError::Damaged("its source is unknown")),
            (2, 6, StoredFormError::Damaged("its auth kind is unknown")),
            (14, 0xFF, StoredFormError::Damaged("an id is not text")),
        ] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(StoredEvent::parse(&bad), Err(expected), "{at}");
        }
        let unknown = StoredEvent::parse(&[2]).unwrap_err().to_string();
        assert!(unknown.contains("format 2"), "{unknown}");
    }

    #[test]
    fn an_outbox_record_knows_its_id() {
        let mut event = stored(&message());
        assert_eq!(dedupe_id(&event), None);
        set_dedupe_id(&mut event, OutboxId(513));
        assert_eq!(dedupe_id(&event), Some(OutboxId(513)));
        assert_eq!(StoredEvent::parse(&event).unwrap().dedupe, Some(OutboxId(513)));
        assert_eq!(dedupe_id(b""), None);
    }

    #[test]
    fn auth_methods_are_json_and_survive_storage() {
        let sas = |scope| AuthKind::Sas { scope };
        let x509 = |issuer| AuthKind::X509 { issuer };
        for (auth, scope, kind) in [
            (sas(SasScope::Device), "device", "sas"),
            (sas(SasScope::Module), "module", "sas"),
            (sas(SasScope::Hub), "hub", "sas"),
            (x509(X509Issuer::SelfSigned), "device", "x509Certificate"),
            (x509(X509Issuer::Authority), "device", "x509Certificate"),
        ] {
            let json: serde_json::Value = serde_json::from_str(auth_method(auth)).unwrap();
            assert_eq!(
                (json["scope"].as_str(), json["type"].as_str()),
                (Some(scope), Some(kind))
            );
            let id = IdentityId::parse("d").unwrap();
            let generation = GenerationId::created_at(Timestamp::UNIX_EPOCH, 0);
            let mut out = Vec::new();
            encode(&prefix(&id, &generation, auth, None), &D2cMessage::default(), &mut out);
            let event = StoredEvent::parse(&out).unwrap();
            assert_eq!((event.auth, event.module), (Some(auth), None));
        }
    }

    fn hex(bytes: &[u8]) -> String {
        let mut text = String::new();
        for (at, byte) in bytes.iter().enumerate() {
            let end = if at % 32 == 31 { "\n" } else { "" };
            write!(text, "{byte:02x}{end}").unwrap();
        }
        text
    }
}
