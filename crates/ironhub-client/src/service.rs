//! The back end's side: registry, twins, direct methods, queries over HTTPS; messages to devices, their feedback and the
//! events of all devices over AMQP.

mod amqp;
mod builder;
mod c2d;
mod error;
mod events;
mod feedback;
mod http;
mod identity;
mod keys;
mod methods;
mod policies;
mod precondition;
mod query;
mod queue;
mod registry;
mod twins;

use std::fmt;
use std::sync::Arc;

pub(crate) use self::error::code_name;

pub use self::builder::ServiceClientBuilder;
pub use self::c2d::C2dSender;
pub use self::events::{Event, EventReader, EventReaderBuilder, Positions, StartFrom};
pub use self::feedback::{FeedbackReceiver, ReceivedFeedback};
pub use self::identity::{Device, DeviceAuthentication, Module, SymmetricKeys, Thumbprints};
pub use self::keys::{KeyChoice, KeyError, RegeneratedKeys, RotatedKeys};
pub use self::methods::{MethodInvocation, MethodResult};
pub use self::policies::Policy;
pub use self::precondition::Match;
pub use self::query::QueryPages;
pub use self::queue::{QueuedMessage, Settlement};
pub use self::registry::{DeviceStatistics, PurgeResult};
pub use self::twins::{Twin, TwinProperties};

use self::amqp::AmqpConnector;
use self::http::Http;
use crate::error::Error;

/// A back end of a hub: everything that a shared access policy may do. Clones share connections and tokens.
///
/// ```no_run
/// use ironhub_client::{Device, MethodInvocation, ServiceClient, Trust};
/// use serde_json::json;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let service = ServiceClient::builder("HostName=localhost;SharedAccessKeyName=iothubowner;SharedAccessKey=…")?
///     .trust(Trust::ca_file("ca.pem")?)
///     .build()?;
///
/// let device = service.create_device(&Device::new("wind-1".to_owned().try_into()?)).await?;
/// println!("{}", service.connection_string(&device)?.expose());
///
/// let answer = service.invoke_method("wind-1", MethodInvocation::new("reboot")).await?;
/// println!("{} {}", answer.status, answer.payload);
///
/// let mut pages = service.query("SELECT * FROM devices WHERE tags.site = 'north'", 100);
/// while let Some(twins) = pages.next().await? {
///     println!("{} twins", twins.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ServiceClient(Arc<Shared>);

struct Shared {
    http: Http,
    amqp: AmqpConnector,
}

impl ServiceClient {
    /// A client for the policy that this connection string names.
    pub fn builder(connection_string: &str) -> Result<ServiceClientBuilder, Error> {
        connection_string.parse()
    }

    fn new(http: Http, amqp: AmqpConnector) -> Self {
        Self(Arc::new(Shared { http, amqp }))
    }

    fn http(&self) -> &Http {
        &self.0.http
    }

    fn amqp(&self) -> &AmqpConnector {
        &self.0.amqp
    }
}

impl fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceClient")
            .field("host", &self.0.http.host())
            .finish_non_exhaustive()
    }
}
