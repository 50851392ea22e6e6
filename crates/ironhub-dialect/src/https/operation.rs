//! Which operation a method and a path ask for.

use ironhub_model::{DeviceId, IdentityId, LockToken, ModuleId, percent};

use super::path::{candidates, segments};

/// The methods that the API has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `DELETE`.
    Delete,
    /// `GET`.
    Get,
    /// `PATCH`.
    Patch,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Up to a thousand devices.
    ListDevices,
    /// Many registry writes at once.
    Bulk,
    /// A query over twins.
    Query,
    /// New keys for many identities.
    RegenerateKeys,
    /// How many devices there are.
    DeviceStatistics,
    /// How many devices are connected.
    ServiceStatistics,
    /// One device.
    GetDevice(DeviceId),
    /// Create or replace a device.
    PutDevice(DeviceId),
    /// Delete a device.
    DeleteDevice(DeviceId),
    /// The modules of a device.
    ListModules(DeviceId),
    /// One module.
    GetModule(DeviceId, ModuleId),
    /// Create or replace a module.
    PutModule(DeviceId, ModuleId),
    /// Delete a module.
    DeleteModule(DeviceId, ModuleId),
    /// Empty a device's cloud-to-device queue.
    PurgeC2d(DeviceId),
    /// A twin.
    GetTwin(IdentityId),
    /// Merge into a twin.
    PatchTwin(IdentityId),
    /// Replace a twin's tags and desired properties.
    ReplaceTwin(IdentityId),
    /// Call a direct method.
    InvokeMethod(IdentityId),
    /// A device sends telemetry, one message or a batch.
    SendTelemetry(IdentityId),
    /// A back end sends a cloud-to-device message.
    SendC2d(DeviceId),
    /// A device asks for a cloud-to-device message.
    ReceiveC2d(DeviceId),
    /// A device completes or rejects a message. `None` stands for a token that never was.
    CompleteC2d(DeviceId, Option<LockToken>),
    /// A device gives a message back.
    AbandonC2d(DeviceId, Option<LockToken>),
    /// A back end asks for feedback.
    ReceiveFeedback,
    /// A back end has taken feedback.
    CompleteFeedback(Option<LockToken>),
    /// A back end gives feedback back.
    AbandonFeedback(Option<LockToken>),
    /// A part of IoT Hub that this hub does not have yet.
    Unavailable(Feature),
}

/// Parts of IoT Hub that this hub does not have yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Uploads by devices, and the notifications about them.
    FileUpload,
    /// Scheduled jobs, export and import.
    Jobs,
    /// Automatic device configurations and IoT Edge deployments.
    Configurations,
    /// Digital twins.
    DigitalTwins,
}

/// Why a path asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoOperation {
    /// No such path.
    #[error("there is no such resource")]
    UnknownPath,
    /// The path has other methods: a comma-separated list, as in the header `Allow`.
    #[error("the resource has the methods {0}")]
    WrongVerb(String),
    /// The path names an identity that cannot be.
    #[error("{0}")]
    InvalidId(String),
}

/// An operation and the path it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What is asked for.
    pub operation: Operation,
    /// The decoded path, for checking what a token covers. Its first word is in lower case.
    pub path: String,
}

