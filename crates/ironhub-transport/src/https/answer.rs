//! Building answers.

use axum::body::Body;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use super::refusal::Refusal;

/// What a handler comes to.
pub(super) type Answer = Result<Response, Refusal>;

/// Node's service SDK reads a body only when it has exactly this type.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// A JSON body with status 200.
pub(super) fn json(text: String) -> Response {
    with_type(StatusCode::OK, JSON, text)
}

/// A JSON body with another status.
pub(super) fn json_with(status: StatusCode, text: String) -> Response {
    with_type(status, JSON, text)
}

/// A body of any type.
pub(super) fn with_type(status: StatusCode, content_type: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// 204, which has no body.
pub(super) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Sets a header. What cannot stand in a header is left out: nothing that the hub makes is of that kind.
pub(super) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
