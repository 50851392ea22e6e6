//! Requests and answers under fault rules.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::CONTENT_LENGTH;
use ironhub_model::limits::MQTT_PACKET_BYTES_MAX;
use ironhub_model::percent;

use super::Faults;
use super::rule::{Action, Target, fits};

/// The API with its requests broken as the rules say.
pub fn break_requests(router: Router, faults: Faults) -> Router {
    if faults.is_empty() {
        return router;
    }
    router.layer(from_fn_with_state(faults, apply))
}

async fn apply(State(faults): State<Faults>, mut request: Request, next: Next) -> Response {
    let Some(action) = faults.for_request(&request) else {
        return next.run(request).await;
    };
    match action {
        Action::Status(code) => answered(code),
        Action::Delay(duration) => {
            tokio::time::sleep(duration).await;
            next.run(request).await
        }
        Action::StripHeader(name) => {
            request.headers_mut().remove(&name);
            let mut response = next.run(request).await;
            response.headers_mut().remove(&name);
            response
        }
        Action::EmptyBody => with_body(next.run(request).await, |_| Vec::new()).await,
        Action::Corrupt => with_body(next.run(request).await, |bytes| vec![b'X'; bytes.len()]).await,
        Action::Drop
        | Action::Duplicate
        | Action::Close
        | Action::Connack(_)
        | Action::Suback(_)
        | Action::Refuse(_)
        | Action::Strip(_)
        | Action::Outcome(_) => next.run(request).await,
    }
}

impl Faults {
    fn for_request(&self, request: &Request) -> Option<Action> {
        let path = percent::decode(request.uri().path())?;
        let rule = self.0.iter().find(|rule| match &rule.target {
            Target::Request(method, pattern) => method == request.method() && fits(pattern, &path),
            Target::PacketIn(_) | Target::PacketOut(_) | Target::Link(..) => false,
        })?;
        Some(rule.action.clone())
    }
}

fn answered(code: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

async fn with_body(response: Response, change: impl FnOnce(Bytes) -> Vec<u8>) -> Response {
    let (mut head, body) = response.into_parts();
    let bytes = to_bytes(body, MQTT_PACKET_BYTES_MAX).await.unwrap_or_default();
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from(change(bytes)))
}
