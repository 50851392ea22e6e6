//! The form in which events lie in the log: encoded once when they are taken, copied by every reader.
//!
//! Format 1, integers big-endian:
//!
//! | bytes | field |
//! | --- | --- |
//! | 1 | format: 1 |
//! | 1 | source: index in [`EventSource::ALL`] |
//! | 1 | auth kind: see [`AuthKind`]; 0 where the hub itself made the event |
//! | 1, 1, 1 | lengths of device, module (0: none) and generation (0: none) |
//! | 8 | de-duplication id: the outbox record it came from; all ones: none |
//! | … | device, module, generation: ASCII |
//! | 2, 4 | annotations: number of pairs, bytes |
//! | … | annotations: AMQP keys (symbols) and values without a map header |
//! | … | bare message: AMQP properties, application properties, body sections |
//!
//! Sequence number, offset and enqueued time lie in the log's frame. A reader writes one annotations map of its own
//! entries and these, and copies the rest. A new format gets a new number and keeps the old ones readable; a fixture
//! of every format ever written is in `tests/fixtures`.

use ironhub_amqp::message::annotations;
use ironhub_amqp::types::{DecodeError, Map};
use ironhub_model::EventSource;

use crate::auth::{AuthKind, SasScope, X509Issuer};
use crate::ports::OutboxId;

const FORMAT: u8 = 1;
const DEDUPE_AT: usize = 6;
const NO_DEDUPE: u64 = u64::MAX;
const IDS_AT: usize = DEDUPE_AT + size_of::<u64>();
const ANNOTATIONS_HEADER_BYTES: usize = size_of::<u16>() + size_of::<u32>();

/// A stored event, read without copying.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StoredEvent<'a> {
    /// What it tells of.
    pub source: EventSource,
    /// The device it came from or tells of.
    pub device: &'a str,
    /// The module, when it is one.
    pub module: Option<&'a str>,
    /// Which creation of that identity; none where the event does not say.
    pub generation: Option<&'a str>,
    /// How the sender had proven itself; none for events that the hub made.
    pub auth: Option<AuthKind>,
    /// The outbox record that it was, which tells a repetition from a second event.
    pub dedupe: Option<OutboxId>,
    /// How many annotations there are.
    pub annotation_pairs: usize,
    /// Their keys and values, encoded, without a map header.
    pub annotations: &'a [u8],
    /// Properties, application properties and body sections, encoded.
    pub bare_message: &'a [u8],
}

/// Why bytes are not a stored event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoredFormError {
    /// A later version wrote it.
    #[error("stored event format {0} is not known to this version, which reads format {FORMAT}")]
    UnknownFormat(u8),
    /// It ends early or holds what no writer wrote.
    #[error("the stored event is damaged: {0}")]
    Damaged(&'static str),
}

impl<'a> StoredEvent<'a> {
    /// Reads the fixed fields and finds the parts; the AMQP parts stay unread.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StoredFormError> {
        let mut rest = bytes;
        match u8::from_be_bytes(take_array(&mut rest)?) {
            FORMAT => {}
            other => return Err(StoredFormError::UnknownFormat(other)),
        }
        let [source, auth, device_len, module_len, generation_len] = take_array(&mut rest)?;
        let dedupe = u64::from_be_bytes(take_array(&mut rest)?);
        let device = take_text(&mut rest, device_len)?;
        let module = take_text(&mut rest, module_len)?;
        let generation = take_text(&mut rest, generation_len)?;
        let annotation_pairs = usize::from(u16::from_be_bytes(take_array(&mut rest)?));
        let annotations_len = u32::from_be_bytes(take_array(&mut rest)?) as usize;
        Ok(Self {
            source: EventSource::ALL
                .get(usize::from(source))
                .copied()
                .ok_or(StoredFormError::Damaged("its source is unknown"))?,
            device,
            module: Some(module).filter(|module| !module.is_empty()),
            generation: Some(generation).filter(|generation| !generation.is_empty()),
            auth: auth_kind(auth)?,
            dedupe: (dedupe != NO_DEDUPE).then_some(OutboxId(dedupe)),
            annotation_pairs,
            annotations: take(&mut rest, annotations_len)?,
            bare_message: rest,
        })
    }

    /// The annotations as a map, checked through.
    pub fn annotation_map(&self) -> Result<Map<'a>, DecodeError> {
        Map::from_pairs(self.annotation_pairs, self.annotations)
    }
}

/// The outbox record that a stored event was, read without looking at the rest: for scans of the log.
pub(crate) fn dedupe_id(event: &[u8]) -> Option<OutboxId> {
    let (FORMAT, bytes) = (*event.first()?, event.get(DEDUPE_AT..IDS_AT)?) else {
        return None;
    };
    let id = u64::from_be_bytes(bytes.try_into().ok()?);
    (id != NO_DEDUPE).then_some(OutboxId(id))
}

/// Stamps a stored event with the outbox record that it is.
pub(crate) fn set_dedupe_id(event: &mut [u8], id: OutboxId) {
    patch(event, DEDUPE_AT, &id.0.to_be_bytes());
}

