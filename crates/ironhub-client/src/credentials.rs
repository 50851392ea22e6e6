//! Who a client is, and what it shows for it.

use std::sync::Arc;
use std::time::Duration;

use ironhub_model::{ConnectionString, SymmetricKey, Timestamp, sas_token};

use crate::clock;
use crate::error::Error;
use crate::tls::ClientCertificate;

/// How long a token is good for, unless configured; as in Microsoft's SDKs.
pub(crate) const TOKEN_LIFETIME_DEFAULT: Duration = Duration::from_hours(1);
/// The part of a token's life after which a new one is made.
const RENEWAL_POINT: f64 = 0.85;

/// How a client proves itself.
#[derive(Debug, Clone)]
pub(crate) enum Credentials {
    /// By tokens that it signs.
    Key(SigningKey),
    /// In the TLS handshake.
    Certificate(Arc<ClientCertificate>),
}

/// Makes tokens for one resource.
#[derive(Debug, Clone)]
pub(crate) struct SigningKey {
    resource: String,
    key: SymmetricKey,
    policy: Option<String>,
    lifetime: Duration,
}

/// A token and when to replace it.
pub(crate) struct Token {
    pub(crate) text: String,
    /// From the moment it was made.
    pub(crate) renew_after: Duration,
}

impl SigningKey {
    /// For what this connection string is about: `{host}/devices/…`, or all of the hub for a policy.
    pub(crate) fn new(connection: &ConnectionString, lifetime: Duration) -> Result<Self, Error> {
        let missing = || Error::Configuration("the connection string has no SharedAccessKey".to_owned());
        let mut resource = host(&connection.host_name).0.to_owned();
        if let Some(device) = &connection.device_id {
            resource.push_str("/devices/");
            resource.push_str(device.as_str());
        }
        if let Some(module) = &connection.module_id {
            resource.push_str("/modules/");
            resource.push_str(module.as_str());
        }
        Ok(Self {
            resource,
            key: connection.key.clone().ok_or_else(missing)?,
            policy: connection.policy.clone(),
            lifetime,
        })
    }

    /// For the connection string's own resource.
    pub(crate) fn token(&self, now: Timestamp) -> Token {
        let expires_at = self.expires_at(now);
        self.made(sas_token::sign(&self.resource, &self.key, expires_at, self.policy()))
    }

    /// For an event hub, signed as Event Hubs clients do.
    pub(crate) fn event_hub_token(&self, audience: &str, now: Timestamp) -> Token {
        let expires_at = self.expires_at(now);
        let key = self.key.expose().as_bytes();
        self.made(sas_token::sign_with_bytes(audience, key, expires_at, self.policy()))
    }

    /// What [`Self::token`] is for.
    pub(crate) fn resource(&self) -> &str {
        &self.resource
    }

    /// A token tells whole seconds: the next one, so that it lives no shorter than it should.
    fn expires_at(&self, now: Timestamp) -> Timestamp {
        let end = now.saturating_add(self.lifetime).as_micros();
        Timestamp::from_secs(end.div_euclid(1_000_000) + i64::from(end.rem_euclid(1_000_000) > 0))
    }

    fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    fn made(&self, text: String) -> Token {
        Token {
            text,
            renew_after: self.lifetime.mul_f64(RENEWAL_POINT),
        }
    }
}

/// A SAS token for what this connection string is about, good for `lifetime` from now on.
///
/// ```
/// use std::time::Duration;
/// use ironhub_client::{ConnectionString, sas_token};
///
/// let text = "HostName=h;DeviceId=d;SharedAccessKey=a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";
/// let connection = ConnectionString::parse(text)?;
/// let token = sas_token(&connection, Duration::from_secs(3600))?;
/// assert!(token.starts_with("SharedAccessSignature sr=h%2Fdevices%2Fd&sig="));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn sas_token(connection: &ConnectionString, lifetime: Duration) -> Result<String, Error> {
    Ok(SigningKey::new(connection, lifetime)?.token(clock::now()).text)
}

/// Splits a port off, as in `hub.example:8443` or `[::1]:8443`.
pub(crate) fn host(host_name: &str) -> (&str, Option<u16>) {
    let parts = host_name
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)))
        .filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    match parts {
        Some((host, port)) => (host, Some(port)),
        None => (host_name, None),
    }
}

#[cfg(test)]
mod tests {
    use ironhub_model::SasToken;

    use super::*;

    const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";

    #[track_caller]
    fn check(text: &str, resource: &str, policy: Option<&str>) {
        let connection = ConnectionString::parse(&format!("{text};SharedAccessKey={KEY}")).unwrap();
        let token = SigningKey::new(&connection, Duration::from_mins(1)).unwrap();
        let token = token.token(Timestamp::from_millis(999_001));
        let parsed = SasToken::parse(&token.text).unwrap();
        assert!(parsed.is_signed_with(&SymmetricKey::parse(KEY).unwrap()));
        assert_eq!((parsed.resource(), parsed.policy()), (resource, policy));
        assert_eq!(parsed.expires_at(), Timestamp::from_secs(1060));
        assert_eq!(token.renew_after, Duration::from_secs(51));
    }

    #[test]
    fn tokens_name_what_they_are_for() {
        check("HostName=h.example;DeviceId=d", "h.example%2Fdevices%2Fd", None);
        check(
            "HostName=h.example:8443;DeviceId=d;ModuleId=m",
            "h.example%2Fdevices%2Fd%2Fmodules%2Fm",
            None,
        );
        check("HostName=h;SharedAccessKeyName=service", "h", Some("service"));
    }

    #[test]
    fn ports_are_split_off() {
        for (text, expected) in [
            ("h", ("h", None)),
            ("h:8443", ("h", Some(8443))),
            ("[::1]:8443", ("[::1]", Some(8443))),
            ("::1", ("::1", None)),
            ("h:x", ("h:x", None)),
        ] {
            assert_eq!(host(text), expected);
        }
    }
}
