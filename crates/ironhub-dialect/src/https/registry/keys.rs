//! New keys for many identities: `POST /devices/keys/regenerate`.

use ironhub_model::registry::{KeyChoice, RegenerateResult};
use ironhub_model::{IdentityId, SymmetricKey};
use serde::Serialize;

use super::bulk::identity;
use crate::https::error::{InvalidRequest, NamedError, print};
use crate::https::json::{self, Members};

/// Which keys of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRequest {
    /// Which keys.
    pub which: KeyChoice,
    /// Whose.
    pub ids: Vec<IdentityId>,
}

/// Reads the body.
pub fn key_request(body: &[u8]) -> Result<KeyRequest, InvalidRequest> {
    let value = json::parse(body)?;
    let members = Members::of(&value, "the body")?;
    let policy_key = members.text("policyKey")?.ok_or(InvalidRequest::Missing("policyKey"))?;
    let choices = [KeyChoice::Primary, KeyChoice::Secondary, KeyChoice::Both];
    let which = choices
        .into_iter()
        .find(|choice| name(*choice).eq_ignore_ascii_case(policy_key))
        .ok_or_else(|| {
            let expected = "primaryKey, secondaryKey or both";
            InvalidRequest::Argument(format!("policyKey {policy_key:?} is not {expected}"))
        })?;
    let devices = members.value("devices").ok_or(InvalidRequest::Missing("devices"))?;
    let devices = devices
        .as_array()
        .ok_or_else(|| InvalidRequest::Malformed("devices is not a JSON array".into()))?;
    let ids = devices
        .iter()
        .map(|device| identity(&Members::of(device, "an item of devices")?));
    Ok(KeyRequest {
        which,
        ids: ids.collect::<Result<_, _>>()?,
    })
}

fn name(which: KeyChoice) -> &'static str {
    match which {
        KeyChoice::Primary => "primaryKey",
        KeyChoice::Secondary => "secondaryKey",
        KeyChoice::Both => "both",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultBody<'a> {
    policy_key: &'static str,
    rotated_keys: Vec<RotatedRow<'a>>,
    errors: Vec<ErrorRow<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RotatedRow<'a> {
    id: &'a str,
    module_id: Option<&'a str>,
    primary_key: Option<&'a str>,
    secondary_key: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorRow<'a> {
    id: &'a str,
    module_id: Option<&'a str>,
    error_code: &'a str,
    error_status: &'a str,
}

fn module(id: &IdentityId) -> Option<&str> {
    id.module.as_ref().map(ironhub_model::ModuleId::as_str)
}

/// The result as the service prints it: a key that was not asked for is null.
pub fn regenerate_result_json(which: KeyChoice, result: &RegenerateResult<NamedError>) -> String {
    let rotated = result.rotated.iter().map(|keys| RotatedRow {
        id: keys.id.device.as_str(),
        module_id: module(&keys.id),
        primary_key: keys.primary.as_ref().map(SymmetricKey::expose),
        secondary_key: keys.secondary.as_ref().map(SymmetricKey::expose),
    });
    let errors = result.errors.iter().map(|(id, error)| ErrorRow {
        id: id.device.as_str(),
        module_id: module(id),
        error_code: error.name,
        error_status: &error.message,
    });
    print(&ResultBody {
        policy_key: name(which),
        rotated_keys: rotated.collect(),
        errors: errors.collect(),
    })
}

/// The HTTP status: 207 when some keys changed and others did not, 400 when none did.
pub fn regenerate_status<E>(result: &RegenerateResult<E>) -> u16 {
    match (result.rotated.is_empty(), result.errors.is_empty()) {
        (_, true) => 200,
        (false, false) => 207,
        (true, false) => 400,
    }
}

#[cfg(test)]
mod tests {
    use ironhub_model::registry::RotatedKeys;

    use super::*;

    fn id(text: &str) -> IdentityId {
        IdentityId::parse(text).unwrap()
    }

    #[test]
    fn requests() {
        let body = br#"{"policyKey":"primaryKey","devices":[{"id":"a"},{"id":"b","moduleId":"m"}]}"#;
        let expected = KeyRequest {
            which: KeyChoice::Primary,
            ids: vec![id("a"), id("b/m")],
        };
        assert_eq!(key_request(body), Ok(expected));
        for (body, expected) in [
            ("{}", "policyKey is required"),
            (
                r#"{"policyKey":"x"}"#,
                "policyKey \"x\" is not primaryKey, secondaryKey or both",
            ),
            (r#"{"policyKey":"both"}"#, "devices is required"),
            (r#"{"policyKey":"both","devices":{}}"#, "devices is not a JSON array"),
        ] {
            assert_eq!(key_request(body.as_bytes()).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn results() {
        let mut result = RegenerateResult {
            rotated: vec![RotatedKeys {
                id: id("a"),
                primary: Some(SymmetricKey::from_bytes(&[1; 16]).unwrap()),
                secondary: None,
            }],
            errors: vec![(
                id("b/m"),
                NamedError {
                    name: "ModuleNotFound",
                    message: "no".into(),
                },
            )],
        };
        insta::assert_snapshot!(regenerate_result_json(KeyChoice::Primary, &result), @r#"{"policyKey":"primaryKey","rotatedKeys":[{"id":"a","moduleId":null,"primaryKey":"AQEBAQEBAQEBAQEBAQEBAQ==","secondaryKey":null}],"errors":[{"id":"b","moduleId":"m","errorCode":"ModuleNotFound","errorStatus":"no"}]}"#);
        assert_eq!(regenerate_status(&result), 207);
        result.rotated.clear();
        assert_eq!(regenerate_status(&result), 400);
        result.errors.clear();
        assert_eq!(regenerate_status(&result), 200);
    }
}
