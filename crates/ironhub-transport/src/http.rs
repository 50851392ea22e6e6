//! HTTP/1.1 with upgrades: what port 443 speaks, and 9600.

mod origin;
mod unread;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use ironhub_model::limits::{HTTP_HEADERS_BYTES_MAX, HTTP_HEADERS_WAIT_MAX};
use parking_lot::Mutex;
use tower_service::Service as _;
use tracing::trace;

pub use origin::AllowedOrigins;
pub(crate) use unread::Unread;

use crate::listener::{Drain, Service};
use crate::peer::Peer;
use crate::socket::Socket;
use crate::websocket::{self, Upgrade, WebSocketService};

/// Serves HTTP connections: requests to a router, WebSocket upgrades to a [`WebSocketService`].
///
/// Handlers find the [`Peer`] among a request's extensions. Requests with a foreign `Origin` are refused before.
#[derive(Debug)]
pub struct HttpService<W> {
    router: Router,
    origins: AllowedOrigins,
    web_sockets: Arc<W>,
}

impl<W: WebSocketService> HttpService<W> {
    /// `origins` applies to every request that names one: pages of other sites shall not reach the hub through a
    /// browser of its network.
    pub fn new(router: Router, origins: AllowedOrigins, web_sockets: Arc<W>) -> Self {
        Self {
            router,
            origins,
            web_sockets,
        }
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        peer: Peer,
        upgrade: &Mutex<Option<Upgrade>>,
    ) -> Response<Body> {
        if !self.origins.allow(request.headers().get(ORIGIN)) {
            metrics::counter!("ironhub_http_requests_refused_total", "reason" => "origin").increment(1);
            return empty_response(StatusCode::FORBIDDEN);
        }
        if websocket::is_path(request.uri().path()) {
            return match websocket::accept(&mut request) {
                Ok((response, accepted)) => {
                    *upgrade.lock() = Some(accepted);
                    response
                }
                Err(status) => {
                    metrics::counter!("ironhub_http_requests_refused_total", "reason" => "upgrade").increment(1);
                    empty_response(status)
                }
            };
        }
        request.extensions_mut().insert(peer);
        let Ok(response) = self.router.clone().call(request.map(Body::new)).await;
        response
    }
}

impl<W: WebSocketService> Service for HttpService<W> {
    async fn serve(self: Arc<Self>, socket: Socket, peer: Peer, drain: Drain) {
        // Boxed, so that nothing of HTTP remains while a WebSocket idles.
        let upgraded = Box::pin(Arc::clone(&self).serve_requests(socket, peer.clone(), drain.clone())).await;
        if let Some(Upgrade { protocol, pending }) = upgraded
            && let Some(stream) = websocket::take_stream(pending).await
        {
            Arc::clone(&self.web_sockets).serve(protocol, stream, peer, drain).await;
        }
    }
}

impl<W: WebSocketService> HttpService<W> {
    /// Serves requests until the connection ends, or until one of them has turned it into a WebSocket.
    async fn serve_requests(self: Arc<Self>, socket: Socket, peer: Peer, drain: Drain) -> Option<Upgrade> {
        let upgrade = Mutex::new(None);
        let service = service_fn(|request| {
            let (this, peer, upgrade) = (&self, peer.clone(), &upgrade);
            async move { Ok::<_, Infallible>(this.answer(request, peer, upgrade).await) }
        });
        let mut http = http1::Builder::new();
        // Devices look headers up with letter case, and name their properties in headers.
        http.preserve_header_case(true)
            .timer(TokioTimer::new())
            .header_read_timeout(HTTP_HEADERS_WAIT_MAX)
            .max_buf_size(HTTP_HEADERS_BYTES_MAX);
        let connection = http
            .serve_connection(TokioIo::new(Unread::new(socket)), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            _ = drain.begun() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            trace!(peer = %peer.address(), %error, "HTTP connection ended");
        }
        upgrade.lock().take()
    }
}

/// An answer without a body, which says so.
pub(crate) fn empty_response(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}
