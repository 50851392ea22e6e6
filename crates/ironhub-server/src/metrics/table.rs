//! Every metric: the source of `/metrics`' explanations and of the reference's page.
//!
//! Names, labels and their values are a public interface. No label holds an identity or anything else that a peer chooses.

/// A metric as it is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Begins with `ironhub_`; a counter's ends with `_total`, and the unit is the last word before.
    pub name: &'static str,
    /// What its values may do.
    pub kind: Kind,
    /// What tells its series apart.
    pub labels: &'static [Label],
    /// What is counted or measured: a sentence.
    pub help: &'static str,
    /// For what an operator should watch: what a rise means, and what to do.
    pub watch: Option<&'static str>,
}

/// What the values of a metric may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Rises, and starts at 0 with the process.
    Counter,
    /// Rises and falls.
    Gauge,
}

/// A label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    values: &'static str,
    /// Which values there are besides: a set that is told elsewhere.
    pub others: Option<&'static str>,
}

/// Metrics of one matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chapter {
    /// The matter.
    pub title: &'static str,
    /// What is told of it.
    pub metrics: &'static [Metric],
}

/// All metrics.
pub const CHAPTERS: &[Chapter] = &[
    Chapter {
        title: "Connections",
        metrics: CONNECTIONS,
    },
    Chapter {
        title: "MQTT",
        metrics: MQTT,
    },
    Chapter {
        title: "AMQP",
        metrics: AMQP,
    },
    Chapter {
        title: "HTTP",
        metrics: HTTP,
    },
    Chapter {
        title: "The hub",
        metrics: HUB,
    },
    Chapter {
        title: "The event log",
        metrics: LOG,
    },
];

const CONNECTIONS: &[Metric] = &[
    counter("ironhub_connections_accepted_total", &[PORT], "Connections that were let in."),
    gauge("ironhub_connections", &[PORT], "Connections that are open now.")
        .watch("All ports together take 200,000. A fall at one go: clients have lost the hub, or their network."),
    counter(
        "ironhub_connections_refused_total",
        &[
            PORT,
            label(
                "reason",
                "connections_max not_loopback unauthenticated_max unauthenticated_per_address_max",
            ),
        ],
        "Connections that were closed at once, before a byte was read.",
    )
    .watch(
        "`unauthenticated_…`: many peers connect and do not log in, an attack or a fleet that comes back all at one time; \
         the log names addresses. `connections_max`: the hub is full. `not_loopback`: a development hub or a port without \
         TLS was called from another machine.",
    ),
    counter(
        "ironhub_accept_errors_total",
        &[PORT],
        "Failed attempts to accept a connection; they are repeated.",
    )
    .watch("The system is short of something, mostly of file descriptors: raise the limit (`ulimit -n`, `LimitNOFILE`)."),
    counter(
        "ironhub_connection_panics_total",
        &[PORT],
        "Connections that ended by a panic of their task.",
    )
    .watch("A bug of the hub's. The other connections go on; please report what the log says."),
    counter(
        "ironhub_tls_handshakes_total",
        &[label("port", "mqtt amqp https"), label("kind", "full resumed")],
        "TLS handshakes that succeeded.",
    )
    .watch("A rising share of `full` costs processor time: clients do not resume their sessions."),
    counter(
        "ironhub_tls_handshake_failures_total",
        &[label("port", "mqtt amqp https")],
        "TLS handshakes that failed or took longer than 20 seconds.",
    )
    .watch(
        "Clients do not trust the certificate, speak no TLS, or give up: look at their own errors first, then at \
         `ironhub trust` and the certificate's end.",
    ),
];

