//! Requests that are not carried out, as their senders are told.

use std::time::Duration;

use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderName, RETRY_AFTER};
use ironhub_dialect::https::error::{ErrorBody, InvalidRequest, NamedError};
use ironhub_dialect::https::operation::{Feature, NoOperation};
use ironhub_hub::HubError;
use ironhub_model::{LockToken, Timestamp};

use super::answer;
use crate::error::wire_error;

/// The name of the error, for SDKs that compare it with the body.
pub(super) const ERROR_NAME: HeaderName = HeaderName::from_static("iothub-errorcode");
/// Asks for a pause before the next attempt, in seconds.
const RETRY_AFTER_S: &str = "1";

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The hub said no.
    Hub(HubError),
    /// The path or the method is not one of the API's.
    NoOperation(NoOperation),
    /// The body names another identity than the path.
    OtherIdentity(&'static str),
    /// This hub does not have it yet.
    Unavailable(Feature),
    /// `api-version` is missing or no date.
    ApiVersion,
    /// The body is longer than the operation takes.
    BodyTooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// The body ended early, or its framing is broken.
    BodyBroken,
    /// The body did not come in time.
    BodyTooSlow,
}

/// A refusal in the terms of the catalogue.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) code: u32,
    pub(super) name: &'static str,
    message: String,
    waited: Option<Duration>,
}

impl From<HubError> for Refusal {
    fn from(error: HubError) -> Self {
        Self::Hub(error)
    }
}

impl From<NoOperation> for Refusal {
    fn from(error: NoOperation) -> Self {
        Self::NoOperation(error)
    }
}

impl From<InvalidRequest> for Refusal {
    fn from(error: InvalidRequest) -> Self {
        match error {
            InvalidRequest::Argument(what) => Self::Hub(HubError::InvalidArgument(what)),
            InvalidRequest::Missing(name) => Self::Hub(HubError::ArgumentNull(name.into())),
            InvalidRequest::Malformed(what) => Self::Hub(HubError::Malformed(what)),
            InvalidRequest::OtherIdentity(member) => Self::OtherIdentity(member),
            InvalidRequest::TooLarge(bytes_max) => Self::Hub(HubError::MessageTooLarge { bytes_max }),
        }
    }
}

impl Refusal {
    /// Would it perhaps go another way if the path were decoded once more?
    pub(super) fn is_about_identity(&self) -> bool {
        match self {
            Self::OtherIdentity(_) => true,
            Self::Hub(error) => matches!(
                error,
                HubError::Unauthorized(_) | HubError::DeviceNotFound(_) | HubError::ModuleNotFound(_)
            ),
            Self::NoOperation(_)
            | Self::Unavailable(_)
            | Self::ApiVersion
            | Self::BodyTooLarge { .. }
            | Self::BodyBroken
            | Self::BodyTooSlow => false,
        }
    }

    /// May the answer have the nested form? What is refused before the operation is looked at has the flat one always.
    pub(super) fn may_nest(&self) -> bool {
        match self {
            Self::Hub(error) => !matches!(error, HubError::Unauthorized(_)),
            Self::NoOperation(_) | Self::Unavailable(_) | Self::ApiVersion => false,
            Self::OtherIdentity(_) | Self::BodyTooLarge { .. } | Self::BodyBroken | Self::BodyTooSlow => true,
        }
    }

    /// What the caller is told.
    pub(super) fn told(&self) -> Told {
        let told = |code, name, message: String| Told {
            code,
            name,
            message,
            waited: None,
        };
        match self {
            Self::Hub(error) => {
                let wire = wire_error(error);
                Told {
                    waited: waited(error),
                    ..told(wire.code, wire.name, message(error))
                }
            }
            Self::NoOperation(error) => match error {
                NoOperation::UnknownPath => told(404_000, "GenericNotFound", error.to_string()),
                NoOperation::WrongVerb(_) => told(405_000, "GenericMethodNotAllowed", error.to_string()),
                NoOperation::InvalidId(_) => told(400_004, "ArgumentInvalid", error.to_string()),
            },
            Self::OtherIdentity(member) => {
                let message = InvalidRequest::OtherIdentity(member).to_string();
                told(400_004, "ArgumentInvalid", message)
            }
            Self::Unavailable(feature) => told(404_013, "FeatureNotSupported", feature.message().into()),
            Self::ApiVersion => told(
                400_001,
                "InvalidProtocolVersion",
                "the query parameter api-version is missing or is no date".into(),
            ),
            Self::BodyTooLarge { bytes_max } => told(
                413_000,
                "GenericRequestEntityTooLarge",
                format!("the body is larger than {bytes_max} bytes"),
            ),
            Self::BodyBroken => told(400_006, "IotHubFormatError", "the body is incomplete".into()),
            Self::BodyTooSlow => told(400_024, "RequestTimedOut", "the body did not come in time".into()),
        }
    }

    fn allow(&self) -> Option<&str> {
        match self {
            Self::NoOperation(NoOperation::WrongVerb(allowed)) => Some(allowed),
            Self::NoOperation(_)
            | Self::Hub(_)
            | Self::OtherIdentity(_)
            | Self::Unavailable(_)
            | Self::ApiVersion
            | Self::BodyTooLarge { .. }
            | Self::BodyBroken
            | Self::BodyTooSlow => None,
        }
    }