/// The fixed fields of events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) source: EventSource,
    pub(crate) device: &'a str,
    pub(crate) module: Option<&'a str>,
    pub(crate) generation: Option<&'a str>,
    pub(crate) auth: Option<AuthKind>,
}

/// Everything that the events of one sender have in common, encoded once: fixed fields and constant annotations.
#[derive(Debug)]
pub(crate) struct Prefix {
    bytes: Box<[u8]>,
    annotations_at: usize,
    pairs: u16,
}

impl Prefix {
    /// Encodes the common part. The ids are at most 128 bytes long, as their types guarantee.
    pub(crate) fn new(head: &Head<'_>, constant: &[(&str, &str)]) -> Self {
        let ids = [head.device, head.module.unwrap_or(""), head.generation.unwrap_or("")];
        let mut bytes = vec![FORMAT, source_code(head.source), auth_code(head.auth)];
        bytes.extend(ids.map(|id| u8::try_from(id.len()).unwrap_or(u8::MAX)));
        bytes.extend_from_slice(&NO_DEDUPE.to_be_bytes());
        for id in ids {
            bytes.extend_from_slice(id.as_bytes());
        }
        let annotations_at = bytes.len();
        bytes.extend_from_slice(&[0; ANNOTATIONS_HEADER_BYTES]);
        let mut pairs = 0;
        for (key, value) in constant {
            annotations::push_entry(&mut bytes, key, *value);
            pairs += 1;
        }
        Self {
            bytes: bytes.into(),
            annotations_at,
            pairs,
        }
    }

    /// Begins an event in `out`, which is emptied first. What the caller appends to `out` after
    /// [`EventWriter::end_annotations`] is the bare message.
    pub(crate) fn begin<'o>(&self, out: &'o mut Vec<u8>) -> EventWriter<'o> {
        out.clear();
        out.extend_from_slice(&self.bytes);
        EventWriter {
            out,
            annotations_at: self.annotations_at,
            pairs: self.pairs,
        }
    }
}

/// An event that is being written.
#[derive(Debug)]
pub(crate) struct EventWriter<'o> {
    out: &'o mut Vec<u8>,
    annotations_at: usize,
    pairs: u16,
}

impl EventWriter<'_> {
    /// Adds an annotation of this one event, when there is a value.
    pub(crate) fn annotate(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            annotations::push_entry(self.out, key, value);
            self.pairs += 1;
        }
    }

    /// Closes the annotations.
    pub(crate) fn end_annotations(self) {
        let start = self.annotations_at + ANNOTATIONS_HEADER_BYTES;
        let len = u32::try_from(self.out.len() - start).unwrap_or(u32::MAX);
        patch(self.out, self.annotations_at, &self.pairs.to_be_bytes());
        patch(self.out, self.annotations_at + size_of::<u16>(), &len.to_be_bytes());
    }
}

fn source_code(source: EventSource) -> u8 {
    match source {
        EventSource::DeviceMessages => 0,
        EventSource::TwinChangeEvents => 1,
        EventSource::DeviceLifecycleEvents => 2,
        EventSource::DeviceConnectionStateEvents => 3,
        EventSource::DeviceJobLifecycleEvents => 4,
        EventSource::DigitalTwinChangeEvents => 5,
    }
}

/// The kinds in the order of their stored codes, which begin at 1.
const AUTH_KINDS: [AuthKind; 5] = [
    AuthKind::Sas {
        scope: SasScope::Device,
    },
    AuthKind::Sas {
        scope: SasScope::Module,
    },
    AuthKind::Sas { scope: SasScope::Hub },
    AuthKind::X509 {
        issuer: X509Issuer::SelfSigned,
    },
    AuthKind::X509 {
        issuer: X509Issuer::Authority,
    },
];

fn auth_code(auth: Option<AuthKind>) -> u8 {
    match auth {
        None => 0,
        Some(AuthKind::Sas { scope }) => match scope {
            SasScope::Device => 1,
            SasScope::Module => 2,
            SasScope::Hub => 3,
        },
        Some(AuthKind::X509 { issuer }) => match issuer {
            X509Issuer::SelfSigned => 4,
            X509Issuer::Authority => 5,
        },
    }
}

fn auth_kind(code: u8) -> Result<Option<AuthKind>, StoredFormError> {
    match usize::from(code).checked_sub(1) {
        None => Ok(None),
        Some(index) => match AUTH_KINDS.get(index) {
            Some(kind) => Ok(Some(*kind)),
            None => Err(StoredFormError::Damaged("its auth kind is unknown")),
        },
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], StoredFormError> {
    let (taken, left) = rest
        .split_at_checked(len)
        .ok_or(StoredFormError::Damaged("it ends early"))?;
    *rest = left;
    Ok(taken)
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], StoredFormError> {
    let (taken, left) = rest
        .split_first_chunk::<N>()
        .ok_or(StoredFormError::Damaged("it ends early"))?;
    *rest = left;
    Ok(*taken)
}

fn take_text<'a>(rest: &mut &'a [u8], len: u8) -> Result<&'a str, StoredFormError> {
    std::str::from_utf8(take(rest, usize::from(len))?).map_err(|_| StoredFormError::Damaged("an id is not text"))
}

/// Overwrites bytes that were appended before.
fn patch(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}
