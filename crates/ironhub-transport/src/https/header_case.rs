//! The letter case of header names, which HTTP does not keep and IoT Hub's devices depend on.
//!
//! The C SDK looks up `ETag`, `ContentType` and its properties with letter case, and every device names its own
//! properties in headers. The HTTP library keeps spellings beside the headers, in an extension that it makes while it
//! reads a head and obeys while it writes one, and that nobody else can make or read. So a spelling is made by having
//! it read a head that is spelled so, and read by having it write one: in memory, and only for messages.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName};
use hyper::http::Extensions;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use ironhub_model::limits::C2D_HEADERS_MAX;
use parking_lot::Mutex;

/// Extensions for an answer whose headers shall be spelled like this. The names are tokens of HTTP.
pub(super) async fn spelling(names: &[&str]) -> Extensions {
    let mut head = String::from("GET / HTTP/1.1\r\n");
    for name in names {
        head.push_str(name);
        head.push_str(": \r\n");
    }
    head.push_str("\r\n");
    let read = Mutex::new(Extensions::new());
    converse(head.into_bytes(), |request| {
        *read.lock() = request.into_parts().0.extensions;
        Response::new(Body::empty())
    })
    .await;
    read.into_inner()
}

/// Headers of a request as they were sent; `extensions` are the request's. Values that are no UTF-8 are repaired.
pub(super) async fn as_sent(headers: HeaderMap, extensions: Extensions) -> Vec<(String, String)> {
    if headers.is_empty() {
        return Vec::new();
    }
    let names = headers.keys().cloned().collect();
    let answer = Mutex::new(Some((headers, extensions)));
    let written = converse(b"GET / HTTP/1.1\r\n\r\n".to_vec(), |_| {
        let mut response = Response::new(Body::empty());
        if let Some((headers, extensions)) = answer.lock().take() {
            *response.headers_mut() = headers;
            *response.extensions_mut() = extensions;
        }
        response
    })
    .await;
    parse_head(&written, &names)
}

/// The headers of these names in a head as it was written.
fn parse_head(written: &[u8], names: &HashSet<HeaderName>) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(written);
    let lines = text.split("\r\n").skip(1).take_while(|line| !line.is_empty());
    let pairs = lines.filter_map(|line| line.split_once(": "));
    let is_ours = |name: &str| HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| names.contains(&name));
    pairs
        .filter(|(name, _)| is_ours(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Has the library read `input` as a request, answers it, and returns what the library wrote.
async fn converse(input: Vec<u8>, answer: impl Fn(Request<Incoming>) -> Response<Body>) -> Vec<u8> {
    let written = Arc::new(Mutex::new(Vec::new()));
    let memory = Memory {
        input: input.into(),
        written: Arc::clone(&written),
    };
    let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(request))));
    let mut http = http1::Builder::new();
    // The end of the input is no reason not to answer.
    http.preserve_header_case(true)
        .half_close(true)
        .keep_alive(false)
        .max_headers(C2D_HEADERS_MAX);
    // Memory does not fail; a head that the library refuses leaves nothing written.
    let _ = http.serve_connection(memory, service).await;
    std::mem::take(&mut written.lock())
}

/// A connection whose other end is a buffer.
struct Memory {
    input: bytes::Bytes,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Read for Memory {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let len = buffer.remaining().min(self.input.len());
        buffer.put_slice(&self.input.split_to(len));
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.lock().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&str, &[u8])]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_bytes(value).unwrap())
        });
        pairs.collect()
    }

    #[tokio::test]
    async fn a_spelling_survives_both_ways() {
        let names = ["ETag", "iothub-app-Foo", "ContentType", "iothub-to"];
        let extensions = spelling(&names).await;
        let map = headers(&[
            ("etag", b"\"x\""),
            ("iothub-app-foo", "é: y".as_bytes()),
            ("contenttype", b""),
            ("iothub-to", b"/devices/d"),
        ]);
        let mut sent = as_sent(map, extensions).await;
        sent.sort();
        let expected = [
            ("ContentType", ""),
            ("ETag", "\"x\""),
            ("iothub-app-Foo", "é: y"),
            ("iothub-to", "/devices/d"),
        ];
        assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[tokio::test]
    async fn without_a_spelling_names_are_in_lower_case() {
        let sent = as_sent(headers(&[("iothub-app-foo", b"1")]), Extensions::new()).await;
        assert_eq!(sent, [("iothub-app-foo".to_owned(), "1".to_owned())]);
        assert_eq!(as_sent(HeaderMap::new(), Extensions::new()).await, []);
    }

    #[tokio::test]
    async fn as_many_names_as_a_delivery_may_have() {
        let names: Vec<String> = (0..C2D_HEADERS_MAX).map(|n| format!("iothub-app-Name{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let extensions = spelling(&names).await;
        let map = headers(&[("iothub-app-name1023", b"1")]);
        assert_eq!(as_sent(map, extensions).await[0].0, "iothub-app-Name1023");
    }
}