    /// The answer, in the form that clients of the operation parse.
    pub(super) fn response(&self, id: LockToken, at: Timestamp, is_nested: bool) -> Response {
        let told = self.told();
        let tracking_id = id.to_string().replace('-', "");
        let body = ErrorBody {
            code: told.code,
            name: told.name,
            message: &told.message,
            tracking_id: &tracking_id,
            at,
            waited: told.waited,
        };
        let text = if is_nested { body.nested() } else { body.flat() };
        let status = told.status();
        let mut response = answer::json_with(status, text);
        answer::set(&mut response, ERROR_NAME, told.name);
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            answer::set(&mut response, RETRY_AFTER, RETRY_AFTER_S);
        }
        if let Some(allowed) = self.allow() {
            answer::set(&mut response, ALLOW, allowed);
        }
        response
    }
}

impl Told {
    pub(super) fn status(&self) -> StatusCode {
        let status = u16::try_from(self.code / 1000).unwrap_or(500);
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// An error within a result that tells of many things.
pub(super) fn named(error: &HubError) -> NamedError {
    NamedError {
        name: wire_error(error).name,
        message: message(error),
    }
}

/// The text behind the error's name. Where published answers of the service have nothing but the ID or the status
/// there, ours have the same; a refused caller and an internal failure are told no reason.
fn message(error: &HubError) -> String {
    match error {
        HubError::Unauthorized(_) => "Unauthorized".into(),
        HubError::DeviceNotFound(id) => id.to_string(),
        HubError::ModuleNotFound(id) => id.to_string(),
        HubError::DeviceAlreadyExists(_) | HubError::ModuleAlreadyExists(_) => "Conflict".into(),
        HubError::Internal(_) => "InternalServerError".into(),
        HubError::NotOnline { .. } => {
            "the device is not connected, or has not registered a handler for direct methods".into()
        }
        HubError::MethodTimedOut { .. } => "timed out waiting for the response of the device".into(),
        HubError::DeviceDisabled(_)
        | HubError::InvalidArgument(_)
        | HubError::ArgumentNull(_)
        | HubError::Malformed(_)
        | HubError::PreconditionFailed
        | HubError::TooManyModules
        | HubError::TooManyDevices
        | HubError::DefinedMultipleTimes(_)
        | HubError::SystemModule(_)
        | HubError::InvalidScope(_)
        | HubError::MessageTooLarge { .. }
        | HubError::QueueFull(_)
        | HubError::InvalidExpiry
        | HubError::LockLost
        | HubError::Disconnected
        | HubError::TooManyInFlight
        | HubError::InvalidMethodResponse
        | HubError::QueryInvalid(_)
        | HubError::ConsumerGroupNotFound(_)
        | HubError::PartitionNotFound
        | HubError::Busy
        | HubError::Throttled
        | HubError::ShuttingDown => error.to_string(),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only these two have waited for a device")]
fn waited(error: &HubError) -> Option<Duration> {
    match error {
        HubError::NotOnline { connect_timeout } => Some(*connect_timeout),
        HubError::MethodTimedOut { timeout } => Some(*timeout),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ironhub_hub::Unauthorized;
    use ironhub_model::{DeviceId, IdentityId};

    use super::*;

    #[track_caller]
    fn check(refusal: impl Into<Refusal>, status: u16, name: &str, message: &str) {
        let told = refusal.into().told();
        assert_eq!(
            (told.status().as_u16(), told.name, told.message.as_str()),
            (status, name, message)
        );
    }

    #[test]
    fn texts_that_clients_have_seen() {
        let device = DeviceId::parse("d").unwrap();
        let module = IdentityId::parse("d/m").unwrap();
        let unauthorized = HubError::from(Unauthorized::WrongSignature);
        check(unauthorized, 401, "IotHubUnauthorizedAccess", "Unauthorized");
        check(HubError::DeviceNotFound(device.clone()), 404, "DeviceNotFound", "d");
        check(HubError::ModuleNotFound(module), 404, "ModuleNotFound", "d/m");
        check(
            HubError::DeviceAlreadyExists(device),
            409,
            "DeviceAlreadyExists",
            "Conflict",
        );
        let internal = HubError::Internal("the key of the table".into());
        check(internal, 500, "ServerError", "InternalServerError");
    }

    #[test]
    fn requests_that_cannot_be_read() {
        let malformed = InvalidRequest::Malformed("the body is not JSON".into());
        check(malformed, 400, "IotHubFormatError", "the body is not JSON");
        check(
            InvalidRequest::Missing("query"),
            400,
            "ArgumentNull",
            "query is required",
        );
        check(
            InvalidRequest::OtherIdentity("deviceId"),
            400,
            "ArgumentInvalid",
            "the deviceId in the body is not the one in the path",
        );
        check(
            NoOperation::UnknownPath,
            404,
            "GenericNotFound",
            "there is no such resource",
        );
        check(
            NoOperation::WrongVerb("GET, PUT".into()),
            405,
            "GenericMethodNotAllowed",
            "the resource has the methods GET, PUT",
        );
    }
}
