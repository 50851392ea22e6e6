//! Why a verb did not work: one line for people with the hub's own code, a hint where there is something to do, and the
//! exit code of [`crate::exit::CODES`].

use std::io;

use ironhub_client::{Error, HubError};

use super::table::visible;
use crate::exit;

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// What was given on the command line cannot be.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(exit::MISCONFIGURED, message)
    }

    /// Something here did not work.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(exit::FAILURE, message)
    }

    /// The hub, or the device behind it, said no.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(exit::REFUSED, message)
    }

    /// There is no way to the hub.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(exit::UNREACHABLE, message)
    }

    /// What was waited for did not come in time.
    pub(crate) fn timed_out(message: impl Into<String>) -> Self {
        Self::new(exit::TIMED_OUT, message)
    }

    fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            code,
        }
    }

    /// Says what to do about it.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to do about it, when there is something.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What the program ends with.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = visible(&error.to_string());
        match &error {
            Error::Hub(refusal) => of_hub(refusal),
            Error::UntrustedCertificate { host, reason } => {
                Self::unreachable(format!("the certificate of {host} is not trusted: {reason}")).with_hint(
                    "name the authority with --ca-file; a development hub shows its own at \
                     http://localhost:9600/ca.pem, and it covers the host names that the hub was started with",
                )
            }
            Error::Unreachable { .. } => Self::unreachable(message).with_hint(
                "is the hub running, and are host name and port right? `ironhub serve --dev` starts one here; \
                 --https-port, --amqp-port and --mqtt-port name unusual ports",
            ),
            Error::Refused(_) | Error::SubscriptionRefused(_) => Self::refused(message),
            Error::Lost(_) => Self::unreachable(message),
            Error::Timeout(_) => Self::new(exit::TIMED_OUT, message),
            Error::ConnectionString(_) | Error::Configuration(_) | Error::MessageTooLarge { .. } => {
                Self::usage(message)
            }
            Error::Protocol(_) | Error::LockLost | Error::Closed | _ => Self::failed(message),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::failed(format!("the answer cannot be printed: {error}"))
    }
}

/// `DeviceNotFound (404001): wind-17`.
fn of_hub(refusal: &HubError) -> Failure {
    let said = visible(&refusal.message);
    let failure = Failure::refused(match (refusal.name(), refusal.code) {
        (Some(name), Some(code)) => match said.strip_prefix(name).unwrap_or(&said).trim_start_matches(": ") {
            "" => format!("{name} ({code})"),
            detail => format!("{name} ({code}): {detail}"),
        },
        (None, Some(code)) => format!("{code}: {said}"),
        (_, None) => format!("status {}: {said}", refusal.status),
    });
    match refusal.code.and_then(hint_for) {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

fn hint_for(code: u32) -> Option<&'static str> {
    Some(match code {
        // It belongs to IoT Edge and is there with its device, whoever asks.
        401_100 => return None,
        401_001..=401_999 => {
            "the policy, its key or its permissions are others, or this machine's clock is wrong; \
             `ironhub policy show` prints what a hub on this machine takes"
        }
        403_002 => "the day's quota is used up; it begins anew at midnight UTC",
        403_004 => "the device's queue is full: let it receive, or empty it with `ironhub device c2d-message purge`",
        404_001 => "`ironhub device-identity list` shows what is registered, `device-identity create` registers",
        404_010 => "`ironhub module-identity list` shows what is registered, `module-identity create` registers",
        404_103 => "only a connected device can answer, and only for the methods that it listens to",
        409_001 | 409_301 => "the `update` of the same group changes what is registered",
        412_001 => "it was changed in between: read it again for its etag, or leave --etag out to overwrite",
        412_002 => "the lock has run out or another receiver has the message: receive it again",
        429_001..=429_999 => "too much at once: try again in a while",
        504_101 => "the device is connected and did not answer in time; --timeout gives it longer",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(error: Error, message: &str, code: u8, has_hint: bool) {
        let failure = Failure::from(error);
        assert_eq!(failure.to_string(), message);
        assert_eq!(
            (failure.code(), failure.hint().is_some()),
            (code, has_hint),
            "{message}"
        );
    }

    fn hub(status: u16, code: Option<u32>, message: &str) -> Error {
        Error::Hub(HubError {
            status,
            code,
            message: message.to_owned(),
            tracking_id: None,
        })
    }

    #[test]
    fn each_failure_has_its_line_and_code() {
        let not_found = hub(404, Some(404_001), "DeviceNotFound: wind-17");
        check(not_found, "DeviceNotFound (404001): wind-17", 3, true);
        let bare = hub(404, Some(404_001), "DeviceNotFound");
        check(bare, "DeviceNotFound (404001)", 3, true);
        let nested = hub(404, Some(404_103), "not online\u{1b}");
        check(nested, "DeviceNotOnline (404103): not online\\u{1b}", 3, true);
        check(hub(400, Some(400_999), "new"), "400999: new", 3, false);
        let system_module = hub(401, Some(401_100), "$edgeAgent cannot be deleted");
        let told = "SystemModuleModifyUnauthorizedAccess (401100): $edgeAgent cannot be deleted";
        check(system_module, told, 3, false);
        check(hub(418, None, "teapot"), "status 418: teapot", 3, false);
        check(Error::Timeout(Duration::from_secs(2)), "no answer within 2 s", 5, false);
        let unreachable = Error::Unreachable {
            host: "h".into(),
            port: 443,
            reason: "refused".into(),
        };
        check(unreachable, "cannot reach h:443: refused", 4, true);
        let untrusted = Error::UntrustedCertificate {
            host: "h".into(),
            reason: "UnknownIssuer".into(),
        };
        check(untrusted, "the certificate of h is not trusted: UnknownIssuer", 4, true);
    }
}