const MQTT: &[Metric] = &[
    counter(
        "ironhub_mqtt_connects_refused_total",
        &[label(
            "reason",
            "empty_client_id expired_certificate expired_token host malformed_certificate malformed_token \
             missing_permission no_credentials no_user_name revoked token tokens_disabled unknown_identity \
             unknown_policy unknown_thumbprint untrusted_issuer user_name will wrong_common_name wrong_host \
             wrong_kind wrong_resource wrong_signature",
        )
        .and(ERRORS)],
        "CONNECT packets that were refused.",
    )
    .watch(
        "Devices are kept out. `expired_token`: their clocks, or tokens that nobody renews. `wrong_signature`: a key was \
         changed in the registry only. `host`, `user_name`: a client set up for another hub.",
    ),
    counter(
        "ironhub_mqtt_connections_ended_total",
        &[label("reason", MQTT_ENDS).and(ERRORS)],
        "MQTT connections that ended, those over WebSocket included.",
    )
    .watch(
        "`keep_alive`, `io`: the network. `replaced`: two devices use one identity. `stalled`, `log_stopped`: the hub \
         cannot store, see the event log. `not_reading`: devices take nothing for 20 seconds. `topic`, and the names of \
         protocol errors: a client's fault.",
    ),
    counter(
        "ironhub_mqtt_messages_ignored_total",
        &[label(
            "reason",
            "method_response_rid method_response_status reported_version twin_request_rid",
        )],
        "Messages to a topic of the hub's that is misspelled.",
    ),
    counter(
        "ironhub_mqtt_wills_lost_total",
        &[],
        "Wills of lost devices that could not be stored.",
    )
    .watch("The event log does not take what it is given: see its metrics and `/health`."),
];

const MQTT_ENDS: &str = "connack_code connack_flags connect_reserved_flag connect_timeout disconnected draining \
    dup_on_qos_0 empty_topic first_packet fixed_header_flags invalid_data io keep_alive link_ended \
    link_stalled log_stopped no_entries not_reading nul packet_id_zero packet_too_large \
    packet_type password_without_user_name peer_closed protocol_level protocol_name publish_qos \
    qos_2_handshake qos_2_publish refused remaining_length_padded remaining_length_too_long \
    replaced requested_qos revoked second_connect server_packet stalled suback_code token_expired \
    too_many_filters topic trailing_bytes truncated utf8 will_flags_without_will will_qos";

const AMQP: &[Metric] = &[
    counter(
        "ironhub_amqp_connections_ended_total",
        &[label(
            "reason",
            "closed draining idle invalid_data io no_claim not_reading peer_closed protocol refused stalled",
        )],
        "AMQP connections that ended, those over WebSocket included.",
    )
    .watch(
        "`idle`, `io`: the network. `no_claim`: clients that connect and prove nothing. `stalled`: the hub cannot store, see \
         the event log. `protocol`: a client's fault.",
    ),
    counter(
        "ironhub_amqp_tokens_total",
        &[label(
            "outcome",
            "accepted expired_certificate expired_token malformed_certificate malformed_token \
             missing_permission no_credentials no_request revoked tokens_disabled unknown_entity \
             unknown_identity unknown_policy unknown_thumbprint untrusted_issuer wrong_common_name \
             wrong_host wrong_kind wrong_resource wrong_signature",
        )
        .and(ERRORS)],
        "Tokens that were put on `$cbs`, renewals included.",
    ),
    counter(
        "ironhub_amqp_attaches_refused_total",
        &[label("condition", "").and("error conditions of AMQP 1.0 and Azure, such as `amqp:not-found`")],
        "Links that were refused.",
    )
    .watch(
        "`amqp:unauthorized-access`: rights that are missing or have ended. `amqp:not-found`: a consumer group or device \
         that is none. `amqp:link:redirect` is no fault: clients are told where the events are.",
    ),
    counter(
        "ironhub_amqp_telemetry_rejected_total",
        &[],
        "Messages of devices that were rejected over AMQP.",
    )
    .watch("A device sends what the hub cannot take, and is told why: too large, or a value that readers cannot decode."),
];

