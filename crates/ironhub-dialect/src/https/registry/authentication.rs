//! The member `authentication`.

use ironhub_model::registry::AuthenticationSpec;
use ironhub_model::twin::X509ThumbprintView;
use ironhub_model::{Authentication, AuthenticationType};
use serde::Serialize;

use crate::https::error::InvalidRequest;
use crate::https::json::Members;

/// Reads `authentication` of a device, module or bulk item; what is missing takes its default.
pub(super) fn spec(identity: &Members<'_>) -> Result<AuthenticationSpec, InvalidRequest> {
    let Some(members) = identity.object("authentication")? else {
        return Ok(AuthenticationSpec::default());
    };
    let mut spec = AuthenticationSpec {
        kind: members.text("type")?.map(kind).transpose()?,
        ..AuthenticationSpec::default()
    };
    if let Some(keys) = members.object("symmetricKey")? {
        spec.primary_key = keys.string("primaryKey")?;
        spec.secondary_key = keys.string("secondaryKey")?;
    }
    if let Some(thumbprints) = members.object("x509Thumbprint")? {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        spec.primary_thumbprint = given(thumbprints.string("primaryThumbprint")?);
        spec.secondary_thumbprint = given(thumbprints.string("secondaryThumbprint")?);
    }
    Ok(spec)
}

fn kind(text: &str) -> Result<AuthenticationType, InvalidRequest> {
    use AuthenticationType::{CertificateAuthority, None, Sas, SelfSigned};
    let mut kinds = [Sas, SelfSigned, CertificateAuthority, None].into_iter();
    kinds
        .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| {
            let expected = "sas, selfSigned, certificateAuthority or none";
            InvalidRequest::Argument(format!("the authentication type {text:?} is not {expected}"))
        })
}

/// `authentication` as the service prints it: every member always there.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthenticationBody<'a> {
    symmetric_key: KeysBody<'a>,
    x509_thumbprint: X509ThumbprintView,
    r#type: &'static str,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct KeysBody<'a> {
    primary_key: Option<&'a str>,
    secondary_key: Option<&'a str>,
}

impl<'a> AuthenticationBody<'a> {
    pub(super) fn of(authentication: &'a Authentication) -> Self {
        let symmetric_key = match authentication {
            Authentication::Sas { primary, secondary } => KeysBody {
                primary_key: Some(primary.expose()),
                secondary_key: Some(secondary.expose()),
            },
            Authentication::SelfSigned { .. } | Authentication::CertificateAuthority | Authentication::None => {
                KeysBody::default()
            }
        };
        Self {
            symmetric_key,
            x509_thumbprint: X509ThumbprintView::of(authentication),
            r#type: authentication.kind().as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(body: &serde_json::Value, expected: Result<AuthenticationSpec, &str>) {
        let spec = spec(&Members::of(body, "the body").unwrap()).map_err(|error| error.to_string());
        assert_eq!(spec, expected.map_err(str::to_owned));
    }

    #[test]
    fn kinds_keys_and_thumbprints() {
        check(&json!({}), Ok(AuthenticationSpec::default()));
        check(&json!({"authentication": null}), Ok(AuthenticationSpec::default()));
        let keys = AuthenticationSpec {
            primary_key: Some("QQ==".into()),
            secondary_key: Some(String::new()),
            ..AuthenticationSpec::default()
        };
        let symmetric = json!({"primaryKey": "QQ==", "secondaryKey": ""});
        check(
            &json!({"authentication": {"symmetricKey": symmetric}}),
            Ok(keys.clone()),
        );
        let typed = AuthenticationSpec {
            kind: Some(AuthenticationType::Sas),
            ..keys
        };
        check(
            &json!({"Authentication": {"Type": "SAS", "symmetricKey": symmetric, "x509Thumbprint": {"primaryThumbprint": null}}}),
            Ok(typed),
        );
        let self_signed = AuthenticationSpec {
            kind: Some(AuthenticationType::SelfSigned),
            primary_thumbprint: Some("AB".into()),
            ..AuthenticationSpec::default()
        };
        let thumbprints = json!({"primaryThumbprint": "AB", "secondaryThumbprint": ""});
        check(
            &json!({"authentication": {"type": "selfSigned", "x509Thumbprint": thumbprints}}),
            Ok(self_signed),
        );
    }

    #[test]
    fn complaints_name_the_member() {
        check(
            &json!({"authentication": "sas"}),
            Err("authentication is not a JSON object"),
        );
        check(
            &json!({"authentication": {"type": "password"}}),
            Err(r#"the authentication type "password" is not sas, selfSigned, certificateAuthority or none"#),
        );
        check(
            &json!({"authentication": {"symmetricKey": {"primaryKey": 7}}}),
            Err("primaryKey of symmetricKey is not a string"),
        );
    }
}
