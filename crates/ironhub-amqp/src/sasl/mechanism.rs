/// The mechanisms in the order in which the real service lists them; clients choose by their own preference.
pub const OFFERED: [&str; 4] = ["EXTERNAL", "MSSBCBS", "ANONYMOUS", "PLAIN"];

/// What a client says about itself in the authentication phase.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// The client certificate of the TLS connection counts.
    External,
    /// A token follows on `$cbs`; nothing is claimed yet. Microsoft's own mechanism.
    Mssbcbs,
    /// Nothing is claimed; SDKs put a token on `$cbs` afterwards.
    Anonymous,
    /// A user and a password, which for the hub is `{policy}@sas.root.{hub}` and a token.
    Plain {
        /// On whose behalf; empty in all that SDKs send.
        authorization_id: String,
        /// The user.
        user: String,
        /// The password: a secret, never to be logged.
        password: String,
    },
}

impl Credentials {
    /// Reads what a client sent; `None` for another mechanism and for a PLAIN response that is not three UTF-8 texts
    /// separated by NUL (RFC 4616).
    pub fn read(mechanism: &str, response: &[u8]) -> Option<Self> {
        match mechanism {
            "EXTERNAL" => Some(Self::External),
            "MSSBCBS" => Some(Self::Mssbcbs),
            "ANONYMOUS" => Some(Self::Anonymous),
            "PLAIN" => {
                let mut parts = std::str::from_utf8(response).ok()?.splitn(3, '\0').map(str::to_owned);
                let (authorization_id, user, password) = (parts.next()?, parts.next()?, parts.next()?);
                Some(Self::Plain {
                    authorization_id,
                    user,
                    password,
                })
            }
            _ => None,
        }
    }

    /// The mechanism and its initial response.
    pub fn to_response(&self) -> (&'static str, Vec<u8>) {
        match self {
            Self::External => ("EXTERNAL", Vec::new()),
            Self::Mssbcbs => ("MSSBCBS", Vec::new()),
            Self::Anonymous => ("ANONYMOUS", Vec::new()),
            Self::Plain {
                authorization_id,
                user,
                password,
            } => (
                "PLAIN",
                [authorization_id, user, password].map(String::as_bytes).join(&0),
            ),
        }
    }
}

impl std::fmt::Debug for Credentials {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::External => f.write_str("External"),
            Self::Mssbcbs => f.write_str("Mssbcbs"),
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Plain { user, .. } => f.debug_struct("Plain").field("user", user).finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mechanism: &str, response: &[u8], expected: Option<&Credentials>) {
        let read = Credentials::read(mechanism, response);
        assert_eq!(read.as_ref(), expected);
        if let Some(credentials) = read {
            let (mechanism, response) = credentials.to_response();
            assert_eq!(Credentials::read(mechanism, &response), Some(credentials));
        }
    }

    #[test]
    fn mechanisms() {
        let plain = |authorization_id: &str, user: &str, password: &str| Credentials::Plain {
            authorization_id: authorization_id.into(),
            user: user.into(),
            password: password.into(),
        };
        let token = plain("", "p@sas.root.hub", "SharedAccessSignature sr=x");
        check("PLAIN", b"\0p@sas.root.hub\0SharedAccessSignature sr=x", Some(&token));
        check("PLAIN", b"a\0b\0c\0d", Some(&plain("a", "b", "c\0d")));
        check("PLAIN", b"user\0password", None);
        check("PLAIN", b"", None);
        check("PLAIN", b"\0\xff\0p", None);
        check("ANONYMOUS", b"\0policy", Some(&Credentials::Anonymous));
        check("MSSBCBS", b"", Some(&Credentials::Mssbcbs));
        check("EXTERNAL", b"", Some(&Credentials::External));
        check("SCRAM-SHA-256", b"", None);
    }

    #[test]
    fn a_password_is_not_printed() {
        let credentials = Credentials::read("PLAIN", b"\0user\0secret").unwrap();
        assert_eq!(format!("{credentials:?}"), r#"Plain { user: "user", .. }"#);
    }
}
