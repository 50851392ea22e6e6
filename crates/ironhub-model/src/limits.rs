//! Every limit on what comes from outside, in one file. The unit is part of the name.
//!
//! Sources: Azure documentation "IoT Hub quotas and throttling", "Understand and use device twins", "Create and read
//! IoT Hub messages", "Understand cloud-to-device messaging", "Understand and invoke direct methods".

use std::time::Duration;

/// Longest device or module ID, in bytes (its alphabet is ASCII).
pub const ID_BYTES_MAX: usize = 128;
/// Longest status reason, in characters.
pub const STATUS_REASON_CHARS_MAX: usize = 128;
/// Longest name of a shared access policy.
pub const POLICY_NAME_CHARS_MAX: usize = 64;
/// Shared access policies of one hub.
pub const POLICIES_MAX: usize = 16;
/// Shortest symmetric key once decoded.
pub const KEY_BYTES_MIN: usize = 16;
/// Longest symmetric key once decoded.
pub const KEY_BYTES_MAX: usize = 64;
/// Length of the keys that the hub generates.
pub const KEY_BYTES_GENERATED: usize = 32;
/// Longest SAS token that is looked at: a hub name, two ids encoded twice, signature and policy fit several times.
pub const SAS_TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Modules of one device, system modules not counted.
pub const MODULES_PER_DEVICE_MAX: usize = 50;
/// Identities in one bulk registry call.
pub const BULK_REGISTRY_ITEMS_MAX: usize = 100;
/// Largest `top` of `GET /devices`; also what a missing or odd value means.
pub const DEVICES_TOP_MAX: usize = 1000;
/// X.509 CA certificates of one hub.
pub const CA_CERTIFICATES_MAX: usize = 25;

/// Largest device-to-cloud message: body, system property values, application property names and values.
pub const D2C_MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Largest device-to-cloud message, or batch of them, as AMQP encodes it: what says type and length of a value is not
/// counted above, and nothing obliges a device to send values.
pub const D2C_ENCODED_BYTES_MAX: usize = 2 * D2C_MESSAGE_BYTES_MAX;
/// Messages of one batch over AMQP. The smallest that the C SDK makes are of some hundred bytes.
pub const D2C_BATCH_MESSAGES_MAX: usize = 4096;
/// Largest cloud-to-device message, counted the same way.
pub const C2D_MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Longest message ID.
pub const MESSAGE_ID_CHARS_MAX: usize = 128;
/// Largest MQTT packet: the largest message, its topic (percent-encoding may triple a property) and the headers.
pub const MQTT_PACKET_BYTES_MAX: usize = D2C_MESSAGE_BYTES_MAX + 65_535 + 16;
// An MQTT packet must carry the largest message plus its topic.
const _: () = assert!(D2C_MESSAGE_BYTES_MAX < MQTT_PACKET_BYTES_MAX);
/// Topic filters of one MQTT session. Microsoft's SDKs need five.
pub const SUBSCRIPTIONS_PER_SESSION_MAX: usize = 16;
/// QoS 1 messages of one connection that wait for their PUBACK before the hub stops reading.
pub const D2C_IN_FLIGHT_PER_CONNECTION_MAX: usize = 1024;
/// Bytes of such messages.
pub const D2C_IN_FLIGHT_BYTES_PER_CONNECTION_MAX: usize = 4 * 1024 * 1024;
/// Cloud-to-device messages sent to an MQTT connection and not yet acknowledged; over AMQP, taken out of the queue at a
/// time, where credit bounds what is not settled.
pub const C2D_IN_FLIGHT_PER_CONNECTION_MAX: usize = 16;

/// Largest AMQP delivery of telemetry: one between the largest message and this is rejected, a larger one ends its link.
pub const AMQP_DELIVERY_BYTES_MAX: usize = 1024 * 1024;
// The largest message with its sections and their headers must come through, to be told what is wrong with it.
const _: () = assert!(D2C_ENCODED_BYTES_MAX < AMQP_DELIVERY_BYTES_MAX);
/// Largest AMQP message with the answer to a direct method: one between the largest payload and this fails its call, a
/// larger one ends its link.
pub const AMQP_METHOD_ANSWER_BYTES_MAX: usize = 2 * METHOD_PAYLOAD_BYTES_MAX;
/// Largest AMQP message with a twin request, as large as one over MQTT.
pub const AMQP_TWIN_REQUEST_BYTES_MAX: usize = MQTT_PACKET_BYTES_MAX;
/// Bytes of such requests of one device that wait, besides the one that crosses the line, before its connection is read
/// on.
pub const TWIN_REQUEST_BYTES_WAITING_MAX: usize = 2 * AMQP_TWIN_REQUEST_BYTES_MAX;
/// Answers to twin requests that wait for a device's credit; beyond it its links end.
pub const TWIN_ANSWERS_HELD_MAX: usize = 64;

