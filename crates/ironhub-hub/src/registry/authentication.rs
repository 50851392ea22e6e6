//! From what a caller wrote to how an identity proves itself.

use ironhub_model::registry::AuthenticationSpec;
use ironhub_model::{Authentication, AuthenticationType, SymmetricKey, Thumbprint};

use crate::error::HubError;
use crate::random;

/// Decides the authentication of a written record. Without a type thumbprints mean self-signed and anything else keys,
/// as in bodies of the first SDKs. Keys left out or empty are generated, on update too.
pub(super) fn decide(spec: &AuthenticationSpec) -> Result<Authentication, HubError> {
    match spec.kind.unwrap_or_else(|| inferred(spec)) {
        AuthenticationType::Sas => Ok(Authentication::Sas {
            primary: key("primaryKey", spec.primary_key.as_deref())?,
            secondary: key("secondaryKey", spec.secondary_key.as_deref())?,
        }),
        AuthenticationType::SelfSigned => self_signed(spec),
        AuthenticationType::CertificateAuthority => Ok(Authentication::CertificateAuthority),
        AuthenticationType::None => Ok(Authentication::None),
    }
}

/// Did something stop being good that was good before? Links that rest on it must end.
pub(super) fn is_narrower(old: &Authentication, new: &Authentication) -> bool {
    match (old, new) {
        (
            Authentication::Sas { primary, secondary },
            Authentication::Sas {
                primary: new_primary,
                secondary: new_secondary,
            },
        ) => {
            let kept = [new_primary, new_secondary];
            [primary, secondary].iter().any(|old| !kept.contains(old))
        }
        (
            Authentication::SelfSigned { primary, secondary },
            Authentication::SelfSigned {
                primary: new_primary,
                secondary: new_secondary,
            },
        ) => {
            let kept = [new_primary, new_secondary];
            [primary, secondary]
                .iter()
                .any(|old| old.is_some() && !kept.contains(old))
        }
        _ => old.kind() != new.kind(),
    }
}

fn inferred(spec: &AuthenticationSpec) -> AuthenticationType {
    let is_given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let has_keys = is_given(&spec.primary_key) || is_given(&spec.secondary_key);
    let has_thumbprints = is_given(&spec.primary_thumbprint) || is_given(&spec.secondary_thumbprint);
    if has_thumbprints && !has_keys {
        AuthenticationType::SelfSigned
    } else {
        AuthenticationType::Sas
    }
}

fn key(name: &str, text: Option<&str>) -> Result<SymmetricKey, HubError> {
    match text {
        None | Some("") => random::key(),
        Some(text) => SymmetricKey::parse(text).map_err(|error| HubError::Malformed(format!("{name}: {error}"))),
    }
}

fn self_signed(spec: &AuthenticationSpec) -> Result<Authentication, HubError> {
    let primary = thumbprint("primaryThumbprint", spec.primary_thumbprint.as_deref())?;
    let secondary = thumbprint("secondaryThumbprint", spec.secondary_thumbprint.as_deref())?;
    if primary.is_none() && secondary.is_none() {
        let text = "a self-signed identity has at least one thumbprint";
        return Err(HubError::InvalidArgument(text.into()));
    }
    Ok(Authentication::SelfSigned { primary, secondary })
}

