//! Direct methods: the body of the call and of the answer.

use std::time::Duration;

use ironhub_model::limits::{
    METHOD_CONNECT_TIMEOUT_MAX, METHOD_PAYLOAD_BYTES_MAX, METHOD_RESPONSE_TIMEOUT_DEFAULT, METHOD_RESPONSE_TIMEOUT_MAX,
    METHOD_RESPONSE_TIMEOUT_MIN,
};
use ironhub_model::{MethodCall, MethodName, MethodResponse};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::{InvalidRequest, print};

/// The members that count, as raw JSON text; the last of two with one name.
#[derive(Default)]
struct RawCall<'a> {
    name: Option<&'a RawValue>,
    payload: Option<&'a RawValue>,
    response_timeout: Option<&'a RawValue>,
    connect_timeout: Option<&'a RawValue>,
}

/// Reads the body of a call. The payload goes to the device letter for letter; one that is left out is not null.
pub fn method_call(body: &[u8]) -> Result<MethodCall, InvalidRequest> {
    let call: RawCall<'_> = serde_json::from_slice(body)
        .map_err(|error| InvalidRequest::Malformed(format!("the body is not a JSON object: {error}")))?;
    let name = call.name.ok_or(InvalidRequest::Missing("methodName"))?;
    let name: String = serde_json::from_str(name.get())
        .map_err(|_| InvalidRequest::Malformed("methodName of the body is not a string".into()))?;
    let payload = call.payload.map(RawValue::get);
    if payload.is_some_and(|payload| payload.len() > METHOD_PAYLOAD_BYTES_MAX) {
        return Err(InvalidRequest::TooLarge(METHOD_PAYLOAD_BYTES_MAX));
    }
    let response_timeout = seconds("responseTimeoutInSeconds", call.response_timeout)?;
    let connect_timeout = seconds("connectTimeoutInSeconds", call.connect_timeout)?;
    Ok(MethodCall {
        name: MethodName::parse(&name).map_err(|error| InvalidRequest::Argument(error.to_string()))?,
        payload: payload.map(Into::into),
        response_timeout: within(
            "responseTimeoutInSeconds",
            response_timeout.unwrap_or(METHOD_RESPONSE_TIMEOUT_DEFAULT),
            (METHOD_RESPONSE_TIMEOUT_MIN, METHOD_RESPONSE_TIMEOUT_MAX),
        )?,
        connect_timeout: within(
            "connectTimeoutInSeconds",
            connect_timeout.unwrap_or(Duration::ZERO),
            (Duration::ZERO, METHOD_CONNECT_TIMEOUT_MAX),
        )?,
    })
}

fn seconds(name: &str, value: Option<&RawValue>) -> Result<Option<Duration>, InvalidRequest> {
    let Some(value) = value.map(RawValue::get).filter(|text| *text != "null") else {
        return Ok(None);
    };
    match value.parse() {
        Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
        Err(_) => Err(InvalidRequest::Argument(format!("{name} is not a number of seconds"))),
    }
}

fn within(name: &str, value: Duration, (min, max): (Duration, Duration)) -> Result<Duration, InvalidRequest> {
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    let (min, max) = (min.as_secs(), max.as_secs());
    Err(InvalidRequest::Argument(format!(
        "{name} is not between {min} and {max}"
    )))
}

impl<'de: 'a, 'a> Deserialize<'de> for RawCall<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawCallVisitor)
    }
}

struct RawCallVisitor;

impl<'de> Visitor<'de> for RawCallVisitor {
    type Value = RawCall<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawCall<'de>, A::Error> {
        let mut call = RawCall::default();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            let members = [
                ("methodName", &mut call.name),
                ("payload", &mut call.payload),
                ("responseTimeoutInSeconds", &mut call.response_timeout),
                ("connectTimeoutInSeconds", &mut call.connect_timeout),
            ];
            let mut members = members.into_iter();
            if let Some((_, member)) = members.find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                *member = Some(value);
            }
        }
        Ok(call)
    }
}