/// Longest keep-alive that counts on the server side: 29.45 minutes.
pub const KEEP_ALIVE_MAX: Duration = Duration::from_secs(1767);
/// How long a fresh connection may take to send CONNECT.
pub const CONNECT_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long the hub may stall a connection before it is closed without acknowledgement, and how long a peer may leave
/// unread what it is sent.
pub const STALL_MAX: Duration = Duration::from_secs(20);

/// Connections of one process, all ports together.
pub const CONNECTIONS_MAX: usize = 200_000;
/// Connections of one process whose peers have not proved who they are.
pub const UNAUTHENTICATED_CONNECTIONS_MAX: usize = 8192;
/// Such connections from one address.
pub const UNAUTHENTICATED_PER_ADDRESS_MAX: usize = 1024;
const _: () = assert!(UNAUTHENTICATED_PER_ADDRESS_MAX < UNAUTHENTICATED_CONNECTIONS_MAX);
const _: () = assert!(UNAUTHENTICATED_CONNECTIONS_MAX < CONNECTIONS_MAX);
/// TLS handshakes under way at one time; further ones wait their turn.
pub const HANDSHAKES_MAX: usize = 512;
/// How long a TLS handshake may take, its turn included.
pub const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(20);
/// Bytes of a TLS record, or of a message of the handshake over several of them, that wait for their rest. A chain of
/// four certificates with RSA keys of 4096 bits takes some 8 KiB.
pub const TLS_INCOMPLETE_BYTES_MAX: usize = 48 * 1024;
/// How long the peer may take to accept a connection's last bytes.
pub const GOODBYE_WAIT_MAX: Duration = Duration::from_secs(2);
/// Bytes that may wait for a peer that does not read, besides the packet that crosses the line: then nothing more is
/// read from it or fetched for it.
pub const OUTPUT_PENDING_BYTES_MAX: usize = 64 * 1024;
/// Largest head of an HTTP request: request line and headers.
pub const HTTP_HEADERS_BYTES_MAX: usize = 64 * 1024;
/// How long a peer may take to send the head of its next HTTP request, idle time included.
pub const HTTP_HEADERS_WAIT_MAX: Duration = Duration::from_mins(2);
/// Longest WebSocket frame that a peer may send.
pub const WEBSOCKET_FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Longest payload of a WebSocket control frame (RFC 6455, section 5.5).
pub const WEBSOCKET_CONTROL_BYTES_MAX: usize = 125;
/// Requests about twins, and over MQTT settled C2D messages, that wait on one connection before it is read on; over AMQP,
/// of each identity.
pub const OPERATIONS_PER_CONNECTION_MAX: usize = 16;
/// Pairs of address and identity whose failed CONNECTs are remembered.
pub const FAILED_CONNECTS_TRACKED_MAX: usize = 16 * 1024;
/// How long the first failed CONNECT waits for its answer; the time doubles with each further one.
pub const FAILED_CONNECT_DELAY_MIN: Duration = Duration::from_millis(100);
/// How long a failed CONNECT waits at most.
pub const FAILED_CONNECT_DELAY_MAX: Duration = Duration::from_secs(5);
/// A pair of address and identity is forgotten when it has not failed for so long.
pub const FAILED_CONNECT_MEMORY: Duration = Duration::from_mins(1);

