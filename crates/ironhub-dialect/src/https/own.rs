//! Which operation of IronHub's own API, below `/ironhub/v1/`, a method and a path ask for.

use super::operation::{NoOperation, Verb};
use super::path::{candidates, segments};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnOperation {
    /// Read the built-in endpoint.
    ReadEvents,
    /// The hub's settings.
    GetSettings,
    /// Replace the hub's settings.
    PutSettings,
    /// Add a certificate authority.
    AddCertificate,
    /// Remove the certificate authority of this name.
    RemoveCertificate(String),
    /// A code with which the authority of this name is proved.
    VerificationCode(String),
    /// Prove the authority of this name.
    VerifyCertificate(String),
    /// All consumer groups.
    ListConsumerGroups,
    /// The consumer group of this name.
    GetConsumerGroup(String),
    /// Make the consumer group of this name.
    PutConsumerGroup(String),
    /// Remove the consumer group of this name.
    RemoveConsumerGroup(String),
    /// The description of this API.
    Description,
}

/// Where the API begins.
pub const ROOT: &str = "/ironhub/";

/// Is this a path of IronHub's own API?
pub fn is_own(raw_path: &str) -> bool {
    raw_path.starts_with(ROOT)
}

/// What a request asks for. Paths are as documented, and are decoded once.
pub fn parse(verb: Verb, raw_path: &str) -> Result<OwnOperation, NoOperation> {
    let candidates = candidates(raw_path);
    let path = candidates.first().ok_or(NoOperation::UnknownPath)?;
    let path = segments(path).ok_or(NoOperation::UnknownPath)?;
    let ["ironhub", "v1", rest @ ..] = path.as_slice() else {
        return Err(NoOperation::UnknownPath);
    };
    if let Some(operation) = lookup(verb, rest) {
        return Ok(operation);
    }
    let allowed = Verb::ALL.into_iter().filter(|verb| lookup(*verb, rest).is_some());
    let allowed: Vec<&str> = allowed.map(Verb::as_str).collect();
    if allowed.is_empty() {
        Err(NoOperation::UnknownPath)
    } else {
        Err(NoOperation::WrongVerb(allowed.join(", ")))
    }
}

fn lookup(verb: Verb, path: &[&str]) -> Option<OwnOperation> {
    let operation = match (verb, path) {
        (Verb::Get, ["events"]) => OwnOperation::ReadEvents,
        (Verb::Get, ["settings"]) => OwnOperation::GetSettings,
        (Verb::Put, ["settings"]) => OwnOperation::PutSettings,
        (Verb::Post, ["certificates"]) => OwnOperation::AddCertificate,
        (Verb::Delete, ["certificates", name]) => OwnOperation::RemoveCertificate((*name).into()),
        (Verb::Post, ["certificates", name, "verification-code"]) => OwnOperation::VerificationCode((*name).into()),
        (Verb::Post, ["certificates", name, "verify"]) => OwnOperation::VerifyCertificate((*name).into()),
        (Verb::Get, ["consumerGroups"]) => OwnOperation::ListConsumerGroups,
        (Verb::Get, ["consumerGroups", name]) => OwnOperation::GetConsumerGroup((*name).into()),
        (Verb::Put, ["consumerGroups", name]) => OwnOperation::PutConsumerGroup((*name).into()),
        (Verb::Delete, ["consumerGroups", name]) => OwnOperation::RemoveConsumerGroup((*name).into()),
        (Verb::Get, ["openapi.yaml"]) => OwnOperation::Description,
        _ => return None,
    };
    Some(operation)
}

impl OwnOperation {
    /// One word for metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::ReadEvents => "read_events",
            Self::GetSettings => "get_settings",
            Self::PutSettings => "put_settings",
            Self::AddCertificate => "add_certificate",
            Self::RemoveCertificate(_) => "remove_certificate",
            Self::VerificationCode(_) => "verification_code",
            Self::VerifyCertificate(_) => "verify_certificate",
            Self::ListConsumerGroups => "list_consumer_groups",
            Self::GetConsumerGroup(_) => "get_consumer_group",
            Self::PutConsumerGroup(_) => "put_consumer_group",
            Self::RemoveConsumerGroup(_) => "remove_consumer_group",
            Self::Description => "description",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(request: &str, expected: &str) {
        let (verb, path) = request.split_once(' ').unwrap();
        let shown = match parse(Verb::parse(verb).unwrap(), path) {
            Ok(operation) => format!("{operation:?}"),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(shown, expected, "{request}");
    }

    #[test]
    fn operations() {
        check("GET /ironhub/v1/events", "ReadEvents");
        check("GET /ironhub/v1/settings/", "GetSettings");
        check("PUT /ironhub/v1/settings", "PutSettings");
        check("POST /ironhub/v1/certificates", "AddCertificate");
        check(
            "DELETE /ironhub/v1/certificates/my%20ca",
            r#"RemoveCertificate("my ca")"#,
        );
        check(
            "POST /ironhub/v1/certificates/root/verification-code",
            r#"VerificationCode("root")"#,
        );
        check(
            "POST /ironhub/v1/certificates/root/verify",
            r#"VerifyCertificate("root")"#,
        );
        check("GET /ironhub/v1/consumerGroups", "ListConsumerGroups");
        check(
            "GET /ironhub/v1/consumerGroups/%24Default",
            r#"GetConsumerGroup("$Default")"#,
        );
        check("PUT /ironhub/v1/consumerGroups/a", r#"PutConsumerGroup("a")"#);
        check("DELETE /ironhub/v1/consumerGroups/a", r#"RemoveConsumerGroup("a")"#);
        check("POST /ironhub/v1/consumerGroups/a", r#"WrongVerb("DELETE, GET, PUT")"#);
        check("GET /ironhub/v1/openapi.yaml", "Description");
        check("POST /ironhub/v1/events", r#"WrongVerb("GET")"#);
        check("GET /ironhub/v2/events", "UnknownPath");
        check("GET /ironhub/v1", "UnknownPath");
        check("GET /ironhub/v1/Events", "UnknownPath");
    }
}
