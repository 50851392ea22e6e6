//! The plain port of a node: health, metrics, and the certificate to trust. It writes nothing and needs no credentials,
//! so it answers this machine only: a page of a foreign name that resolves to loopback gets nothing.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use hyper::header::{ALLOW, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, StatusCode};
use ironhub_hub::Health;
use serde_json::json;

use super::answer;
use crate::http::empty_response;

/// What the node port tells.
#[derive(Clone)]
pub struct NodeOptions {
    /// Is the hub well? Asked at each request.
    pub health: Arc<dyn Fn() -> Health + Send + Sync>,
    /// The metrics in the text format of Prometheus. Asked at each request.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// The certificate authority of the hub's own certificates as PEM; none when they come from elsewhere.
    pub ca_pem: Option<Arc<str>>,
}

impl fmt::Debug for NodeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeOptions").finish_non_exhaustive()
    }
}

/// `/health`, `/metrics`, `/ca.pem`.
pub fn node_router(options: NodeOptions) -> Router {
    Router::new().fallback(answer_request).with_state(options)
}

async fn answer_request(State(options): State<NodeOptions>, request: Request) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(is_loopback) {
        return empty_response(StatusCode::FORBIDDEN);
    }
    if request.method() != Method::GET {
        let mut response = empty_response(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return response;
    }
    match (request.uri().path(), &options.ca_pem) {
        ("/health", _) => health(&(options.health)()),
        ("/metrics", _) => text("text/plain; version=0.0.4; charset=utf-8", (options.metrics)()),
        ("/ca.pem", Some(pem)) => text("application/x-pem-file", pem.to_string()),
        _ => empty_response(StatusCode::NOT_FOUND),
    }
}

fn health(health: &Health) -> Response {
    if health.is_ok() {
        return answer::json(json!({ "status": "ok" }).to_string());
    }
    let body = json!({ "status": "failing", "reasons": health.reasons });
    answer::json_with(StatusCode::SERVICE_UNAVAILABLE, body.to_string())
}

fn text(content_type: &'static str, text: String) -> Response {
    let mut response = Response::new(text.into());
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Is this `Host` a name or address of this machine's loopback, with a port or without?
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.to_ascii_lowercase();
    let is_address = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_address || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;
    use tower_service::Service;

    use super::*;

    fn router(reasons: &[&str]) -> Router {
        let reasons: Vec<String> = reasons.iter().map(|reason| (*reason).to_owned()).collect();
        node_router(NodeOptions {
            health: Arc::new(move || Health {
                reasons: reasons.clone(),
            }),
            metrics: Arc::new(|| "up 1\n".into()),
            ca_pem: Some("-----BEGIN".into()),
        })
    }

    async fn ask(mut router: Router, method: &str, path: &str, host: Option<&str>) -> (u16, String) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let response = router.call(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn what_it_tells() {
        let host = Some("localhost:9600");
        for (path, status, body) in [
            ("/health", 200, r#"{"status":"ok"}"#),
            ("/metrics", 200, "up 1\n"),
            ("/ca.pem", 200, "-----BEGIN"),
            ("/", 404, ""),
            ("/health/", 404, ""),
        ] {
            assert_eq!(
                ask(router(&[]), "GET", path, host).await,
                (status, body.to_owned()),
                "{path}"
            );
        }
        let failing = r#"{"status":"failing","reasons":["no space"]}"#;
        assert_eq!(
            ask(router(&["no space"]), "GET", "/health", host).await,
            (503, failing.to_owned())
        );
    }

    #[tokio::test]
    async fn whom_it_does_not_tell() {
        for host in [
            None,
            Some("evil.example"),
            Some("evil.example:9600"),
            Some("localhost.evil.example"),
            Some("192.168.0.7:9600"),
            Some("[2001:db8::1]:9600"),
            Some("127.0.0.1@evil.example"),
            Some(""),
        ] {
            assert_eq!(ask(router(&[]), "GET", "/health", host).await.0, 403, "{host:?}");
        }
        for host in ["127.0.1.7:9600", "[::1]:9600", "LOCALHOST", "hub.localhost:80"] {
            assert_eq!(ask(router(&[]), "GET", "/health", Some(host)).await.0, 200, "{host}");
        }
        for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"] {
            assert_eq!(
                ask(router(&[]), method, "/health", Some("localhost")).await.0,
                405,
                "{method}"
            );
        }
    }
}