/// Claims that one AMQP connection holds: Java multiplexes up to 1,000 devices.
pub const AMQP_CLAIMS_PER_CONNECTION_MAX: usize = 2048;
/// How long an AMQP connection may go on without any claim. Clients that were refused a token wait 30 s before the next.
pub const AMQP_CLAIM_WAIT_MAX: Duration = Duration::from_mins(1);
/// Messages that a client may send on an AMQP request link, such as `$cbs`, before the first is answered.
pub const AMQP_REQUESTS_CREDIT: u32 = 100;
/// Bytes of the tokens that are being looked at on one AMQP connection; as many as may wait before anybody is known.
pub const AMQP_TOKENS_PENDING_BYTES_MAX: usize = 48 * 1024;
/// How long a client that is known may leave unread what it is sent over AMQP: as long as the idle time-out that it is
/// told. Readers of events work on a batch for minutes, and azure-eventhub for Python reads its socket between two batches
/// only.
pub const AMQP_UNREAD_MAX: Duration = Duration::from_mins(4);
// Nobody who is known has less time than a stranger.
const _: () = assert!(STALL_MAX.as_secs() < AMQP_UNREAD_MAX.as_secs());
/// How long a client may take to answer the end of its AMQP connection.
pub const AMQP_CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);

/// Messages in one device's cloud-to-device queue, invisible ones included.
pub const C2D_QUEUE_MESSAGES_MAX: u32 = 50;
/// Time to live of a C2D or feedback message when the sender names none, and its bounds.
pub const C2D_TTL_DEFAULT: Duration = Duration::from_hours(1);
/// Shortest configurable time to live.
pub const C2D_TTL_MIN: Duration = Duration::from_mins(1);
/// Longest configurable time to live.
pub const C2D_TTL_MAX: Duration = Duration::from_hours(48);
/// Delivery attempts before a C2D message is dead-lettered, unless configured.
pub const C2D_DELIVERY_COUNT_DEFAULT: u32 = 10;
/// Largest configurable delivery count.
pub const C2D_DELIVERY_COUNT_MAX: u32 = 100;
/// How long a received C2D message stays invisible, unless the receiver asks for another time.
pub const C2D_LOCK_DEFAULT: Duration = Duration::from_mins(1);
/// Longest lock that an HTTPS receiver may ask for.
pub const C2D_LOCK_MAX: Duration = Duration::from_mins(5);
/// Feedback records that wait for a reader; beyond it new ones are dropped.
pub const FEEDBACK_RECORDS_MAX: u32 = 100_000;
/// Feedback records in one batch.
pub const FEEDBACK_BATCH_RECORDS_MAX: usize = 64;

/// Largest direct method payload, each way.
pub const METHOD_PAYLOAD_BYTES_MAX: usize = 128 * 1024;
/// Longest direct method name.
pub const METHOD_NAME_CHARS_MAX: usize = 100;
/// Shortest response timeout of a direct method.
pub const METHOD_RESPONSE_TIMEOUT_MIN: Duration = Duration::from_secs(5);
/// Longest response timeout of a direct method.
pub const METHOD_RESPONSE_TIMEOUT_MAX: Duration = Duration::from_mins(5);
/// Response timeout when the caller names none.
pub const METHOD_RESPONSE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// Longest time that a call waits for its device to connect; the default is not to wait.
pub const METHOD_CONNECT_TIMEOUT_MAX: Duration = Duration::from_mins(5);
/// Direct method calls in flight to one device.
pub const METHODS_IN_FLIGHT_PER_DEVICE_MAX: usize = 256;
/// Direct method calls in flight in one process, those that wait for their device to connect included.
pub const METHODS_IN_FLIGHT_MAX: usize = 16 * 1024;

/// Changes of desired properties that wait for one connection; beyond it the connection is closed.
pub const DESIRED_NOTICES_PENDING_MAX: usize = 1024;
/// Bytes of such changes.
pub const DESIRED_NOTICE_BYTES_PENDING_MAX: usize = 1024 * 1024;
// The largest change must fit.
const _: () = assert!(TWIN_PROPERTIES_BYTES_MAX * 8 < DESIRED_NOTICE_BYTES_PENDING_MAX);