/// What a request may ask for, likeliest first: never empty. See [`super::path::candidates`].
pub fn parse(verb: Verb, raw_path: &str) -> Result<Vec<Candidate>, NoOperation> {
    let (mut found, mut failure) = (Vec::new(), None);
    for path in candidates(raw_path) {
        match operation(verb, &path) {
            Ok(operation) => found.push(Candidate {
                operation,
                path: with_lower_case_root(&path),
            }),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    if found.is_empty() {
        let failure = impossible_id(verb, raw_path).or(failure);
        return Err(failure.unwrap_or(NoOperation::UnknownPath));
    }
    Ok(found)
}

/// An encoded slash that does not separate segments is part of an ID, which cannot have one.
fn impossible_id(verb: Verb, raw_path: &str) -> Option<NoOperation> {
    let decoded: Option<Vec<_>> = segments(raw_path)?.into_iter().map(percent::decode).collect();
    let decoded = decoded?;
    let lower: Vec<String> = decoded.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let pairs: Vec<(&str, &str)> = lower
        .iter()
        .map(String::as_str)
        .zip(decoded.iter().map(AsRef::as_ref))
        .collect();
    lookup(verb, &pairs)?
        .err()
        .filter(|failure| matches!(failure, NoOperation::InvalidId(_)))
}

fn operation(verb: Verb, path: &str) -> Result<Operation, NoOperation> {
    let segments = segments(path).ok_or(NoOperation::UnknownPath)?;
    let lower: Vec<String> = segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let pairs: Vec<(&str, &str)> = lower.iter().map(String::as_str).zip(segments).collect();
    if let Some(operation) = lookup(verb, &pairs) {
        return operation;
    }
    let allowed = Verb::ALL.into_iter().filter(|verb| lookup(*verb, &pairs).is_some());
    let allowed: Vec<&str> = allowed.map(Verb::as_str).collect();
    if allowed.is_empty() {
        Err(NoOperation::UnknownPath)
    } else {
        Err(NoOperation::WrongVerb(allowed.join(", ")))
    }
}

/// The table of the API. Each segment is a pair: in lower case, to be compared, and as it came, for IDs.
fn lookup(verb: Verb, path: &[(&str, &str)]) -> Option<Result<Operation, NoOperation>> {
    match path {
        [("devices", _), rest @ ..] => devices(verb, rest),
        [("twins", _), (_, device)] => twin(verb, || id(device, None)),
        [("twins", _), (_, device), ("modules", _), (_, module)] => twin(verb, || id(device, Some(module))),
        [("twins", _), (_, device), ("methods", _)] if verb == Verb::Post => {
            Some(id(device, None).map(Operation::InvokeMethod))
        }
        [("twins", _), (_, device), ("modules", _), (_, module), ("methods", _)] if verb == Verb::Post => {
            Some(id(device, Some(module)).map(Operation::InvokeMethod))
        }
        [("messages", _), ("servicebound", _), rest @ ..] => back_end_messages(verb, rest),
        [("statistics", _), ("devices", _)] if verb == Verb::Get => Some(Ok(Operation::DeviceStatistics)),
        [("statistics", _), ("service", _)] if verb == Verb::Get => Some(Ok(Operation::ServiceStatistics)),
        [("jobs", _), ..] => unavailable(Feature::Jobs),
        [("configurations", _), ..] => unavailable(Feature::Configurations),
        [("digitaltwins", _), _, ..] => unavailable(Feature::DigitalTwins),
        _ => None,
    }
}

fn devices(verb: Verb, path: &[(&str, &str)]) -> Option<Result<Operation, NoOperation>> {
    use Verb::{Delete, Get, Post, Put};
    let operation = match (verb, path) {
        (Get, []) => Ok(Operation::ListDevices),
        (Post, []) => Ok(Operation::Bulk),
        (Post, [("query", _)]) => Ok(Operation::Query),
        (Post, [("keys", _), ("regenerate", _)]) => Ok(Operation::RegenerateKeys),
        (Get, [(_, device)]) => device_id(device).map(Operation::GetDevice),
        (Put, [(_, device)]) => device_id(device).map(Operation::PutDevice),
        (Delete, [(_, device)]) => device_id(device).map(Operation::DeleteDevice),
        (Delete, [(_, device), ("commands", _)]) => device_id(device).map(Operation::PurgeC2d),
        (Post, [(_, _), ("applyconfigurationcontent", _)]) => return unavailable(Feature::Configurations),
        (_, [(_, _), ("files", _), ..]) => return unavailable(Feature::FileUpload),
        (_, [(_, device), ("messages", _), rest @ ..]) => return device_messages(verb, device, rest),
        (Get, [(_, device), ("modules", _)]) => device_id(device).map(Operation::ListModules),
        (_, [(_, device), ("modules", _), (_, module)]) => return self::module(verb, device, module),
        (Post, [(_, device), ("modules", _), (_, module), ("messages", _), ("events", _)]) => {
            id(device, Some(module)).map(Operation::SendTelemetry)
        }
        _ => return None,
    };
    Some(operation)
}

fn device_messages(verb: Verb, device: &str, path: &[(&str, &str)]) -> Option<Result<Operation, NoOperation>> {
    use Verb::{Delete, Get, Post};
    let operation = match (verb, path) {
        (Post, [("events", _)]) => id(device, None).map(Operation::SendTelemetry),
        (Get, [("devicebound", _)]) => device_id(device).map(Operation::ReceiveC2d),
        (Post, [("devicebound", _)]) => device_id(device).map(Operation::SendC2d),
        (Delete, [("devicebound", _), (_, token)]) => {
            device_id(device).map(|device| Operation::CompleteC2d(device, lock_token(token)))
        }
        (Post, [("devicebound", _), (_, token), ("abandon", _)]) => {
            device_id(device).map(|device| Operation::AbandonC2d(device, lock_token(token)))
        }
        _ => return None,
    };
    Some(operation)
}

fn module(verb: Verb, device: &str, module: &str) -> Option<Result<Operation, NoOperation>> {
    let of: fn(DeviceId, ModuleId) -> Operation = match verb {
        Verb::Get => Operation::GetModule,
        Verb::Put => Operation::PutModule,
        Verb::Delete => Operation::DeleteModule,
        Verb::Patch | Verb::Post => return None,
    };
    Some(device_id(device).and_then(|device| Ok(of(device, module_id(module)?))))
}

fn twin(verb: Verb, id: impl Fn() -> Result<IdentityId, NoOperation>) -> Option<Result<Operation, NoOperation>> {
    let of: fn(IdentityId) -> Operation = match verb {
        Verb::Get => Operation::GetTwin,
        Verb::Patch => Operation::PatchTwin,
        Verb::Put => Operation::ReplaceTwin,
        Verb::Delete | Verb::Post => return None,
    };
    Some(id().map(of))
}

fn back_end_messages(verb: Verb, path: &[(&str, &str)]) -> Option<Result<Operation, NoOperation>> {
    use Verb::{Delete, Get, Post};
    let operation = match (verb, path) {
        (Get, [("feedback", _)]) => Operation::ReceiveFeedback,
        (Delete, [("feedback", _), (_, token)]) => Operation::CompleteFeedback(lock_token(token)),
        (Post, [("feedback", _), (_, token), ("abandon", _)]) => Operation::AbandonFeedback(lock_token(token)),
        (_, [("filenotifications" | "fileuploadnotifications", _), ..]) => return unavailable(Feature::FileUpload),
        _ => return None,
    };
    Some(Ok(operation))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a line of the table")]
fn unavailable(feature: Feature) -> Option<Result<Operation, NoOperation>> {
    Some(Ok(Operation::Unavailable(feature)))
}

fn device_id(text: &str) -> Result<DeviceId, NoOperation> {
    DeviceId::parse(text).map_err(|error| NoOperation::InvalidId(error.to_string()))
}

fn module_id(text: &str) -> Result<ModuleId, NoOperation> {
    ModuleId::parse(text).map_err(|error| NoOperation::InvalidId(error.to_string()))
}

fn id(device: &str, module: Option<&str>) -> Result<IdentityId, NoOperation> {
    Ok(IdentityId {
        device: device_id(device)?,
        module: module.map(module_id).transpose()?,
    })
}

/// Tokens come as they were given out; some clients leave the quotes of the ETag on.
fn lock_token(text: &str) -> Option<LockToken> {
    LockToken::parse(text.trim_matches('"')).ok()
}

fn with_lower_case_root(path: &str) -> String {
    let mut path = path.to_owned();
    let root = path.trim_start_matches('/').find('/').map_or(path.len(), |end| end + 1);
    if let Some(root) = path.get_mut(..root) {
        root.make_ascii_lowercase();
    }
    path
}

impl Verb {
    pub(super) const ALL: [Self; 5] = [Self::Delete, Self::Get, Self::Patch, Self::Post, Self::Put];

    /// Reads a method; they are case-sensitive (RFC 9110, section 9.1).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == text)
    }

    /// As it stands in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

impl Operation {
    /// One word for metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::ListDevices => "list_devices",
            Self::Bulk => "bulk",
            Self::Query => "query",
            Self::RegenerateKeys => "regenerate_keys",
            Self::DeviceStatistics | Self::ServiceStatistics => "statistics",
            Self::GetDevice(_) => "get_device",
            Self::PutDevice(_) => "put_device",
            Self::DeleteDevice(_) => "delete_device",
            Self::ListModules(_) => "list_modules",
            Self::GetModule(..) => "get_module",
            Self::PutModule(..) => "put_module",
            Self::DeleteModule(..) => "delete_module",
            Self::PurgeC2d(_) => "purge_c2d",
            Self::GetTwin(_) => "get_twin",
            Self::PatchTwin(_) => "patch_twin",
            Self::ReplaceTwin(_) => "replace_twin",
            Self::InvokeMethod(_) => "invoke_method",
            Self::SendTelemetry(_) => "send_telemetry",
            Self::SendC2d(_) => "send_c2d",
            Self::ReceiveC2d(_) => "receive_c2d",
            Self::CompleteC2d(..) => "complete_c2d",
            Self::AbandonC2d(..) => "abandon_c2d",
            Self::ReceiveFeedback => "receive_feedback",
            Self::CompleteFeedback(_) => "complete_feedback",
            Self::AbandonFeedback(_) => "abandon_feedback",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// Are errors told in the form of direct methods and twins, JSON within a string? See [`super::error`].
    pub fn has_nested_errors(&self) -> bool {
        matches!(
            self,
            Self::GetTwin(_) | Self::PatchTwin(_) | Self::ReplaceTwin(_) | Self::InvokeMethod(_)
        )
    }
}

impl Feature {
    /// What to tell who asks for it.
    pub fn message(self) -> &'static str {
        match self {
            Self::FileUpload => "IronHub has no file upload yet",
            Self::Jobs => "IronHub has no jobs yet",
            Self::Configurations => "IronHub has no automatic configurations yet",
            Self::DigitalTwins => "IronHub has no digital twin API yet; the twin of the device holds its properties",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "2f9c0e1a-0000-4000-8000-00000000000a";

    #[track_caller]
    fn check(request: &str, expected: &str) {
        let (verb, path) = request.split_once(' ').unwrap();
        let shown = match parse(Verb::parse(verb).unwrap(), path) {
            Ok(found) => {
                let shown: Vec<String> = found
                    .iter()
                    .map(|candidate| format!("{:?}", candidate.operation))
                    .collect();
                shown.join(" or ")
            }
            Err(NoOperation::InvalidId(_)) => "invalid id".into(),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(shown, expected, "{request}");
    }

    #[test]
    fn registry() {
        check("GET /devices", "ListDevices");
        check("GET /devices/", "ListDevices");
        check("POST /devices/", "Bulk");
        check("POST /devices/query", "Query");
        check("GET /devices/query", "GetDevice(query)");
        check("POST /devices/keys/regenerate", "RegenerateKeys");
        check("GET /Devices/D-1/", "GetDevice(D-1)");
        check("PUT /devices/a%3Ab", "PutDevice(a:b)");
        check("DELETE /devices/d", "DeleteDevice(d)");
        check("GET /devices/d/modules", "ListModules(d)");
        check("GET /devices/d/Modules/%24edgeAgent", "GetModule(d, $edgeAgent)");
        check("PUT /devices/d/modules/m", "PutModule(d, m)");
        check("DELETE /devices/d/modules/m", "DeleteModule(d, m)");
        check("DELETE /devices/d/commands", "PurgeC2d(d)");
        check("GET /statistics/devices", "DeviceStatistics");
        check("GET /statistics/service", "ServiceStatistics");
    }

    #[test]
    fn twins_and_methods() {
        check("GET /twins/d", "GetTwin(d)");
        check("PATCH /twins/d/modules/m", "PatchTwin(d/m)");
        check("PUT /twins/d", "ReplaceTwin(d)");
        check("POST /twins/d/methods", "InvokeMethod(d)");
        check("POST /twins/d/modules/m/methods", "InvokeMethod(d/m)");
        check("POST /twins/modules/methods", "InvokeMethod(modules)");
    }

    #[test]
    fn messages() {
        check("POST /devices/d/messages/events", "SendTelemetry(d)");
        check("POST /devices/d/modules/m/messages/events", "SendTelemetry(d/m)");
        check("GET /devices/d/messages/deviceBound", "ReceiveC2d(d)");
        check("POST /devices/d/messages/deviceBound", "SendC2d(d)");
        check(
            &format!("DELETE /devices/d/messages/devicebound/{TOKEN}"),
            &format!("CompleteC2d(d, Some({TOKEN}))"),
        );
        check(
            &format!("DELETE /devices/d/messages/devicebound/%22{TOKEN}%22"),
            &format!("CompleteC2d(d, Some({TOKEN}))"),
        );
        check(
            "POST /devices/d/messages/devicebound/lock-1/abandon",
            "AbandonC2d(d, None)",
        );
        check("GET /messages/serviceBound/feedback", "ReceiveFeedback");
        check(
            &format!("DELETE /messages/servicebound/feedback/{TOKEN}"),
            &format!("CompleteFeedback(Some({TOKEN}))"),
        );
        check(
            "POST /messages/servicebound/feedback/x/abandon",
            "AbandonFeedback(None)",
        );
    }

    #[test]
    fn explorer_encodes_whole_paths() {
        check("POST /devices%2Fquery", "Query");
        check("GET /twins%2Fdev1", "GetTwin(dev1)");
        check(
            "POST /devices%2Fa%253Ab%2Fmessages%2FdeviceBound",
            "SendC2d(a%3Ab) or SendC2d(a:b)",
        );
        check("GET /devices/100%2541", "GetDevice(100%41) or GetDevice(100A)");
    }

    #[test]
    fn what_is_not_there() {
        for path in [
            "/",
            "",
            "//",
            "/devicesx",
            "/devices/d/modules/m/files",
            "/twins",
            "/devices/d/x",
            "*",
        ] {
            check(&format!("GET {path}"), "UnknownPath");
        }
        check("GET /devices//modules", "invalid id");
        check("GET /devices/a%20b", "invalid id");
        check("PUT /devices/a%2Fb", "invalid id");
        check("PUT /devices/d/modules/a%2Fb", "invalid id");
        check("PATCH /devices/d", r#"WrongVerb("DELETE, GET, PUT")"#);
        check("POST /twins/d", r#"WrongVerb("GET, PATCH, PUT")"#);
        check("GET /twins/d/methods", r#"WrongVerb("POST")"#);
        check("GET /devices/%FF", "UnknownPath");
        assert_eq!(Verb::parse("get"), None);
    }

    #[test]
    fn what_is_not_built_says_so() {
        for (request, feature) in [
            ("POST /devices/d/files/", "FileUpload"),
            ("POST /devices/d/files/notifications/cor%2F1", "FileUpload"),
            ("GET /messages/serviceBound/filenotifications", "FileUpload"),
            ("PUT /jobs/v2/j", "Jobs"),
            ("GET /configurations/", "Configurations"),
            ("POST /devices/d/applyConfigurationContent", "Configurations"),
            ("GET /digitaltwins/d", "DigitalTwins"),
        ] {
            check(request, &format!("Unavailable({feature})"));
        }
    }

    #[test]
    fn the_path_of_a_candidate_is_the_one_its_ids_come_from() {
        let found = parse(Verb::Post, "/Devices%2FA%253Ab%2Fmessages%2FdeviceBound").unwrap();
        let paths: Vec<&str> = found.iter().map(|candidate| candidate.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "/devices/A%3Ab/messages/deviceBound",
                "/devices/A:b/messages/deviceBound"
            ]
        );
        assert_eq!(parse(Verb::Get, "/DEVICES").unwrap()[0].path, "/devices");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(path: String, tail: String) {
            for verb in Verb::ALL {
                let _ = parse(verb, &path);
                let _ = parse(verb, &format!("/devices/{tail}"));
            }
        }
    }
}
