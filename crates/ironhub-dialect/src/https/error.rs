//! Error bodies.
//!
//! The service has two forms, and clients parse them differently. The flat form, `ErrorCode:{name};{text}`, is that of
//! the registry, of queries and of refused credentials; the nested form, JSON within a string, that of direct methods
//! and twins, where the Java and .NET SDKs read the number from it (`Azure/azure-iot-sdk-csharp`,
//! `ExceptionHandlingHelper.cs`).

use std::time::Duration;

use ironhub_model::Timestamp;
use serde::Serialize;

/// What is wrong with a request, before the hub was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// A value is out of its bounds.
    #[error("{0}")]
    Argument(String),
    /// A required value is missing: its name.
    #[error("{0} is required")]
    Missing(&'static str),
    /// Not JSON, or JSON of another type.
    #[error("{0}")]
    Malformed(String),
    /// The body names another identity than the path: which member.
    #[error("the {0} in the body is not the one in the path")]
    OtherIdentity(&'static str),
    /// The content of a message is larger than this many bytes.
    #[error("larger than {0} bytes")]
    TooLarge(usize),
}

/// An error within a result that tells of many things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedError {
    /// The name of the catalogue.
    pub name: &'static str,
    /// For people.
    pub message: String,
}

/// An error as a client shall see it.
#[derive(Debug, Clone, Copy)]
pub struct ErrorBody<'a> {
    /// Six digits of the catalogue.
    pub code: u32,
    /// The name beside the code.
    pub name: &'a str,
    /// For people.
    pub message: &'a str,
    /// 32 hexadecimal digits that logs of the hub name as well.
    pub tracking_id: &'a str,
    /// When it happened.
    pub at: Timestamp,
    /// How long was waited, where waiting failed.
    pub waited: Option<Duration>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    message: &'a str,
    exception_message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Nested<'a> {
    error_code: u32,
    tracking_id: String,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Info>,
    timestamp_utc: Timestamp,
}

#[derive(Serialize)]
struct Info {
    timeout: String,
}

impl ErrorBody<'_> {
    /// The flat form.
    pub fn flat(&self) -> String {
        let message = format!("ErrorCode:{};{}", self.name, self.message);
        let tracking = format!("Tracking ID:{}", self.tracking());
        print(&Envelope {
            message: &message,
            exception_message: &tracking,
        })
    }

    /// The nested form. `info` is left out unless something was waited for: .NET cannot read an object there.
    pub fn nested(&self) -> String {
        print(&Envelope {
            message: &self.bare(),
            exception_message: "",
        })
    }

    /// The object within the nested form by itself: how MQTT tells that a twin request failed.
    pub fn bare(&self) -> String {
        print(&Nested {
            error_code: self.code,
            tracking_id: self.tracking(),
            message: self.message,
            info: self.waited.map(|waited| Info {
                timeout: hours_minutes_seconds(waited),
            }),
            timestamp_utc: self.at,
        })
    }

    fn tracking(&self) -> String {
        let time = UsTime(self.at);
        format!("{}-G:0-TimeStamp:{time}", self.tracking_id)
    }
}

/// `05/13/2021 07:41:20`.
struct UsTime(Timestamp);

impl std::fmt::Display for UsTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.to_string();
        let (date, time) = text.split_once('T').unwrap_or((&text, ""));
        let mut parts = date.splitn(3, '-');
        let (year, month, day) = (parts.next(), parts.next(), parts.next());
        let time = time.get(..8).unwrap_or(time);
        write!(
            f,
            "{}/{}/{} {time}",
            month.unwrap_or_default(),
            day.unwrap_or_default(),
            year.unwrap_or_default()
        )
    }
}

fn hours_minutes_seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// JSON of a value that is made of texts and numbers only, so that it always has one.
pub(super) fn print(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(code: u32, name: &'static str, waited: Option<u64>) -> ErrorBody<'static> {
        ErrorBody {
            code,
            name,
            message: "sensor-1",
            tracking_id: "3f6c0000000000000000000000000001",
            at: Timestamp::parse("2021-05-13T07:41:20.7366710Z").unwrap(),
            waited: waited.map(Duration::from_secs),
        }
    }

    /// Compared with bodies that people published: `Azure/azure-iot-sdk-csharp#1070`, `MicrosoftDocs/azure-docs#11156`.
    #[test]
    fn flat() {
        insta::assert_snapshot!(body(404_001, "DeviceNotFound", None).flat(), @r#"{"Message":"ErrorCode:DeviceNotFound;sensor-1","ExceptionMessage":"Tracking ID:3f6c0000000000000000000000000001-G:0-TimeStamp:05/13/2021 07:41:20"}"#);
    }

    #[test]
    fn nested() {
        insta::assert_snapshot!(body(404_103, "DeviceNotOnline", Some(3725)).nested(), @r#"{"Message":"{\"errorCode\":404103,\"trackingId\":\"3f6c0000000000000000000000000001-G:0-TimeStamp:05/13/2021 07:41:20\",\"message\":\"sensor-1\",\"info\":{\"timeout\":\"01:02:05\"},\"timestampUtc\":\"2021-05-13T07:41:20.736671Z\"}","ExceptionMessage":""}"#);
        assert!(!body(404_001, "DeviceNotFound", None).nested().contains("info"));
    }
}