fn thumbprint(name: &str, text: Option<&str>) -> Result<Option<Thumbprint>, HubError> {
    match text {
        None | Some("") => Ok(None),
        Some(text) => match Thumbprint::parse(text) {
            Ok(thumbprint) => Ok(Some(thumbprint)),
            Err(error) => Err(HubError::InvalidArgument(format!("{name}: {error}"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1: &str = "0123456789abcdef0123456789ABCDEF01234567";
    const SHA1_B: &str = "1123456789abcdef0123456789ABCDEF01234567";
    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAA==";
    const KEY_B: &str = "BAAAAAAAAAAAAAAAAAAAAA==";

    type Pair<'a> = [Option<&'a str>; 2];

    fn spec(kind: Option<AuthenticationType>, keys: Pair<'_>, prints: Pair<'_>) -> AuthenticationSpec {
        let [primary_key, secondary_key] = keys.map(|text| text.map(String::from));
        let [primary_thumbprint, secondary_thumbprint] = prints.map(|text| text.map(String::from));
        AuthenticationSpec {
            kind,
            primary_key,
            secondary_key,
            primary_thumbprint,
            secondary_thumbprint,
        }
    }

    #[track_caller]
    fn check(
        kind: Option<AuthenticationType>,
        keys: Pair<'_>,
        prints: Pair<'_>,
        expected: Result<AuthenticationType, &str>,
    ) {
        let decided = decide(&spec(kind, keys, prints));
        match (decided, expected) {
            (Ok(decided), Ok(expected)) => assert_eq!(decided.kind(), expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (decided, expected) => panic!("{decided:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn the_type_is_given_or_inferred() {
        use AuthenticationType::{CertificateAuthority, None as Nothing, Sas, SelfSigned};
        let none = [None, None];
        check(None, none, none, Ok(Sas));
        check(None, [Some(KEY), None], none, Ok(Sas));
        check(None, [Some(""), Some("")], [Some(SHA1), None], Ok(SelfSigned));
        check(None, none, [None, Some(SHA1)], Ok(SelfSigned));
        check(None, [Some(KEY), None], [Some(SHA1), None], Ok(Sas));
        check(None, none, [Some(""), None], Ok(Sas));
        check(Some(Sas), none, [Some(SHA1), None], Ok(Sas));
        check(
            Some(CertificateAuthority),
            [Some(KEY), None],
            [Some(SHA1), None],
            Ok(CertificateAuthority),
        );
        check(Some(Nothing), none, none, Ok(Nothing));
        check(Some(SelfSigned), none, none, Err("at least one thumbprint"));
        check(Some(SelfSigned), none, [Some("12"), None], Err("primaryThumbprint"));
        check(None, [Some("1"), None], none, Err("primaryKey"));
        check(None, [Some(KEY), Some("2")], none, Err("secondaryKey"));
    }

    #[test]
    fn keys_left_out_are_generated_and_given_ones_kept() {
        let keys_of = |given| {
            let decided = decide(&spec(None, given, [None, None])).unwrap();
            let Authentication::Sas { primary, secondary } = decided else {
                panic!("{decided:?}");
            };
            (primary, secondary)
        };
        let (primary, secondary) = keys_of([Some(KEY), Some("")]);
        assert_eq!(primary.expose(), KEY);
        assert_eq!(secondary.bytes().len(), 32);
        assert_ne!(secondary, keys_of([Some(KEY), None]).1, "generated keys must differ");
    }

    #[test]
    fn links_end_when_what_they_rest_on_goes() {
        let sas = |a, b| decide(&spec(None, [Some(a), Some(b)], [None, None])).unwrap();
        let own = |a, b| decide(&spec(Some(AuthenticationType::SelfSigned), [None, None], [a, b])).unwrap();
        let authority = Authentication::CertificateAuthority;
        for (old, new, expected) in [
            (sas(KEY, KEY_B), sas(KEY, KEY_B), false),
            (sas(KEY, KEY_B), sas(KEY_B, KEY), false),
            (sas(KEY, KEY), sas(KEY, KEY_B), false),
            (sas(KEY, KEY_B), sas(KEY, KEY), true),
            (own(Some(SHA1), None), own(Some(SHA1), Some(SHA1_B)), false),
            (own(Some(SHA1), None), own(None, Some(SHA1)), false),
            (own(Some(SHA1), Some(SHA1_B)), own(Some(SHA1), None), true),
            (sas(KEY, KEY), own(Some(SHA1), None), true),
            (authority.clone(), authority.clone(), false),
            (authority, Authentication::None, true),
        ] {
            assert_eq!(is_narrower(&old, &new), expected, "{old:?} → {new:?}");
        }
    }
}
