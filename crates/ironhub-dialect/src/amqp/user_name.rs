//! The user of SASL PLAIN: `{policy}@sas.root.{hub}`, `{device}@sas.{hub}`, or a policy's bare name.

use ironhub_model::IdentityId;

/// Who logs in, by their own account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserName<'a> {
    /// A policy of the hub; the password is its token.
    Policy(&'a str),
    /// A device or module; the password is its token.
    Identity(IdentityId),
    /// A policy's bare name, as the first Event Hubs clients send it; the password is the key itself.
    BarePolicy(&'a str),
}

/// The user is nobody that the hub could know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected policy@sas.root.hub, device@sas.hub or the name of a policy")]
pub struct InvalidUserName;

impl<'a> UserName<'a> {
    /// Parses a user. The hub's name behind it says nothing that the password does not say.
    pub fn parse(text: &'a str) -> Result<Self, InvalidUserName> {
        // Policies and devices may have `@` in their names.
        if let Some((policy, hub)) = rsplit_once_any_case(text, "@sas.root.")
            && !policy.is_empty()
            && !hub.is_empty()
        {
            return Ok(Self::Policy(policy));
        }
        if let Some((id, hub)) = rsplit_once_any_case(text, "@sas.")
            && !hub.is_empty()
        {
            return IdentityId::parse(id).map(Self::Identity).map_err(|_| InvalidUserName);
        }
        if text.is_empty() {
            return Err(InvalidUserName);
        }
        Ok(Self::BarePolicy(text))
    }
}

fn rsplit_once_any_case<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let at = text.to_ascii_lowercase().rfind(separator)?;
    Some((text.get(..at)?, text.get(at + separator.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let read = UserName::parse(text).map_or_else(|_| "no".to_owned(), |user| format!("{user:?}"));
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn users() {
        check("service@sas.root.hub", r#"Policy("service")"#);
        check("a@b@SAS.ROOT.hub", r#"Policy("a@b")"#);
        check("dev-1@sas.hub", "Identity(dev-1)");
        check("dev-1/m@sas.hub", "Identity(dev-1/m)");
        check("iothubowner", r#"BarePolicy("iothubowner")"#);
        for bad in ["", "@sas.hub", "a/b/c@sas.hub"] {
            check(bad, "no");
        }
        check("@sas.root.hub", "no");
        check("d@sas.", r#"BarePolicy("d@sas.")"#);
    }
}
