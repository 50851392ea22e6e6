//! Where each part of a device's message goes in the stored event.
//!
//! Annotations: what the hub vouches for (who, how proven, which source) and the Plug and Play names. Properties and
//! application properties: what the sender wrote (Azure documentation "Create and read IoT Hub messages").

use ironhub_amqp::message::{self, MessageId, Properties};
use ironhub_amqp::types::Value;
use ironhub_model::{D2cMessage, EventSource, SystemProperties};

use crate::auth::{AuthKind, DevicePrincipal, SasScope};
use crate::events::annotation;
use crate::events::stored_form::{Head, Prefix};

/// Encodes what all messages of one sender have in common.
pub(super) fn prefix(principal: &DevicePrincipal, model_id: Option<&str>) -> Prefix {
    let source = EventSource::DeviceMessages;
    let device = principal.id.device.as_str();
    let module = principal.id.module.as_ref().map(ironhub_model::ModuleId::as_str);
    let generation = principal.generation_id.as_str();
    let constant = [
        (annotation::DEVICE_ID, Some(device)),
        (annotation::MODULE_ID, module),
        (annotation::AUTH_METHOD, Some(auth_method(principal.kind))),
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
        auth: Some(principal.kind),
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

fn properties<'a>(system: &'a SystemProperties<'_>) -> Properties<'a> {
    Properties {
        message_id: system.message_id.as_deref().map(MessageId::String),
        user_id: system.user_id.as_deref().map(str::as_bytes),
        to: system.to.as_deref(),
        correlation_id: system.correlation_id.as_deref().map(MessageId::String),
        content_type: system.content_type.as_deref(),
        content_encoding: system.content_encoding.as_deref(),
        absolute_expiry_time_ms: system.expires_at.map(ironhub_model::Timestamp::as_millis),
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
