//! The fields of composite types, in their order.

/// A performative, a terminus, an outcome, an error, or a section of a message that is a list.
#[derive(Debug)]
pub(crate) struct Composite {
    pub(crate) name: &'static str,
    pub(crate) code: u64,
    pub(crate) fields: &'static [(&'static str, Kind)],
}

/// What a number without a type is in this field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ubyte,
    Ushort,
    Uint,
    Ulong,
    Timestamp,
    /// A symbol, so that quotes or none do not matter.
    Symbol,
    Other,
}

use Kind::{Other, Symbol, Timestamp, Ubyte, Uint, Ulong, Ushort};

const fn composite(name: &'static str, code: u64, fields: &'static [(&'static str, Kind)]) -> Composite {
    Composite { name, code, fields }
}

/// Those that are maps or single values: their names and descriptors.
pub(super) const SECTIONS: [(&str, u64); 6] = [
    ("delivery-annotations", 0x71),
    ("message-annotations", 0x72),
    ("application-properties", 0x74),
    ("data", 0x75),
    ("value", 0x77),
    ("footer", 0x78),
];

pub(super) const COMPOSITES: [Composite; 25] = [
    composite(
        "open",
        0x10,
        &[
            ("container-id", Other),
            ("hostname", Other),
            ("max-frame-size", Uint),
            ("channel-max", Ushort),
            ("idle-time-out", Uint),
            ("outgoing-locales", Other),
            ("incoming-locales", Other),
            ("offered-capabilities", Other),
            ("desired-capabilities", Other),
            ("properties", Other),
        ],
    ),
    composite(
        "begin",
        0x11,
        &[
            ("remote-channel", Ushort),
            ("next-outgoing-id", Uint),
            ("incoming-window", Uint),
            ("outgoing-window", Uint),
            ("handle-max", Uint),
            ("offered-capabilities", Other),
            ("desired-capabilities", Other),
            ("properties", Other),
        ],
    ),
    composite(
        "attach",
        0x12,
        &[
            ("name", Other),
            ("handle", Uint),
            ("role", Other),
            ("snd-settle-mode", Ubyte),
            ("rcv-settle-mode", Ubyte),
            ("source", Other),
            ("target", Other),
            ("unsettled", Other),
            ("incomplete-unsettled", Other),
            ("initial-delivery-count", Uint),
            ("max-message-size", Ulong),
            ("offered-capabilities", Other),
            ("desired-capabilities", Other),
            ("properties", Other),
        ],
    ),
    composite(
        "flow",
        0x13,
        &[
            ("next-incoming-id", Uint),
            ("incoming-window", Uint),
            ("next-outgoing-id", Uint),
            ("outgoing-window", Uint),
            ("handle", Uint),
            ("delivery-count", Uint),
            ("link-credit", Uint),
            ("available", Uint),
            ("drain", Other),
            ("echo", Other),
            ("properties", Other),
        ],
    ),
    composite(
        "transfer",
        0x14,
        &[
            ("handle", Uint),
            ("delivery-id", Uint),
            ("delivery-tag", Other),
            ("message-format", Uint),
            ("settled", Other),
            ("more", Other),
            ("rcv-settle-mode", Ubyte),
            ("state", Other),
            ("resume", Other),
            ("aborted", Other),
            ("batchable", Other),
        ],
    ),
    composite(
        "disposition",
        0x15,
        &[
            ("role", Other),
            ("first", Uint),
            ("last", Uint),
            ("settled", Other),
            ("state", Other),
            ("batchable", Other),
        ],
    ),
    composite("detach", 0x16, &[("handle", Uint), ("closed", Other), ("error", Other)]),
    composite("end", 0x17, &[("error", Other)]),
    composite("close", 0x18, &[("error", Other)]),
    composite(
        "error",
        0x1d,
        &[("condition", Symbol), ("description", Other), ("info", Other)],
    ),
    composite("received", 0x23, &[("section-number", Uint), ("section-offset", Ulong)]),
    composite("accepted", 0x24, &[]),
    composite("rejected", 0x25, &[("error", Other)]),
    composite("released", 0x26, &[]),
    composite(
        "modified",
        0x27,
        &[
            ("delivery-failed", Other),
            ("undeliverable-here", Other),
            ("message-annotations", Other),
        ],
    ),
    composite(
        "source",
        0x28,
        &[
            ("address", Other),
            ("durable", Uint),
            ("expiry-policy", Symbol),
            ("timeout", Uint),
            ("dynamic", Other),
            ("dynamic-node-properties", Other),
            ("distribution-mode", Symbol),
            ("filter", Other),
            ("default-outcome", Other),
            ("outcomes", Other),
            ("capabilities", Other),
        ],
    ),
    composite(
        "target",
        0x29,
        &[
            ("address", Other),
            ("durable", Uint),
            ("expiry-policy", Symbol),
            ("timeout", Uint),
            ("dynamic", Other),
            ("dynamic-node-properties", Other),
            ("capabilities", Other),
        ],
    ),
    composite("mechanisms", 0x40, &[("sasl-server-mechanisms", Other)]),
    composite(
        "init",
        0x41,
        &[("mechanism", Symbol), ("initial-response", Other), ("hostname", Other)],
    ),
    composite("challenge", 0x42, &[("challenge", Other)]),
    composite("response", 0x43, &[("response", Other)]),
    composite("outcome", 0x44, &[("code", Ubyte), ("additional-data", Other)]),
    composite(
        "header",
        0x70,
        &[
            ("durable", Other),
            ("priority", Ubyte),
            ("ttl", Uint),
            ("first-acquirer", Other),
            ("delivery-count", Uint),
        ],
    ),
    composite(
        "properties",
        0x73,
        &[
            ("message-id", Other),
            ("user-id", Other),
            ("to", Other),
            ("subject", Other),
            ("reply-to", Other),
            ("correlation-id", Other),
            ("content-type", Symbol),
            ("content-encoding", Symbol),
            ("absolute-expiry-time", Timestamp),
            ("creation-time", Timestamp),
            ("group-id", Other),
            ("group-sequence", Uint),
            ("reply-to-group-id", Other),
        ],
    ),
    composite("sequence", 0x76, &[]),
];
