//! HTTPS: the service API, the device API, IronHub's own API, and the plain port of a node.
//!
//! A handler reads its request by the dialect, authorizes the caller, asks the hub, and prints the answer by the
//! dialect. What a body says is read after the caller is known, so that strangers cost no more than their head.

mod answer;
mod body;
mod c2d;
mod call;
mod consumer_groups;
mod dispatch;
mod events;
mod feedback;
mod header_case;
mod methods;
mod node;
mod query;
mod refusal;
mod registry;
mod settings;
mod telemetry;
mod twin;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use ironhub_hub::{Hub, Ports};
use ironhub_model::limits::{EVENT_READERS_MAX, REQUEST_WAIT_MAX};
use tokio::sync::Semaphore;

pub use node::{NodeOptions, node_router};

use call::Call;

/// How the API behaves.
#[derive(Debug, Clone, Copy)]
pub struct HttpsOptions {
    /// How long a request waits for the store or the event log before it is answered 503.
    pub wait_max: Duration,
}

impl Default for HttpsOptions {
    fn default() -> Self {
        Self {
            wait_max: REQUEST_WAIT_MAX,
        }
    }
}

/// What all requests share.
struct Site<P: Ports> {
    hub: Hub<P>,
    options: HttpsOptions,
    event_readers: Arc<Semaphore>,
}

/// The API of one hub. It expects the caller's [`Peer`](crate::peer::Peer) among the extensions of each request, as
/// [`HttpService`](crate::http::HttpService) puts it there; without one there are no certificates.
///
/// Paths are matched by the dialect, not by the router: clients encode whole paths, slashes included.
pub fn router<P: Ports>(hub: Hub<P>, options: HttpsOptions) -> Router {
    let site = Arc::new(Site {
        hub,
        options,
        event_readers: Arc::new(Semaphore::new(EVENT_READERS_MAX)),
    });
    Router::new().fallback(answer_request::<P>).with_state(site)
}

async fn answer_request<P: Ports>(State(site): State<Arc<Site<P>>>, request: Request) -> Response {
    dispatch::answer(Call::new(site, request)).await
}
