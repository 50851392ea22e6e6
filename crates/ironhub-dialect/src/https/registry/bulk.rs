//! Bulk calls: many registry writes in one request.

use ironhub_model::registry::{BulkItem, BulkResult, ImportMode};
use ironhub_model::{DeviceId, IdentityId, ModuleId};
use serde::Serialize;
use serde_json::Value;

use super::{authentication, device};
use crate::https::error::{InvalidRequest, NamedError, print};
use crate::https::json::{self, Members};

/// Reads the body of `POST /devices`. Whole twins are sent back by some clients: what is not theirs to write is ignored.
pub fn bulk_items(body: &[u8]) -> Result<Vec<BulkItem>, InvalidRequest> {
    let value = json::parse(body)?;
    let list = value
        .as_array()
        .ok_or_else(|| InvalidRequest::Malformed("the body is not a JSON array".into()))?;
    list.iter().map(item).collect()
}

fn item(value: &Value) -> Result<BulkItem, InvalidRequest> {
    let members = Members::of(value, "an item of the body")?;
    let mode = match members.text("importMode")? {
        None => ImportMode::default(),
        Some(text) => ImportMode::parse(text)
            .ok_or_else(|| InvalidRequest::Argument(format!("there is no import mode {text:?}")))?,
    };
    let properties = members.object("properties")?;
    Ok(BulkItem {
        id: identity(&members)?,
        mode,
        etag: members.string("eTag")?,
        twin_etag: members.string("twinETag")?,
        status: device::status(&members)?,
        status_reason: members.string("statusReason")?,
        authentication: authentication::spec(&members)?,
        capabilities: device::capabilities(&members)?,
        device_scope: device::scope(&members)?,
        parent_scopes: members.strings("parentScopes")?,
        managed_by: members.string("managedBy")?,
        tags: device::document(&members, "tags"),
        desired: properties.and_then(|properties| device::document(&properties, "desired")),
    })
}

/// The members `id` and `moduleId`.
pub(super) fn identity(members: &Members<'_>) -> Result<IdentityId, InvalidRequest> {
    let device = members.text("id")?.ok_or(InvalidRequest::Missing("id"))?;
    let module = members.text("moduleId")?.filter(|module| !module.is_empty());
    let invalid = |error: ironhub_model::identity::InvalidId| InvalidRequest::Argument(error.to_string());
    Ok(IdentityId {
        device: DeviceId::parse(device).map_err(invalid)?,
        module: module.map(ModuleId::parse).transpose().map_err(invalid)?,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultBody<'a> {
    is_successful: bool,
    errors: Vec<ErrorRow<'a>>,
    warnings: Vec<WarningRow<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorRow<'a> {
    device_id: &'a DeviceId,
    module_id: Option<&'a ModuleId>,
    error_code: &'a str,
    error_status: &'a str,
    operation: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WarningRow<'a> {
    device_id: &'a DeviceId,
    warning_code: &'static str,
    warning_status: &'a str,
}

/// The result as the service prints it.
pub fn bulk_result_json(result: &BulkResult<NamedError>) -> String {
    let errors = result.errors.iter().map(|failed| ErrorRow {
        device_id: &failed.id.device,
        module_id: failed.id.module.as_ref(),
        error_code: failed.error.name,
        error_status: &failed.error.message,
        operation: failed.operation.as_str(),
    });
    let warnings = result.warnings.iter().map(|(id, warning)| WarningRow {
        device_id: &id.device,
        warning_code: "DeviceRegisteredWithoutTwin",
        warning_status: &warning.message,
    });
    print(&ResultBody {
        is_successful: result.is_successful(),
        errors: errors.collect(),
        warnings: warnings.collect(),
    })
}

#[cfg(test)]
mod tests {
    use ironhub_model::registry::BulkError;
    use serde_json::json;

    use super::*;

    #[test]
    fn items_of_clients() {
        let items = bulk_items(
            br#"[{"id":"a"},
                 {"id":"b","moduleId":"m","importMode":"deleteIfMatchEtag","etag":"*"},
                 {"id":"c","importMode":"UpdateTwin","twinETag":"AAAAAAAAAAE=","tags":{"a":1},
                  "properties":{"desired":{"x":66,"y":28.02,"$version":3},"reported":{"z":1}}},
                 {"id":"d","eTag":"MA==","importMode":"updateIfMatchETag","status":"disabled","statusReason":"r"}]"#,
        )
        .unwrap();
        let id = |text| IdentityId::parse(text).unwrap();
        assert_eq!(items[0], BulkItem::new(id("a"), ImportMode::CreateOrUpdate));
        let delete = BulkItem {
            etag: Some("*".into()),
            ..BulkItem::new(id("b/m"), ImportMode::DeleteIfMatchEtag)
        };
        assert_eq!(items[1], delete);
        let twin = BulkItem {
            twin_etag: Some("AAAAAAAAAAE=".into()),
            tags: Some(json!({"a": 1})),
            desired: Some(json!({"x": 66, "y": 28.02, "$version": 3})),
            ..BulkItem::new(id("c"), ImportMode::UpdateTwin)
        };
        assert_eq!(items[2], twin);
        assert_eq!(items[3].etag.as_deref(), Some("MA=="));
        assert_eq!(items[3].status, Some(ironhub_model::DeviceStatus::Disabled));
    }

    #[track_caller]
    fn refused(body: &str, expected: &str) {
        assert_eq!(bulk_items(body.as_bytes()).unwrap_err().to_string(), expected, "{body}");
    }

    #[test]
    fn items_that_are_refused() {
        refused("{}", "the body is not a JSON array");
        refused("[1]", "an item of the body is not a JSON object");
        refused("[{}]", "id is required");
        refused(
            r#"[{"id":"a","importMode":"copy"}]"#,
            "there is no import mode \"copy\"",
        );
        refused(
            r#"[{"id":"a","tags":1,"properties":2}]"#,
            "properties is not a JSON object",
        );
    }

    #[test]
    fn results() {
        assert_eq!(
            bulk_result_json(&BulkResult::default()),
            r#"{"isSuccessful":true,"errors":[],"warnings":[]}"#
        );
        let error = |name, message: &str| NamedError {
            name,
            message: message.into(),
        };
        let result = BulkResult {
            errors: vec![BulkError {
                id: IdentityId::parse("a").unwrap(),
                error: error("DeviceAlreadyExists", "it exists"),
                operation: ImportMode::Create,
            }],
            warnings: vec![(IdentityId::parse("b").unwrap(), error("ArgumentInvalid", "too deep"))],
        };
        insta::assert_snapshot!(bulk_result_json(&result), @r#"{"isSuccessful":false,"errors":[{"deviceId":"a","moduleId":null,"errorCode":"DeviceAlreadyExists","errorStatus":"it exists","operation":"create"}],"warnings":[{"deviceId":"b","warningCode":"DeviceRegisteredWithoutTwin","warningStatus":"too deep"}]}"#);
    }
}