const HTTP: &[Metric] = &[
    counter(
        "ironhub_http_requests_refused_total",
        &[label("reason", "origin upgrade")],
        "Requests, on any HTTP port, that were refused for their `Origin`, or as no good opening of a WebSocket.",
    )
    .watch("`origin`: a web page calls the hub that `allowed-origin` does not name."),
    counter(
        "ironhub_http_connections_cut_total",
        &[label("reason", "not_reading")],
        "HTTP connections that were cut: the peer took nothing for 20 seconds.",
    ),
    counter(
        "ironhub_https_requests_total",
        &[
            label(
                "operation",
                "abandon_c2d abandon_feedback add_certificate bulk complete_c2d complete_feedback delete_device \
                 delete_module description get_consumer_group get_device get_module get_settings get_twin \
                 invoke_method list_consumer_groups list_devices list_modules none patch_twin purge_c2d \
                 put_consumer_group put_device put_module put_settings query read_events receive_c2d \
                 receive_feedback regenerate_keys remove_certificate remove_consumer_group replace_twin \
                 send_c2d send_telemetry statistics unavailable verification_code verify_certificate",
            ),
            label("status", "").and("status codes of HTTP"),
        ],
        "Answers of the API; `none` is a path that the API has not, `unavailable` what this hub cannot do yet.",
    )
    .watch("`status` 429 and 5xx: the hub is busy or fails, the log tells of each kind."),
    counter(
        "ironhub_https_requests_refused_total",
        &[label("error", "").and(ERRORS)],
        "Those of the answers that refuse.",
    ),
];

const HUB: &[Metric] = &[
    counter(
        "ironhub_auth_failures_total",
        &[label(
            "reason",
            "disabled expired_certificate expired_token internal malformed_certificate malformed_token \
             missing_permission no_credentials not_found revoked tokens_disabled unknown_identity \
             unknown_policy unknown_thumbprint untrusted_issuer wrong_common_name wrong_host wrong_kind \
             wrong_resource wrong_signature",
        )],
        "Credentials of devices and back ends that were refused, over any protocol.",
    )
    .watch(
        "Somebody guesses, or something was set up wrong: `wrong_signature` a key, `expired_token` a clock or a renewal, \
         `untrusted_issuer` an authority that was not verified, `missing_permission` a policy's rights. \
         `log = \"info,ironhub_hub=debug\"` shows whose.",
    ),
    counter(
        "ironhub_device_connections_total",
        &[],
        "Times that a device or module has come online over MQTT or AMQP; each of several on one AMQP connection counts.",
    )
    .watch("Far more than there are devices: they connect again and again; the reasons are with MQTT and AMQP."),
    counter(
        "ironhub_telemetry_dropped_total",
        &[],
        "Messages of devices that were acknowledged and not stored, since no route takes telemetry.",
    )
    .watch("Intended, or a route is missing: compare the declared routes."),
    counter(
        "ironhub_c2d_enqueued_total",
        &[],
        "Cloud-to-device messages that were accepted.",
    ),
    counter(
        "ironhub_c2d_settled_total",
        &[label(
            "outcome",
            "completed delivery_count_exceeded dropped expired purged rejected",
        )],
        "Cloud-to-device messages that left their queues; those `dropped` were meant for a device that was made anew since.",
    )
    .watch(
        "`expired`: devices are not there in time. `delivery_count_exceeded`: devices take messages and settle none, often by \
         a crash.",
    ),
    counter(
        "ironhub_methods_total",
        &[label(
            "outcome",
            "answered disconnected invalid_response not_online timed_out too_many_in_flight",
        )],
        "Calls of direct methods of devices that exist and are enabled.",
    )
    .watch("`timed_out`: devices are slow. `too_many_in_flight`: more than 256 calls wait for one device."),
    counter(
        "ironhub_method_answers_ignored_total",
        &[label("reason", "late no_json")],
        "Answers of devices to direct methods that nobody waits for any more, or that are no JSON.",
    ),
    counter("ironhub_query_rows_total", &[], "Rows that queries have answered with."),
];

