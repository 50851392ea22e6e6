//! How each error of the hub is said on a wire: the only table.
//!
//! Codes and names are those of the catalogue in the Azure documentation "Troubleshoot Azure IoT Hub error codes"; the
//! HTTP status is the first three digits of a code.

use ironhub_amqp::performative::{AmqpError, condition};
use ironhub_hub::HubError;
use ironhub_mqtt::packet::ConnectRefusal;

/// An error as a peer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireError {
    /// The six digits of the catalogue; HTTP status, MQTT twin status and AMQP condition follow from them.
    pub code: u32,
    /// The name beside the code, `iothub-errorcode` in HTTP.
    pub name: &'static str,
    /// The answer to an MQTT CONNECT that failed by this.
    pub connect: ConnectRefusal,
    /// The AMQP error condition: the one by which the device SDKs tell what to do.
    pub condition: &'static str,
}

impl WireError {
    /// The HTTP status, which is the status of an MQTT twin response too.
    pub fn status(self) -> u16 {
        u16::try_from(self.code / 1000).unwrap_or(500)
    }
}

/// What the peer is told. No `_` arm: a new error has to choose its code here.
///
/// CONNECT is refused with 5 only where the device has not proved who it is, since that answer makes Python devices
/// give up; all else is 3, which every SDK retries ("not authorized" and "server unavailable", MQTT 3.1.1, 3.2.2.3).
pub fn wire_error(error: &HubError) -> WireError {
    const DENIED: ConnectRefusal = ConnectRefusal::NotAuthorized;
    const LATER: ConnectRefusal = ConnectRefusal::ServerUnavailable;
    let (code, name, connect) = match error {
        HubError::Unauthorized(_) => (401_002, "IotHubUnauthorizedAccess", DENIED),
        HubError::DeviceNotFound(_) => (404_001, "DeviceNotFound", DENIED),
        HubError::ModuleNotFound(_) => (404_010, "ModuleNotFound", DENIED),
        HubError::DeviceAlreadyExists(_) => (409_001, "DeviceAlreadyExists", LATER),
        HubError::ModuleAlreadyExists(_) => (409_301, "ModuleAlreadyExistsOnDevice", LATER),
        HubError::DeviceDisabled(_) => (403_012, "DeviceDisabled", LATER),
        HubError::InvalidArgument(_) | HubError::QueryInvalid(_) => (400_004, "ArgumentInvalid", LATER),
        HubError::ArgumentNull(_) => (400_005, "ArgumentNull", LATER),
        HubError::Malformed(_) => (400_006, "IotHubFormatError", LATER),
        HubError::PreconditionFailed => (412_001, "PreconditionFailed", LATER),
        HubError::TooManyModules => (413_003, "TooManyModulesOnDevice", LATER),
        HubError::TooManyDevices => (413_002, "TooManyDevices", LATER),
        HubError::DefinedMultipleTimes(_) => (400_011, "DeviceDefinedMultipleTimes", LATER),
        HubError::SystemModule(_) => (401_100, "SystemModuleModifyUnauthorizedAccess", LATER),
        HubError::InvalidScope(_) => (400_028, "InvalidDeviceScope", LATER),
        HubError::MessageTooLarge { .. } => (413_001, "MessageTooLarge", LATER),
        HubError::QueueFull(_) => (403_004, "DeviceMaximumQueueDepthExceeded", LATER),
        HubError::InvalidExpiry => (403_009, "InvalidMessageExpiryTime", LATER),
        HubError::LockLost => (412_002, "DeviceMessageLockLost", LATER),
        HubError::NotOnline { .. } => (404_103, "DeviceNotOnline", LATER),
        HubError::MethodTimedOut { .. } => (504_101, "GatewayTimeout", LATER),
        HubError::Disconnected => (404_104, "DeviceConnectionClosedRemotely", LATER),
        HubError::TooManyInFlight => (403_800, "DeviceMaximumInflightMethodExceeded", LATER),
        HubError::InvalidMethodResponse => (502_101, "InvalidResponseWhileProxying", LATER),
        HubError::ConsumerGroupNotFound(_) => (404_000, "GenericNotFound", LATER),
        HubError::PartitionNotFound => (503_003, "PartitionNotFound", LATER),
        HubError::Busy => (503_005, "ServerBusy", LATER),
        HubError::Throttled => (429_001, "ThrottlingException", LATER),
        HubError::ShuttingDown => (503_001, "ServiceUnavailable", LATER),
        HubError::Internal(_) => (500_001, "ServerError", LATER),
    };
    WireError {
        code,
        name,
        connect,
        condition: condition_of(error),
    }
}

