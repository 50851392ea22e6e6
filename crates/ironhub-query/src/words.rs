//! Words with a meaning: reserved words, clauses that are refused by name, and the root attributes of a row.

/// Words that are no names unless escaped: `tags.[[group]]`. Any letter case.
const RESERVED: &[&str] = &[
    "SELECT",
    "TOP",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "NIN",
    "TRUE",
    "FALSE",
    "NULL",
    "UNDEFINED",
];

/// SQL that the language does not have: the word that starts it and the name for the error. Where a clause can begin, the
/// word is refused; after a dot or AS it is a name, since properties are called `order` or `offset`.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("ORDER", "ORDER BY"),
    ("JOIN", "JOIN"),
    ("DISTINCT", "DISTINCT"),
    ("HAVING", "HAVING"),
    ("LIKE", "LIKE"),
    ("BETWEEN", "BETWEEN"),
    ("OFFSET", "OFFSET"),
    ("LIMIT", "LIMIT"),
    ("UNION", "UNION"),
];

/// Attributes of twins and device jobs, as the API writes them. Some are second names: see
/// [`row_member`].
const ATTRIBUTES: &[&str] = &[
    "authenticationType",
    "capabilities",
    "cloudToDeviceMessageCount",
    "configurations",
    "connectionState",
    "connectionStateUpdatedTime",
    "createdDateTimeUtc",
    "createdTimeUtc",
    "deviceEtag",
    "deviceId",
    "deviceScope",
    "endTimeUtc",
    "error",
    "etag",
    "id",
    "jobId",
    "jobType",
    "lastActivityTime",
    "lastUpdatedDateTimeUtc",
    "modelId",
    "moduleId",
    "outcome",
    "parentScopes",
    "properties",
    "startTimeUtc",
    "status",
    "statusReason",
    "statusUpdatedTime",
    "statusUpdateTime",
    "tags",
    "version",
    "x509Thumbprint",
];

pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

/// The name of the refused clause that `word` starts.
pub(crate) fn unsupported(word: &str) -> Option<&'static str> {
    UNSUPPORTED
        .iter()
        .find(|(start, _)| start.eq_ignore_ascii_case(word))
        .map(|(_, name)| *name)
}

/// A root attribute's name as the API writes it: `DeviceId` is `deviceId`. An unknown name stays as it is.
pub(crate) fn attribute(name: &str) -> &str {
    ATTRIBUTES
        .iter()
        .find(|attribute| attribute.eq_ignore_ascii_case(name))
        .unwrap_or(&name)
}

/// The member of a row that holds a root attribute: twins say `statusUpdateTime` where identities, and so Microsoft's
/// tools, say `statusUpdatedTime`; Microsoft's samples query `id`, and its documentation `createdTimeUtc` of jobs.
pub(crate) fn row_member(attribute: &str) -> &str {
    match attribute {
        "createdTimeUtc" => "createdDateTimeUtc",
        "id" => "deviceId",
        "statusUpdatedTime" => "statusUpdateTime",
        other => other,
    }
}

pub(crate) fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

pub(crate) fn is_name_char(c: char) -> bool {
    is_name_start(c) || c.is_numeric()
}

/// Whether `name` reads as one plain name; a hyphen belongs to a name only between two of its characters.
pub(crate) fn is_plain_name(name: &str) -> bool {
    name.starts_with(is_name_start)
        && name
            .split('-')
            .all(|part| !part.is_empty() && part.chars().all(is_name_char))
}
