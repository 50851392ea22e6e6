//! AMQP error conditions as errors of the hub.

use ironhub_amqp::performative::{AmqpError, condition};
use ironhub_dialect::amqp::condition as own;

use crate::error::{Error, HubError};

/// Status and code of each condition that tells one.
const CONDITIONS: &[(&str, u16, Option<u32>)] = &[
    (condition::UNAUTHORIZED_ACCESS, 401, Some(401_002)),
    (condition::NOT_FOUND, 404, None),
    (condition::NOT_ALLOWED, 405, None),
    (condition::INVALID_FIELD, 400, Some(400_004)),
    (condition::DECODE_ERROR, 400, Some(400_004)),
    (condition::RESOURCE_LIMIT_EXCEEDED, 403, Some(403_004)),
    (condition::MESSAGE_SIZE_EXCEEDED, 413, Some(413_001)),
    (condition::LINK_STOLEN, 409, Some(409_002)),
    (condition::INTERNAL_ERROR, 500, Some(500_001)),
    (own::ARGUMENT_ERROR, 400, Some(400_004)),
    (own::ARGUMENT_OUT_OF_RANGE, 400, Some(400_004)),
    (own::MESSAGE_LOCK_LOST, 412, Some(412_002)),
    ("com.microsoft:precondition-failed", 412, Some(412_001)),
    ("com.microsoft:server-busy", 503, Some(503_005)),
    ("com.microsoft:timeout", 503, None),
    ("amqp:resource-locked", 503, Some(503_005)),
];

/// Why a link or a message was refused. Conditions that speak of the connection mean that it is lost.
pub(in crate::service) fn read(error: Option<&AmqpError>) -> Error {
    let Some(error) = error else {
        return Error::Lost("the hub detached the link".to_owned());
    };
    let known = CONDITIONS.iter().find(|(condition, ..)| *condition == error.condition);
    match known {
        Some((_, status, code)) => Error::Hub(HubError {
            status: *status,
            code: *code,
            message: description(error).unwrap_or(&error.condition).to_owned(),
            tracking_id: None,
        }),
        None => Error::Lost(text(error)),
    }
}

/// Why something that had been granted was taken away. A refusal of credentials is then no more than an old token: a
/// new connection with a new one may do.
pub(in crate::service) fn of_established(error: Error) -> Error {
    if matches!(&error, Error::Hub(refusal) if refusal.status == 401) {
        return Error::Lost(error.to_string());
    }
    error
}

/// Why a connection ended: lost, unless the credentials were refused.
pub(super) fn lost(error: Option<&AmqpError>) -> Error {
    match error {
        Some(error) if error.condition == condition::UNAUTHORIZED_ACCESS => read(Some(error)),
        Some(error) => Error::Lost(text(error)),
        None => Error::Lost("the hub closed the AMQP connection".to_owned()),
    }
}

fn text(error: &AmqpError) -> String {
    match description(error) {
        Some(description) => format!("{}: {description}", error.condition),
        None => error.condition.clone().into_owned(),
    }
}

fn description(error: &AmqpError) -> Option<&str> {
    error
        .description
        .as_deref()
        .filter(|description| !description.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(condition: &'static str, code: Option<u32>, transient: bool) {
        let error = read(Some(&AmqpError::new(condition, "text")));
        assert_eq!((error.code(), error.is_transient()), (code, transient), "{error}");
        assert!(error.to_string().contains("text"));
    }

    #[test]
    fn conditions() {
        check(condition::UNAUTHORIZED_ACCESS, Some(401_002), false);
        check(condition::RESOURCE_LIMIT_EXCEEDED, Some(403_004), false);
        check(condition::LINK_STOLEN, Some(409_002), false);
        check("com.microsoft:server-busy", Some(503_005), true);
        check(condition::DETACH_FORCED, None, true);
        assert!(read(None).is_transient());
    }
}
