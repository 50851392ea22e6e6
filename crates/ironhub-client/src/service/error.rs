//! What the service says when it refuses. It has several forms; see "Troubleshoot Azure IoT Hub error codes" for the codes.

use hyper::StatusCode;
use hyper::header::HeaderMap;
use serde_json::Value;

use crate::error::HubError;

/// Names the error in the catalogue's words.
const CODE_HEADER: &str = "iothub-errorcode";

/// Codes by their names, for the form that gives only those.
const CODES: &[(&str, u32)] = &[
    ("InvalidProtocolVersion", 400_001),
    ("ArgumentInvalid", 400_004),
    ("ArgumentNull", 400_005),
    ("IotHubFormatError", 400_006),
    ("DeviceDefinedMultipleTimes", 400_011),
    ("BulkRegistryOperationFailure", 400_013),
    ("InvalidDeviceScope", 400_028),
    ("IotHubNotFound", 401_001),
    ("IotHubUnauthorizedAccess", 401_002),
    ("SystemModuleModifyUnauthorizedAccess", 401_100),
    ("IotHubQuotaExceeded", 403_002),
    ("DeviceMaximumQueueDepthExceeded", 403_004),
    ("DeviceNotFound", 404_001),
    ("JobNotFound", 404_002),
    ("ModuleNotFound", 404_010),
    ("DeviceNotOnline", 404_103),
    ("DeviceConnectionClosedRemotely", 404_104),
    ("DeviceAlreadyExists", 409_001),
    ("ModuleAlreadyExistsOnDevice", 409_301),
    ("PreconditionFailed", 412_001),
    ("DeviceMessageLockLost", 412_002),
    ("MessageTooLarge", 413_001),
    ("TooManyDevices", 413_002),
    ("TooManyModulesOnDevice", 413_003),
    ("ThrottlingException", 429_001),
    ("ServerError", 500_001),
    ("ServiceUnavailable", 503_001),
    ("GatewayTimeout", 504_101),
];

pub(super) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> HubError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let message = text("Message").unwrap_or_default();
    let header = headers.get(CODE_HEADER).and_then(|value| value.to_str().ok());
    if let Some(error) = nested(status, message).or_else(|| first_of_many(status, &body)) {
        return error;
    }
    let (name, message) = match message.strip_prefix("ErrorCode:") {
        Some(rest) => rest.split_once(';').unwrap_or((rest, "")),
        None => (header.unwrap_or_default(), message),
    };
    let tracking_id = text("ExceptionMessage").and_then(|text| text.strip_prefix("Tracking ID:"));
    let words = [name, message]
        .map(str::to_owned)
        .into_iter()
        .filter(|word| !word.is_empty());
    let told = words.collect::<Vec<_>>().join(": ");
    HubError {
        status: status.as_u16(),
        code: code(name),
        message: if told.is_empty() { status.to_string() } else { told },
        tracking_id: tracking_id.map(str::to_owned),
    }
}

/// JSON within the message.
fn nested(status: StatusCode, message: &str) -> Option<HubError> {
    let inner: Value = serde_json::from_str(message).ok()?;
    let code = u32::try_from(inner.get("errorCode")?.as_u64()?).ok()?;
    let text = |name: &str| inner.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(HubError {
        status: status.as_u16(),
        code: Some(code),
        message: text("message").unwrap_or_else(|| status.to_string()),
        tracking_id: text("trackingId"),
    })
}

/// An operation on many identities that worked for none of them.
fn first_of_many(status: StatusCode, body: &Value) -> Option<HubError> {
    let error = body.get("errors")?.as_array()?.first()?;
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let name = text("errorCode")?;
    Some(HubError {
        status: status.as_u16(),
        code: code(name),
        message: format!("{name}: {}", text("errorStatus").unwrap_or_default()),
        tracking_id: None,
    })
}

pub(super) fn code(name: &str) -> Option<u32> {
    CODES.iter().find(|(known, _)| *known == name).map(|(_, code)| *code)
}

/// What the catalogue calls this code.
pub(crate) fn code_name(code: u32) -> Option<&'static str> {
    CODES.iter().find(|(_, known)| *known == code).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, code: Option<u32>, message: &str, tracking_id: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert(CODE_HEADER, "DeviceNotFound".parse().unwrap());
        let error = read(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes());
        assert_eq!((error.status, error.code), (status, code), "{body}");
        assert_eq!(
            (error.message.as_str(), error.tracking_id.as_deref()),
            (message, tracking_id)
        );
    }

    /// The forms are those that people published: `Azure/azure-iot-sdk-csharp#1070`, `MicrosoftDocs/azure-docs#11156`.
    #[test]
    fn all_forms_and_none() {
        check(
            404,
            r#"{"Message":"ErrorCode:DeviceNotFound;dev","ExceptionMessage":"Tracking ID:3f6c-G:10"}"#,
            Some(404_001),
            "DeviceNotFound: dev",
            Some("3f6c-G:10"),
        );
        check(
            404,
            r#"{"Message":"{\"errorCode\":404103,\"trackingId\":\"t\",\"message\":\"not online\"}","ExceptionMessage":""}"#,
            Some(404_103),
            "not online",
            Some("t"),
        );
        check(404, "<html>", Some(404_001), "DeviceNotFound", None);
        check(
            400,
            r#"{"policyKey":"both","errors":[{"id":"d","errorCode":"DeviceNotFound","errorStatus":"d"}]}"#,
            Some(404_001),
            "DeviceNotFound: d",
            None,
        );
        check(
            409,
            r#"{"Message":"ErrorCode:SomethingNew;x"}"#,
            None,
            "SomethingNew: x",
            None,
        );
    }
}
