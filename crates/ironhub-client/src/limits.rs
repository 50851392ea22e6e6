//! Every bound of the client. What the hub bounds is in [`ironhub_model::limits`].

use std::time::Duration;

/// How long one attempt to connect may take: TCP, TLS, WebSocket and the hub's answer together. A hub answers a
/// client whose credentials failed before only after some seconds.
pub const CONNECT_WAIT_MAX: Duration = Duration::from_secs(30);
/// Silence after which the client asks for a sign of life.
pub const KEEP_ALIVE_DEFAULT: Duration = Duration::from_mins(1);
/// Longest keep-alive that a hub honours one and a half times: 29.45 minutes divided by that (Azure documentation
/// "Communicate with an IoT hub using the MQTT protocol").
pub const KEEP_ALIVE_MAX: Duration = Duration::from_secs(1177);
/// How long the hub may take to give a sign of life. A stalled hub closes after 20 s by itself.
pub const PING_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long the end of a connection waits for acknowledgements and running methods.
pub const DRAIN_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long the peer may take to see the last bytes of a connection.
pub const GOODBYE_WAIT_MAX: Duration = Duration::from_secs(2);

/// Messages that were sent and are not acknowledged, unless configured.
pub const MESSAGES_IN_FLIGHT_DEFAULT: u16 = 64;
/// Most messages in flight that can be configured; the rest of the packet window belongs to subscriptions.
pub const MESSAGES_IN_FLIGHT_MAX: u16 = 1000;
/// Bytes of messages in flight before no further one is taken.
pub const MESSAGE_BYTES_IN_FLIGHT_MAX: usize = 4 * 1024 * 1024;
/// Messages that wait for a place among those in flight.
pub const MESSAGES_WAITING_MAX: usize = 64;
/// Requests to the connection that wait for it to look.
pub const COMMANDS_WAITING_MAX: usize = 32;
/// Bytes that may wait for a socket that takes none; then nothing new is taken.
pub const OUTPUT_PENDING_BYTES_MAX: usize = 256 * 1024;
/// Twin requests that are not answered.
pub const TWIN_REQUESTS_MAX: usize = 64;
/// Cloud-to-device messages that wait to be received; a hub queues 50 for a device, unless configured.
pub const C2D_WAITING_MAX: usize = 64;
/// Changes of desired properties that wait to be read; beyond it they become one: all of them at once.
pub const DESIRED_WAITING_MAX: usize = 32;
/// Direct methods that run at once; as many as a hub has in flight to one device.
pub const METHODS_RUNNING_MAX: usize = 256;

const _: () = assert!(MESSAGES_IN_FLIGHT_MAX < ironhub_mqtt::limits::INFLIGHT_WINDOW_MAX);

/// Events of one partition that are on their way to a reader that does not ask for them.
pub const EVENT_CREDIT: u32 = 256;
/// What may come on an AMQP connection while something else is waited for: the credit of 32 partitions, twice.
pub const AMQP_EVENTS_WAITING_MAX: usize = 64 * EVENT_CREDIT as usize;
/// After a token that could not be put for want of credit.
pub const TOKEN_RETRY_DELAY: Duration = Duration::from_secs(1);
/// HTTPS connections of a service client that are kept for the next request.
pub const HTTP_CONNECTIONS_IDLE_MAX: usize = 16;
/// How long a hub may take to answer a request; direct methods bring their own time besides.
pub const REQUEST_WAIT_MAX: Duration = Duration::from_mins(1);
/// Largest answer that is taken: a page of a thousand twins fits.
pub const RESPONSE_BYTES_MAX: usize = 128 * 1024 * 1024;
