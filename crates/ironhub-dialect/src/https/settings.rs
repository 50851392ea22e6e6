//! The hub's settings and certificate authorities as IronHub's own API says them.

use ironhub_model::HubSettings;
use ironhub_model::settings::Declared;
use serde::Serialize;
use serde_json::Value;

use super::error::{InvalidRequest, print};
use super::json::{self, Members};

/// Keys are shown to whom?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// To a caller that has every right.
    Shown,
    /// To nobody else: they are null.
    Redacted,
}

/// The settings as they are told: with what the configuration has declared of them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    #[serde(flatten)]
    settings: &'a HubSettings,
    declared: &'a [Declared],
}

/// The settings as JSON.
pub fn settings_json(settings: &HubSettings, declared: &[Declared], keys: Keys) -> String {
    let told = Told { settings, declared };
    if keys == Keys::Shown {
        return print(&told);
    }
    let mut value = serde_json::to_value(&told).unwrap_or_default();
    let policies = value.get_mut("policies").and_then(Value::as_array_mut);
    for policy in policies.into_iter().flatten().filter_map(Value::as_object_mut) {
        policy.insert("primaryKey".into(), Value::Null);
        policy.insert("secondaryKey".into(), Value::Null);
    }
    print(&value)
}

/// Reads settings: all of them, and none that the hub does not know. What is declared is told and not taken, so that
/// what was read can be written back.
pub fn parse_settings(body: &[u8]) -> Result<HubSettings, InvalidRequest> {
    let mut value = json::parse(body)?;
    if let Some(members) = value.as_object_mut() {
        members.remove("declared");
    }
    serde_json::from_value(value).map_err(|error| InvalidRequest::Argument(error.to_string()))
}

/// A certificate authority to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCertificate {
    /// Its name in the hub.
    pub name: String,
    /// PEM text of one certificate.
    pub pem: String,
    /// The caller vouches for it; else it has to be verified.
    pub is_verified: bool,
}

/// Reads a certificate authority to add.
pub fn parse_certificate(body: &[u8]) -> Result<NewCertificate, InvalidRequest> {
    let value = json::parse(body)?;
    let members = Members::of(&value, "the body")?;
    Ok(NewCertificate {
        name: members.string("name")?.ok_or(InvalidRequest::Missing("name"))?,
        pem: members.string("pem")?.ok_or(InvalidRequest::Missing("pem"))?,
        is_verified: members.flag("isVerified")?.unwrap_or_default(),
    })
}

/// Reads the certificate that proves an authority: the PEM text of `{"pem": …}`.
pub fn parse_proof(body: &[u8]) -> Result<String, InvalidRequest> {
    let value = json::parse(body)?;
    let members = Members::of(&value, "the body")?;
    members.string("pem")?.ok_or(InvalidRequest::Missing("pem"))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerificationCode<'a> {
    verification_code: &'a str,
}

/// The code that a certificate has to carry as its common name to prove an authority.
pub fn verification_code_json(code: &str) -> String {
    print(&VerificationCode {
        verification_code: code,
    })
}

#[cfg(test)]
mod tests {
    use ironhub_model::settings::SettingName;
    use ironhub_model::{AccessPolicy, Permissions, SymmetricKey};

    use super::*;

    fn settings() -> HubSettings {
        let key = SymmetricKey::from_bytes(&[7; 16]).unwrap();
        HubSettings::with_policies(vec![AccessPolicy {
            name: "iothubowner".into(),
            permissions: Permissions::ALL,
            primary_key: key.clone(),
            secondary_key: key,
        }])
    }

    #[test]
    fn what_is_shown_can_be_written_back() {
        let declared = [Declared {
            setting: SettingName::Policies("iothubowner".into()),
            by: "--policy".into(),
        }];
        let shown = settings_json(&settings(), &declared, Keys::Shown);
        assert!(
            shown.ends_with(r#","declared":[{"setting":"policies","name":"iothubowner","by":"--policy"}]}"#),
            "{shown}"
        );
        assert_eq!(parse_settings(shown.as_bytes()), Ok(settings()));
        let redacted = settings_json(&settings(), &declared, Keys::Redacted);
        assert!(!redacted.contains("BwcH"), "{redacted}");
        assert!(
            redacted.starts_with(
                r#"{"policies":[{"name":"iothubowner","permissions":["RegistryRead","RegistryWrite","ServiceConnect","DeviceConnect"],"primaryKey":null,"secondaryKey":null}]"#
            ),
            "{redacted}"
        );
    }

    #[test]
    fn unknown_and_missing_settings_are_refused() {
        let unknown = settings_json(&settings(), &[], Keys::Shown).replacen('{', r#"{"colour":1,"#, 1);
        assert!(matches!(
            parse_settings(unknown.as_bytes()),
            Err(InvalidRequest::Argument(_))
        ));
        assert!(matches!(parse_settings(b"{}"), Err(InvalidRequest::Argument(_))));
        assert!(matches!(parse_settings(b"{"), Err(InvalidRequest::Malformed(_))));
    }

    #[test]
    fn certificates() {
        let expected = NewCertificate {
            name: "root".into(),
            pem: "-----BEGIN".into(),
            is_verified: false,
        };
        assert_eq!(
            parse_certificate(br#"{"name":"root","pem":"-----BEGIN"}"#),
            Ok(expected)
        );
        assert_eq!(parse_certificate(b"{}"), Err(InvalidRequest::Missing("name")));
        assert_eq!(parse_proof(br#"{"pem":"x"}"#), Ok("x".into()));
        assert_eq!(verification_code_json("AB"), r#"{"verificationCode":"AB"}"#);
    }
}