/// The AMQP condition. No `_` arm either.
///
/// Java and .NET retry after `amqp:resource-locked`, the throttling one and `amqp:link:detach-forced`; they give up after
/// most others.
fn condition_of(error: &HubError) -> &'static str {
    match error {
        HubError::Unauthorized(_) | HubError::SystemModule(_) => condition::UNAUTHORIZED_ACCESS,
        // The real service does not tell a disabled device from an unknown one, and .NET takes it so.
        HubError::DeviceNotFound(_)
        | HubError::ModuleNotFound(_)
        | HubError::DeviceDisabled(_)
        | HubError::NotOnline { .. }
        | HubError::ConsumerGroupNotFound(_) => condition::NOT_FOUND,
        HubError::DeviceAlreadyExists(_) | HubError::ModuleAlreadyExists(_) => "com.microsoft:device-already-exists",
        HubError::InvalidArgument(_)
        | HubError::QueryInvalid(_)
        | HubError::ArgumentNull(_)
        | HubError::Malformed(_)
        | HubError::DefinedMultipleTimes(_)
        | HubError::InvalidScope(_)
        | HubError::InvalidExpiry => "com.microsoft:argument-error",
        HubError::PartitionNotFound => "com.microsoft:argument-out-of-range",
        HubError::PreconditionFailed => "com.microsoft:precondition-failed",
        HubError::TooManyModules | HubError::TooManyDevices => "com.microsoft:quota-exceeded",
        HubError::MessageTooLarge { .. } => condition::MESSAGE_SIZE_EXCEEDED,
        HubError::QueueFull(_) => condition::RESOURCE_LIMIT_EXCEEDED,
        HubError::LockLost => "com.microsoft:message-lock-lost",
        HubError::MethodTimedOut { .. } => "com.microsoft:timeout",
        HubError::Disconnected | HubError::ShuttingDown => condition::DETACH_FORCED,
        HubError::TooManyInFlight | HubError::Throttled => "com.microsoft:device-container-throttled",
        HubError::Busy => "amqp:resource-locked",
        HubError::InvalidMethodResponse | HubError::Internal(_) => condition::INTERNAL_ERROR,
    }
}

/// The same over AMQP.
pub(crate) fn amqp_error(error: &HubError) -> AmqpError {
    AmqpError::new(wire_error(error).condition, description(error))
}

/// The same on a link of the Event Hubs-compatible endpoint, whose clients know other words for "come again later".
pub(crate) fn event_hubs_error(error: &HubError) -> AmqpError {
    if let HubError::Busy | HubError::Throttled | HubError::TooManyInFlight = error {
        return AmqpError::new("com.microsoft:server-busy", description(error));
    }
    amqp_error(error)
}

/// There is nothing at an address. Event Hubs clients know it by these very words.
pub(crate) fn entity_not_found(address: &str) -> AmqpError {
    let text = format!("The messaging entity '{address}' could not be found.");
    AmqpError::new(condition::NOT_FOUND, text)
}

/// What the peer may read: nothing of why it was refused, nothing of the hub's inside.
fn description(error: &HubError) -> String {
    if let HubError::Unauthorized(_) = error {
        return "Unauthorized access.".into();
    }
    if let HubError::Internal(_) = error {
        return "The hub has failed; its log says more.".into();
    }
    if let HubError::ConsumerGroupNotFound(name) = error {
        return format!("The messaging entity '{name}' could not be found.");
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ironhub_hub::Unauthorized;
    use ironhub_model::DeviceId;

    use super::*;

    #[track_caller]
    fn check(error: &HubError, status: u16, name: &str, connect_code: u8) {
        let wire = wire_error(error);
        assert_eq!(
            (wire.status(), wire.name, wire.connect.code()),
            (status, name, connect_code)
        );
    }

    #[test]
    fn errors_that_clients_depend_on() {
        let device = DeviceId::parse("d").unwrap();
        let timeout = Duration::from_secs(30);
        check(&Unauthorized::WrongSignature.into(), 401, "IotHubUnauthorizedAccess", 5);
        check(&HubError::DeviceNotFound(device.clone()), 404, "DeviceNotFound", 5);
        check(&HubError::DeviceDisabled(device.clone()), 403, "DeviceDisabled", 3);
        check(&HubError::QueueFull(device), 403, "DeviceMaximumQueueDepthExceeded", 3);
        check(&HubError::PreconditionFailed, 412, "PreconditionFailed", 3);
        check(
            &HubError::NotOnline {
                connect_timeout: timeout,
            },
            404,
            "DeviceNotOnline",
            3,
        );
        check(&HubError::MethodTimedOut { timeout }, 504, "GatewayTimeout", 3);
        check(&HubError::ShuttingDown, 503, "ServiceUnavailable", 3);
        check(&HubError::Internal(String::new()), 500, "ServerError", 3);
    }

    #[test]
    fn what_amqp_clients_are_told() {
        let device = DeviceId::parse("d").unwrap();
        for (error, condition, description) in [
            (
                Unauthorized::WrongSignature.into(),
                "amqp:unauthorized-access",
                "Unauthorized access.",
            ),
            (
                HubError::DeviceDisabled(device.clone()),
                "amqp:not-found",
                "the device d is disabled",
            ),
            (
                HubError::QueueFull(device),
                "amqp:resource-limit-exceeded",
                "the queue of the device d is full",
            ),
            (
                HubError::ConsumerGroupNotFound("g".into()),
                "amqp:not-found",
                "The messaging entity 'g' could not be found.",
            ),
            (
                HubError::Internal("a secret".into()),
                "amqp:internal-error",
                "The hub has failed; its log says more.",
            ),
        ] {
            assert_eq!(amqp_error(&error), AmqpError::new(condition, description));
        }
        assert_eq!(amqp_error(&HubError::Busy).condition, "amqp:resource-locked");
        assert_eq!(event_hubs_error(&HubError::Busy).condition, "com.microsoft:server-busy");
    }
}