const LOG: &[Metric] = &[
    counter(
        "ironhub_log_records_total",
        &[],
        "Events made durable: telemetry, and what else the routes take.",
    ),
    counter(
        "ironhub_log_batches_total",
        &[],
        "Batches of them, each one write and one sync.",
    ),
    counter("ironhub_log_bytes_total", &[], "Bytes of those batches as written."),
    counter(
        "ironhub_log_syncs_total",
        &[],
        "Syncs of the journal, those of new segments included.",
    ),
    counter(
        "ironhub_log_sync_microseconds_total",
        &[],
        "Microseconds that the syncs of batches took, all together.",
    )
    .watch("Divided by the batches: what the disk adds to each acknowledgement."),
    counter(
        "ironhub_log_slow_syncs_total",
        &[],
        "Syncs of batches that took longer than 10 milliseconds.",
    )
    .watch("The disk is slow, or others use it: every acknowledgement waits that long. Give the data directory a disk of its own."),
    gauge(
        "ironhub_log_inbox_records",
        &[],
        "Events that were submitted and are not durable yet.",
    )
    .watch(
        "More comes than the disk takes. At 65,536 connections are no longer read until there is room. If it does not fall, \
         look at `/health`: a full disk holds everything up.",
    ),
    gauge(
        "ironhub_log_unsealed_segments",
        &[],
        "Segments of the journal that are not sealed, those being written included.",
    )
    .watch("Two for each journal, and the rate of records falls: sealing does not keep up, the disk is the limit."),
    gauge("ironhub_log_sealed_files", &[], "Sealed files."),
    gauge("ironhub_log_sealed_bytes", &[], "Bytes of the sealed files.")
        .watch("Grows until retention takes the oldest. Compare with the disk's room."),
];

const PORT: Label = label("port", "mqtt amqp https mqtt_plain amqp_plain health");

/// What [`Label::others`] says of errors of the hub's.
const ERRORS: &str = "names of errors as the header `iothub-errorcode` has them, such as `DeviceNotFound`";

const fn counter(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        labels,
        help,
        watch: None,
    }
}

const fn gauge(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
    Metric {
        kind: Kind::Gauge,
        ..counter(name, labels, help)
    }
}

const fn label(name: &'static str, values: &'static str) -> Label {
    Label {
        name,
        values,
        others: None,
    }
}

impl Metric {
    const fn watch(self, text: &'static str) -> Self {
        Self {
            watch: Some(text),
            ..self
        }
    }
}

impl Label {
    /// All values, unless there are [`others`](Self::others).
    pub fn values(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.values.split_ascii_whitespace()
    }

    const fn and(self, others: &'static str) -> Self {
        Self {
            others: Some(others),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use ironhub_model::limits::{CONNECTIONS_MAX, HANDSHAKE_WAIT_MAX, METHODS_IN_FLIGHT_PER_DEVICE_MAX, STALL_MAX};
    use ironhub_storage_embedded::log::limits::{INBOX_RECORDS_MAX, SLOW_SYNC};

    use super::*;

    /// Name, kind, names of labels.
    type Shape = (String, Kind, Vec<String>);

    fn metrics() -> impl Iterator<Item = &'static Metric> {
        CHAPTERS.iter().flat_map(|chapter| chapter.metrics)
    }

    fn metric(name: &str) -> &'static Metric {
        metrics().find(|metric| metric.name == name).unwrap()
    }

    /// What the hub records and what is told of it are the same.
    #[test]
    fn the_table_has_what_the_sources_record() {
        let mut recorded = BTreeSet::new();
        for file in sources() {
            let text = fs::read_to_string(&file).unwrap();
            for (macro_name, kind) in [("counter!(", Kind::Counter), ("gauge!(", Kind::Gauge)] {
                recorded.extend(text.split(macro_name).skip(1).filter_map(|rest| shape(rest, kind)));
            }
            assert!(
                !text.contains(concat!("histogram", "!(")),
                "{}: a kind to be told of",
                file.display()
            );
        }
        let told = metrics().map(|metric| {
            let labels = metric.labels.iter().map(|label| label.name.to_owned());
            (metric.name.to_owned(), metric.kind, labels.collect())
        });
        assert_eq!(recorded, told.collect::<BTreeSet<Shape>>());
    }