#[derive(Serialize)]
struct ResponseBody<'a> {
    status: i32,
    payload: Option<&'a RawValue>,
}

/// The answer of the device. Its payload is JSON text, as the hub has checked; none is null.
pub fn method_response_json(response: &MethodResponse) -> String {
    let payload = response.payload.as_deref();
    print(&ResponseBody {
        status: response.status,
        payload: payload.and_then(|text| serde_json::from_str(text).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let shown = match method_call(body.as_bytes()) {
            Ok(call) => format!(
                "{} {:?} {}+{}",
                call.name.as_str(),
                call.payload,
                call.connect_timeout.as_secs(),
                call.response_timeout.as_secs()
            ),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{body}");
    }

    #[test]
    fn payloads_are_verbatim_and_absent_is_not_null() {
        check(r#"{"methodName":"m"}"#, "m None 0+30");
        check(r#"{"methodName":"m","payload":null}"#, r#"m Some("null") 0+30"#);
        check(r#"{"methodName":"m","payload":""}"#, r#"m Some("\"\"") 0+30"#);
        check(
            r#"{"methodName":"m","payload":{ "b" : 1.0, "a":1e2 ,"b":2}}"#,
            r#"m Some("{ \"b\" : 1.0, \"a\":1e2 ,\"b\":2}") 0+30"#,
        );
        check(
            r#"{"methodName":"x","payload":1,"payload":123456789012345678901234567890,"methodName":"comp*m"}"#,
            r#"comp*m Some("123456789012345678901234567890") 0+30"#,
        );
    }

    #[test]
    fn timeouts_have_bounds() {
        check(
            r#"{"methodName":"m","responseTimeoutInSeconds":5,"connectTimeoutInSeconds":300}"#,
            "m None 300+5",
        );
        check(
            r#"{"MethodName":"m","responseTimeoutInSeconds":null,"connectTimeoutInSeconds":null}"#,
            "m None 0+30",
        );
        let response = "responseTimeoutInSeconds is not between 5 and 300";
        check(r#"{"methodName":"m","responseTimeoutInSeconds":4}"#, response);
        check(r#"{"methodName":"m","responseTimeoutInSeconds":301}"#, response);
        check(
            r#"{"methodName":"m","connectTimeoutInSeconds":301}"#,
            "connectTimeoutInSeconds is not between 0 and 300",
        );
        for odd in ["-1", "1.5", "\"30\"", "{}"] {
            check(
                &format!(r#"{{"methodName":"m","connectTimeoutInSeconds":{odd}}}"#),
                "connectTimeoutInSeconds is not a number of seconds",
            );
        }
    }

    #[test]
    fn calls_that_are_refused() {
        check("{}", "methodName is required");
        check(r#"{"methodName":7}"#, "methodName of the body is not a string");
        check(r#"{"methodName":null}"#, "methodName of the body is not a string");
        let name = MethodName::parse("").unwrap_err().to_string();
        check(r#"{"methodName":"a b"}"#, &name);
        let large = format!(r#"{{"methodName":"m","payload":"{}"}}"#, "x".repeat(128 * 1024));
        check(&large, "larger than 131072 bytes");
        for body in ["", "[]", "null", "{", r#"{"methodName":"m"} x"#] {
            assert!(
                matches!(method_call(body.as_bytes()), Err(InvalidRequest::Malformed(_))),
                "{body}"
            );
        }
    }

    #[test]
    fn responses() {
        for (payload, expected) in [
            (Some(r#"{ "a":1.0}"#), r#"{"status":-3,"payload":{ "a":1.0}}"#),
            (Some("null"), r#"{"status":-3,"payload":null}"#),
            (None, r#"{"status":-3,"payload":null}"#),
        ] {
            let payload = payload.map(Into::into);
            assert_eq!(method_response_json(&MethodResponse { status: -3, payload }), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(body: Vec<u8>) {
            let _ = method_call(&body);
        }
    }
}
