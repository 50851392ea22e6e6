use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::{OnUpgrade, Parts};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use super::SubProtocol;
use super::stream::WebSocketStream;
use crate::http::Unread;
use crate::socket::Socket;

/// RFC 6455, section 1.3.
const ACCEPT_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// An upgrade that was agreed to; it takes place behind the answer.
#[derive(Debug)]
pub(crate) struct Upgrade {
    pub(crate) protocol: SubProtocol,
    pub(crate) pending: OnUpgrade,
}

/// The paths of Azure's WebSocket endpoints: the IoT SDKs', and the Event Hubs SDKs', which uamqp takes for a hub as well.
/// Either serves everything. A query such as `iothub-no-client-cert=true` means nothing here: the
/// handshake that it is about has taken place.
pub(crate) fn is_path(path: &str) -> bool {
    matches!(
        path.strip_suffix('/').unwrap_or(path),
        "/$iothub/websocket" | "/%24iothub/websocket" | "/$servicebus/websocket" | "/%24servicebus/websocket"
    )
}

/// Agrees to an upgrade, or refuses it. Extensions that the client offers are declined by leaving them out.
pub(crate) fn accept<B>(request: &mut Request<B>) -> Result<(Response<Body>, Upgrade), StatusCode> {
    let (protocol, answer) = negotiate(request.method(), request.headers())?;
    let pending = hyper::upgrade::on(request);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().extend(answer);
    Ok((response, Upgrade { protocol, pending }))
}

/// The stream, once the answer is sent.
pub(crate) async fn take_stream(pending: OnUpgrade) -> Option<WebSocketStream<Socket>> {
    let upgraded = pending.await.ok()?;
    let Parts { io, read_buf, .. } = upgraded.downcast::<TokioIo<Unread<Socket>>>().ok()?;
    Some(WebSocketStream::new(io.into_inner().into_inner(), read_buf))
}

type Answer = [(HeaderName, HeaderValue); 4];

fn negotiate(method: &Method, headers: &HeaderMap) -> Result<(SubProtocol, Answer), StatusCode> {
    if method != Method::GET {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    if !has_token(headers, &CONNECTION, "upgrade") || !has_token(headers, &UPGRADE, "websocket") {
        return Err(StatusCode::BAD_REQUEST);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(StatusCode::UPGRADE_REQUIRED);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(StatusCode::BAD_REQUEST)?;
    let accept = HeaderValue::from_str(&accept_key(key)?).map_err(|_| StatusCode::BAD_REQUEST)?;
    let (protocol, spelling) = sub_protocol(headers).ok_or(StatusCode::BAD_REQUEST)?;
    let spelling = HeaderValue::from_str(spelling).map_err(|_| StatusCode::BAD_REQUEST)?;
    let answer = [
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_ACCEPT, accept),
        (SEC_WEBSOCKET_PROTOCOL, spelling),
    ];
    Ok((protocol, answer))
}

/// The first sub-protocol offered that the hub speaks, and how the client spells it: the C SDK writes `MQTT` and wants
/// its own letters back (RFC 6455, section 4.2.2).
fn sub_protocol(headers: &HeaderMap) -> Option<(SubProtocol, &str)> {
    let known = [("mqtt", SubProtocol::Mqtt), ("AMQPWSB10", SubProtocol::Amqp)];
    tokens(headers, &SEC_WEBSOCKET_PROTOCOL).find_map(|spelling| {
        let mut known = known.into_iter();
        let (_, protocol) = known.find(|(name, _)| spelling.eq_ignore_ascii_case(name))?;
        Some((protocol, spelling))
    })
}

/// What proves that the server has understood (RFC 6455, section 4.2.2, step 5.4). A key is 16 bytes in base64.
fn accept_key(key: &HeaderValue) -> Result<String, StatusCode> {
    let key = key.as_bytes().trim_ascii();
    match STANDARD.decode(key) {
        Ok(nonce) if nonce.len() == 16 => {}
        _ => return Err(StatusCode::BAD_REQUEST),
    }
    let mut digest = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key);
    digest.update(ACCEPT_SUFFIX);
    Ok(STANDARD.encode(digest.finish()))
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(changes: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let usual = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "mqtt"),
            ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits"),
        ];
        for (name, value) in usual.iter().chain(changes) {
            headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[track_caller]
    fn check(changes: &[(&str, &str)], expected: Result<&str, u16>) {
        let outcome = negotiate(&Method::GET, &request(changes));
        let spelling = outcome.map(|(_, answer)| answer[3].1.to_str().unwrap().to_owned());
        assert_eq!(spelling.as_deref().map_err(StatusCode::as_u16), expected, "{changes:?}");
    }

    #[test]
    fn upgrades() {
        check(&[], Ok("mqtt"));
        check(&[("sec-websocket-protocol", "MQTT")], Ok("MQTT"));
        check(&[("sec-websocket-protocol", "mqttv3.1, Mqtt")], Ok("Mqtt"));
        check(&[("sec-websocket-protocol", "AMQPWSB10")], Ok("AMQPWSB10"));
        check(&[("sec-websocket-protocol", "mqttv3.1")], Err(400));
        check(&[("sec-websocket-version", "8")], Err(426));
        check(&[("sec-websocket-key", "c2hvcnQ=")], Err(400));
        check(&[("sec-websocket-key", "?")], Err(400));
        check(&[("upgrade", "h2c")], Err(400));
        check(&[("connection", "keep-alive")], Err(400));
        assert_eq!(
            negotiate(&Method::POST, &request(&[])).unwrap_err(),
            StatusCode::METHOD_NOT_ALLOWED
        );
    }

    #[test]
    fn the_key_of_the_specification() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept_key(&key).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn paths() {
        let found = [
            "/$iothub/websocket",
            "/$iothub/websocket/",
            "/%24iothub/websocket",
            "/$servicebus/websocket",
            "/$servicebus/websocket/",
        ];
        assert!(found.into_iter().all(is_path));
        let unknown = ["/$iothub/websocket/x", "/$iothub/websockets", "/", "/iothub/websocket"];
        assert!(!unknown.into_iter().any(is_path));
    }
}