    /// From behind the macro's opening; `None` for a name that is not written there.
    fn shape(call: &str, kind: Kind) -> Option<Shape> {
        let (call, _) = call.split_once(';')?;
        let (name, _) = call.trim_start().strip_prefix('"')?.split_once('"')?;
        let labels = literals(call).into_iter().filter(|(_, is_key)| *is_key);
        is_word(name).then(|| (name.to_owned(), kind, labels.map(|(text, _)| text).collect()))
    }

    /// The words in quotes, and whether `=>` follows.
    fn literals(text: &str) -> Vec<(String, bool)> {
        let parts: Vec<&str> = text.split('"').collect();
        let quoted = parts.windows(2).skip(1).step_by(2).filter(|pair| is_word(pair[0]));
        let is_key = |rest: &str| rest.trim_start().starts_with("=>");
        quoted.map(|pair| (pair[0].to_owned(), is_key(pair[1]))).collect()
    }

    fn is_word(text: &str) -> bool {
        !text.is_empty() && text.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'))
    }

    /// Why credentials were refused.
    const AUTH: [(&str, &str); 1] = [("ironhub-hub/src/error.rs", "pub fn label(self)")];

    #[test]
    fn values_of_connections_and_mqtt() {
        check(
            "ironhub_connections_accepted_total",
            "port",
            &[("ironhub-server/src/listeners.rs", "pub(crate) async fn bind(")],
        );
        check(
            "ironhub_connections_refused_total",
            "reason",
            &[
                ("ironhub-transport/src/listener.rs", "fn admit("),
                ("ironhub-transport/src/listener/admission.rs", "fn admit(&mut self"),
            ],
        );
        check(
            "ironhub_tls_handshakes_total",
            "kind",
            &[("ironhub-transport/src/listener.rs", "async fn handshake(")],
        );
        let connects = [
            ("ironhub-transport/src/mqtt/connect.rs", "async fn log_in("),
            ("ironhub-transport/src/mqtt/connect.rs", "fn token("),
        ];
        check(
            "ironhub_mqtt_connects_refused_total",
            "reason",
            &[&AUTH[..], &connects].concat(),
        );
        check(
            "ironhub_mqtt_connections_ended_total",
            "reason",
            &[
                ("ironhub-transport/src/mqtt/end.rs", "fn reason("),
                ("ironhub-mqtt/src/error.rs", "fn reason("),
                ("ironhub-mqtt/src/connection.rs", "impl Violation"),
            ],
        );
        check(
            "ironhub_mqtt_messages_ignored_total",
            "reason",
            &[
                ("ironhub-transport/src/mqtt/state.rs", "fn take_publish("),
                ("ironhub-dialect/src/mqtt/twin.rs", "fn parse("),
                ("ironhub-dialect/src/mqtt/methods.rs", "fn parse("),
            ],
        );
    }

    #[test]
    fn values_of_amqp_and_http() {
        check(
            "ironhub_amqp_connections_ended_total",
            "reason",
            &[("ironhub-transport/src/amqp/end.rs", "fn reason(")],
        );
        let tokens = ["fn finish<", "async fn prove<", "impl From<RequestError> for Refused"]
            .map(|item| ("ironhub-transport/src/amqp/cbs.rs", item));
        check("ironhub_amqp_tokens_total", "outcome", &[&AUTH[..], &tokens].concat());
        check(
            "ironhub_http_requests_refused_total",
            "reason",
            &[("ironhub-transport/src/http.rs", "async fn answer(")],
        );
        check(
            "ironhub_http_connections_cut_total",
            "reason",
            &[("ironhub-transport/src/http/unread.rs", "fn watch<")],
        );
        check(
            "ironhub_https_requests_total",
            "operation",
            &[
                ("ironhub-dialect/src/https/operation.rs", "pub fn label("),
                ("ironhub-dialect/src/https/own.rs", "pub fn label("),
                ("ironhub-transport/src/https/dispatch.rs", "async fn answer<"),
            ],
        );
    }