/// Size of a twin's tags, counted by the documented rule.
pub const TWIN_TAGS_BYTES_MAX: usize = 8 * 1024;
/// Size of the desired properties, and of the reported ones, counted by the documented rule.
pub const TWIN_PROPERTIES_BYTES_MAX: usize = 32 * 1024;
/// Longest property or tag name, in UTF-8 bytes.
pub const TWIN_KEY_BYTES_MAX: usize = 1024;
/// Longest string value, in UTF-8 bytes.
pub const TWIN_STRING_BYTES_MAX: usize = 4096;
/// Levels of objects and arrays below the section root.
pub const TWIN_DEPTH_MAX: usize = 10;
/// Smallest integer in a twin: −2⁵².
pub const TWIN_INTEGER_MIN: i64 = -4_503_599_627_370_496;
/// Largest integer in a twin: 2⁵² − 1.
pub const TWIN_INTEGER_MAX: i64 = 4_503_599_627_370_495;

/// Largest JSON request body of the service API: a bulk call with a hundred full twins fits.
pub const REQUEST_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest request body of the device API: a batch of messages in base64, with its JSON, fits.
pub const D2C_BODY_BYTES_MAX: usize = 512 * 1024;
const _: () = assert!(D2C_MESSAGE_BYTES_MAX / 3 * 4 < D2C_BODY_BYTES_MAX);
/// How long a peer may take to send a request body.
pub const REQUEST_BODY_WAIT_MAX: Duration = Duration::from_mins(1);
/// How long an HTTPS request waits for the event log or the store before it is told to come again later. Direct methods
/// bring their own time.
pub const REQUEST_WAIT_MAX: Duration = Duration::from_secs(20);
/// Headers of one HTTPS delivery of a C2D message; properties beyond are left out, since no client reads so many.
pub const C2D_HEADERS_MAX: usize = 1024;
/// Readers of the event stream over HTTPS.
pub const EVENT_READERS_MAX: usize = 256;
/// Events that wait for a reader that does not read.
pub const EVENT_READER_QUEUE_MAX: usize = 64;
/// Bytes of one read of the event log on behalf of such a reader.
pub const EVENT_READ_BYTES_MAX: usize = 256 * 1024;
/// Between two signs of life on an idle stream of server-sent events.
pub const EVENT_STREAM_PAUSE_MAX: Duration = Duration::from_secs(15);
/// Rows of one query page when the caller asks for none.
pub const QUERY_PAGE_ROWS_DEFAULT: usize = 100;
/// Largest query page; a larger wish is cut to it.
pub const QUERY_PAGE_ROWS_MAX: usize = 1000;
/// Rows of one query page as JSON, unless it is a single larger one; a page that would be larger ends early.
pub const QUERY_PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Partitions of the event log.
pub const PARTITIONS_MAX: u32 = 32;
/// Partitions of a fresh hub unless configured.
pub const PARTITIONS_DEFAULT: u32 = 4;
/// Consumer groups of the built-in endpoint, `$Default` included.
pub const CONSUMER_GROUPS_MAX: usize = 20;

/// Readers of one partition in one consumer group at a time that have no owner level; with one there is a single reader.
pub const EVENT_RECEIVERS_WITHOUT_LEVEL_MAX: usize = 5;

/// Devices and modules of one hub together, unless configured.
pub const IDENTITIES_MAX: u64 = 1_000_000;
/// Certificates that a peer may present, the leaf included: as many as are looked at.
pub const CERTIFICATE_CHAIN_MAX: usize = 8;
/// Credentials that are kept in memory for the next connection or request.
pub const CREDENTIALS_CACHED_MAX: usize = 65_536;
/// How often a write that lost its compare-and-swap is decided anew before the hub says that it is busy.
pub const SWAP_ATTEMPTS_MAX: u32 = 256;
/// Longest digital twin model ID, in characters.
pub const MODEL_ID_CHARS_MAX: usize = 128;
/// Routes of one hub.
pub const ROUTES_MAX: usize = 100;
/// Longest name of a route, endpoint or certificate.
pub const NAME_CHARS_MAX: usize = 64;
/// Largest configurable allowance for clocks that differ.
pub const SAS_CLOCK_SKEW_MAX: Duration = Duration::from_hours(1);
/// Shortest configurable lock on a received message.
pub const C2D_LOCK_MIN: Duration = Duration::from_secs(5);
/// Largest configurable cloud-to-device queue; Azure's is fixed at 50.
pub const C2D_QUEUE_MESSAGES_CONFIGURED_MAX: u32 = 10_000;
/// Identities whose writers take turns independently of each other.
pub const WRITER_TURNS: usize = 1024;
