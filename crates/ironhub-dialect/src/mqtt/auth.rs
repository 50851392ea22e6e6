//! The CONNECT packet's user name: `{host}/{device}[/{module}]/?api-version=…&DeviceClientType=…`.

use std::borrow::Cow;
use std::fmt;

use ironhub_model::identity::{IdentityId, InvalidId};
use ironhub_model::percent;

/// Who connects, from where, by their own account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserName<'a> {
    /// The hub's name, or the gateway's: compared without letter case.
    pub host: &'a str,
    /// The identity; must equal the client ID.
    pub id: IdentityId,
    /// A date, perhaps with `-preview`; absent in clients written by hand.
    pub api_version: Option<Cow<'a, str>>,
    /// The Plug and Play model that the device announces.
    pub model_id: Option<Cow<'a, str>>,
    /// The SDK and its platform; diagnostic only.
    pub client_type: Option<Cow<'a, str>>,
}

/// Why a user name is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUserName {
    /// There is no `/` after the host.
    #[error("the user name has no device: expected host/device[/module]/?api-version=…")]
    NoDevice,
    /// The device or module is not a legal ID.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// It names another identity than the client ID does.
    #[error("the user name and the client ID name different identities")]
    ClientIdDiffers,
}

impl<'a> UserName<'a> {
    /// Parses the user name of a client with this client ID. All historical spellings are taken: no tail, a tail
    /// without `?`, a tail right after the device, slashes between pairs.
    pub fn parse(text: &'a str, client_id: &str) -> Result<Self, InvalidUserName> {
        let (host, path) = text.split_once('/').ok_or(InvalidUserName::NoDevice)?;
        let (id, tail) = split_tail(path, client_id);
        let id = IdentityId::parse(id)?;
        if id.to_string() != client_id {
            return Err(InvalidUserName::ClientIdDiffers);
        }
        Ok(Self {
            host,
            id,
            api_version: pair(tail, "api-version"),
            model_id: pair(tail, "model-id"),
            client_type: pair(tail, "DeviceClientType"),
        })
    }
}

/// As the current SDKs write it; the identity stands as it is, the values are percent-encoded.
impl fmt::Display for UserName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.host, self.id)?;
        let pairs = [
            ("api-version", &self.api_version),
            ("DeviceClientType", &self.client_type),
            ("model-id", &self.model_id),
        ];
        let mut separator = '?';
        for (name, value) in pairs {
            if let Some(value) = value {
                write!(f, "{separator}{name}={}", percent::encode(value))?;
                separator = '&';
            }
        }
        Ok(())
    }
}

/// Separates the identity from the pairs. `?` is legal inside IDs, so the client ID decides where the identity ends;
/// without its help the tail is what looks like one.
fn split_tail<'a>(path: &'a str, client_id: &str) -> (&'a str, &'a str) {
    if let Some(rest) = path.strip_prefix(client_id)
        && (rest.is_empty() || rest.starts_with(['/', '?']))
    {
        let tail = rest.strip_prefix('/').unwrap_or(rest);
        let first = tail.split('/').next().unwrap_or_default();
        if tail.is_empty() || tail.starts_with('?') || first.contains('=') {
            return (
                path.get(..client_id.len()).unwrap_or(path),
                tail.strip_prefix('?').unwrap_or(tail),
            );
        }
    }
    match path
        .find("/?")
        .or_else(|| path.find("/api-version="))
        .or_else(|| path.find("/DeviceClientType="))
    {
        Some(at) => {
            let (id, tail) = path.split_at(at);
            (id, tail.trim_start_matches(['/', '?']))
        }
        None => (path.strip_suffix('/').unwrap_or(path), ""),
    }
}

