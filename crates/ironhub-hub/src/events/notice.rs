//! Events that the hub itself makes: of a twin, an identity or a connection. They leave in the commit that causes them.

use ironhub_amqp::message::{self, MessageId, Properties};
use ironhub_model::{EventSource, GenerationId, IdentityId, Timestamp};

use super::annotation;
use super::stored_form::{Head, Prefix};
use crate::core::Core;
use crate::ports::{Commit, Ports};

/// What happened: the application property `opType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Tags, desired or reported properties were merged into a twin.
    UpdateTwin,
    /// Tags or desired properties of a twin were replaced.
    ReplaceTwin,
    /// A device or module was registered.
    CreateIdentity,
    /// A device or module was deleted.
    DeleteIdentity,
    /// A device or module connected.
    Connected,
    /// A device or module disconnected.
    Disconnected,
}

/// An event about an identity.
#[derive(Debug, Clone)]
pub(crate) struct Notice<'a> {
    pub(crate) operation: Operation,
    pub(crate) id: &'a IdentityId,
    pub(crate) generation: Option<&'a GenerationId>,
    pub(crate) at: Timestamp,
    /// JSON text; see the modules beside this one.
    pub(crate) body: String,
}

impl Operation {
    /// Which route source takes the event.
    pub(crate) const fn source(self) -> EventSource {
        match self {
            Self::UpdateTwin | Self::ReplaceTwin => EventSource::TwinChangeEvents,
            Self::CreateIdentity | Self::DeleteIdentity => EventSource::DeviceLifecycleEvents,
            Self::Connected | Self::Disconnected => EventSource::DeviceConnectionStateEvents,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::UpdateTwin => "updateTwin",
            Self::ReplaceTwin => "replaceTwin",
            Self::CreateIdentity => "createDeviceIdentity",
            Self::DeleteIdentity => "deleteDeviceIdentity",
            Self::Connected => "deviceConnected",
            Self::Disconnected => "deviceDisconnected",
        }
    }

    const fn schema(self) -> &'static str {
        match self {
            Self::UpdateTwin | Self::ReplaceTwin => "twinChangeNotification",
            Self::CreateIdentity | Self::DeleteIdentity => "deviceLifecycleNotification",
            Self::Connected | Self::Disconnected => "deviceConnectionStateNotification",
        }
    }
}

impl<P: Ports> Core<P> {
    /// Adds the event to the commit that causes it, when a route takes it; `make` runs only then.
    pub(crate) fn with_notice<'a>(
        &self,
        commit: Commit,
        source: EventSource,
        make: impl FnOnce() -> Notice<'a>,
    ) -> Commit {
        if !self.is_routed(source) {
            return commit;
        }
        let notice = make();
        let partition = self.partition(notice.id.device.as_str());
        commit.event(partition, encode(&notice, &self.info.hub_name))
    }
}

/// The stored form of an event of the hub (Azure documentation "Non-telemetry event schemas").
fn encode(notice: &Notice<'_>, hub_name: &str) -> Vec<u8> {
    let source = notice.operation.source();
    let device = notice.id.device.as_str();
    let module = notice.id.module.as_ref().map(ironhub_model::ModuleId::as_str);
    let head = Head {
        source,
        device,
        module,
        generation: notice.generation.map(GenerationId::as_str),
        auth: None,
    };
    let mut out = Vec::new();
    let mut event = Prefix::new(&head, &[(annotation::DEVICE_ID, device)]).begin(&mut out);
    event.annotate(annotation::MODULE_ID, module);
    event.annotate(annotation::MESSAGE_SOURCE, Some(source.annotation()));
    event.end_annotations();
    let correlation_id = crate::random::hex_id();
    message::write_properties(
        &mut out,
        &Properties {
            user_id: Some(hub_name.as_bytes()),
            correlation_id: Some(MessageId::String(&correlation_id)),
            content_type: Some("application/json"),
            content_encoding: Some("utf-8"),
            ..Properties::default()
        },
    );
    let at = notice.at.to_round_trip();
    let properties = [
        ("hubName", Some(hub_name)),
        ("deviceId", Some(device)),
        ("moduleId", module),
        ("operationTimestamp", Some(at.as_str())),
        ("iothub-message-schema", Some(notice.operation.schema())),
        ("opType", Some(notice.operation.name())),
    ];
    let properties = properties.into_iter().filter_map(|(name, value)| Some((name, value?)));
    message::write_application_properties(&mut out, properties);
    message::write_data(&mut out, notice.body.as_bytes());
    out
}