    #[test]
    fn values_of_the_hub() {
        let refused = [("ironhub-hub/src/auth.rs", "fn refused(")];
        check("ironhub_auth_failures_total", "reason", &[&AUTH[..], &refused].concat());
        check(
            "ironhub_c2d_settled_total",
            "outcome",
            &[("ironhub-hub/src/c2d/settlement.rs", "fn count(")],
        );
        check(
            "ironhub_methods_total",
            "outcome",
            &[("ironhub-hub/src/methods.rs", "pub async fn invoke(")],
        );
        check(
            "ironhub_method_answers_ignored_total",
            "reason",
            &[("ironhub-transport/src/method_answer.rs", "fn bring_answer<")],
        );
    }

    /// The label's values are the words of these items.
    #[track_caller]
    fn check(name: &str, label: &str, items: &[(&str, &str)]) {
        let label = metric(name).labels.iter().find(|known| known.name == label).unwrap();
        let given = items.iter().flat_map(|(file, start)| literals(&item(file, start)));
        let given = given.filter(|(word, is_key)| !is_key && !word.starts_with("ironhub_"));
        let given: BTreeSet<String> = given.map(|(word, _)| word).collect();
        assert_eq!(given, label.values().map(str::to_owned).collect());
    }

    /// An item of a source file: from where it starts to the brace that closes it.
    fn item(file: &str, start: &str) -> String {
        let text = fs::read_to_string(crates().join(file)).unwrap();
        let mut lines = text.lines().skip_while(|line| !line.contains(start)).peekable();
        let first = lines.peek().unwrap_or_else(|| panic!("no {start} in {file}"));
        let indent = first.len() - first.trim_start().len();
        let end = format!("{:indent$}}}", "");
        lines.take_while(|line| *line != end).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn numbers_are_those_of_the_limits() {
        let told = |name: &str, text: String| {
            let Metric { help, watch, .. } = metric(name);
            assert!(
                format!("{help} {}", watch.unwrap_or_default()).contains(&text),
                "{name}: {text}"
            );
        };
        let thousands = |count: usize| format!("{},{:03}", count / 1000, count % 1000);
        told("ironhub_connections", thousands(CONNECTIONS_MAX));
        told("ironhub_log_inbox_records", thousands(INBOX_RECORDS_MAX as usize));
        told(
            "ironhub_methods_total",
            format!("{METHODS_IN_FLIGHT_PER_DEVICE_MAX} calls"),
        );
        told(
            "ironhub_http_connections_cut_total",
            format!("{} seconds", STALL_MAX.as_secs()),
        );
        told(
            "ironhub_mqtt_connections_ended_total",
            format!("{} seconds", STALL_MAX.as_secs()),
        );
        told(
            "ironhub_tls_handshake_failures_total",
            format!("{} seconds", HANDSHAKE_WAIT_MAX.as_secs()),
        );
        told(
            "ironhub_log_slow_syncs_total",
            format!("{} milliseconds", SLOW_SYNC.as_millis()),
        );
    }

    #[test]
    fn names_say_what_they_are() {
        for metric in metrics() {
            assert!(metric.name.starts_with("ironhub_"), "{}", metric.name);
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{}",
                metric.name
            );
            assert!(
                metric.help.ends_with('.') && !metric.help.contains('\n'),
                "{}",
                metric.name
            );
            for label in metric.labels {
                assert!(
                    label.values().is_sorted() || label.name == "port",
                    "{}: {}",
                    metric.name,
                    label.name
                );
            }
        }
    }

    fn sources() -> Vec<PathBuf> {
        let folders = fs::read_dir(crates())
            .unwrap()
            .map(|entry| entry.unwrap().path().join("src"));
        let (mut folders, mut files) = (folders.collect::<Vec<_>>(), Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                match entry.extension() {
                    None => folders.push(entry),
                    Some(extension) if extension == "rs" => files.push(entry),
                    Some(_) => {}
                }
            }
        }
        files
    }

    fn crates() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
    }
}