/// The value of the first pair with this name. Pairs are separated by `&`; very old .NET clients use `/`.
fn pair<'a>(tail: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut pairs = tail.split('&').flat_map(|part| {
        let old = part.find("/DeviceClientType=").or_else(|| part.find("/api-version="));
        let (first, second) = old.map_or((part, ""), |at| part.split_at(at));
        [first, second.trim_start_matches('/')]
    });
    let value = pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent::decode(value).unwrap_or(Cow::Borrowed(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, client_id: &str, expected: (&str, Option<&str>, Option<&str>)) {
        let (version, model, client) = expected;
        let name = UserName::parse(text, client_id).unwrap();
        assert_eq!((name.host, name.id.to_string().as_str()), ("hub", client_id));
        assert_eq!(name.api_version.as_deref(), Some(version).filter(|v| !v.is_empty()));
        assert_eq!(name.model_id.as_deref(), model);
        assert_eq!(name.client_type.as_deref(), client);
    }

    #[test]
    fn every_sdks_form() {
        check(
            "hub/d/?api-version=2019-10-01&DeviceClientType=azure-iot-device-iothub-py%2F2.14.0%283.11.7%3BLinux%29",
            "d",
            (
                "2019-10-01",
                None,
                Some("azure-iot-device-iothub-py/2.14.0(3.11.7;Linux)"),
            ),
        );
        check(
            "hub/d/?api-version=2021-04-12&model-id=dtmi:com:example:T;1&DeviceClientType=azure-iot-device%2F1.18.4%20(node)",
            "d",
            (
                "2021-04-12",
                Some("dtmi:com:example:T;1"),
                Some("azure-iot-device/1.18.4 (node)"),
            ),
        );
        check(
            "hub/d/?api-version=2020-09-30&DeviceClientType=iothubclient%2f1.15.0%20(native%3b%20Linux)&model-id=dtmi%3acom%3b1",
            "d",
            (
                "2020-09-30",
                Some("dtmi:com;1"),
                Some("iothubclient/1.15.0 (native; Linux)"),
            ),
        );
        check("hub/d/m/?api-version=2020-09-30", "d/m", ("2020-09-30", None, None));
    }

    #[test]
    fn historical_and_hand_written_forms() {
        check("hub/d/api-version=2016-11-14", "d", ("2016-11-14", None, None));
        check(
            "hub/d/api-version=2016-11-14&DeviceClientType=iothubclient%2f1.1",
            "d",
            ("2016-11-14", None, Some("iothubclient/1.1")),
        );
        check(
            "hub/d/DeviceClientType=x&api-version=2016-11-14",
            "d",
            ("2016-11-14", None, Some("x")),
        );
        check("hub/d", "d", ("", None, None));
        check("hub/d/", "d", ("", None, None));
        check("hub/d?api-version=2016-11-14", "d", ("2016-11-14", None, None));
        check("hub/d?/?api-version=2016-11-14", "d?", ("2016-11-14", None, None));
        check(
            "hub/d/api-version=2017-06-30/DeviceClientType=Microsoft.Azure.Devices.Client%2F1.5.1",
            "d",
            ("2017-06-30", None, Some("Microsoft.Azure.Devices.Client/1.5.1")),
        );
        check("hub/d/m", "d/m", ("", None, None));
        check("hub/d/m/api-version=2018-06-30&x=y", "d/m", ("2018-06-30", None, None));
    }

    #[test]
    fn a_user_name_is_read_back() {
        let name = UserName {
            host: "hub",
            id: IdentityId::parse("d?/m").unwrap(),
            api_version: Some("2021-04-12".into()),
            model_id: Some("dtmi:com:example:T;1".into()),
            client_type: Some("x/1 (y)".into()),
        };
        let text = name.to_string();
        assert_eq!(
            text,
            "hub/d?/m/?api-version=2021-04-12&DeviceClientType=x%2F1%20%28y%29&model-id=dtmi%3Acom%3Aexample%3AT%3B1"
        );
        assert_eq!(UserName::parse(&text, "d?/m"), Ok(name));
    }

    #[test]
    fn refusals() {
        assert_eq!(UserName::parse("hub", "d"), Err(InvalidUserName::NoDevice));
        for (text, client_id) in [
            ("hub/d/?api-version=1", "e"),
            ("hub/d/?api-version=1", "D"),
            ("hub/d/m/?api-version=1", "d"),
            ("hub/d/?api-version=1", "d/m"),
        ] {
            assert_eq!(
                UserName::parse(text, client_id),
                Err(InvalidUserName::ClientIdDiffers),
                "{text} {client_id}"
            );
        }
        for text in ["hub/", "hub//?api-version=1", "hub/a b", "hub/d/m/n"] {
            assert!(
                matches!(UserName::parse(text, "x"), Err(InvalidUserName::Id(_))),
                "{text}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text: String, client_id: String) {
            let _ = UserName::parse(&text, &client_id);
        }
    }
}
