use super::{Body, DataSections, Header, Properties, Section, SectionKind, Sections, SequenceSections, annotations};
use crate::types::{DecodeError, Map};

/// What the sender wrote for the receiver, decoded and checked through.
#[derive(Debug, Clone)]
pub struct BareMessage<'a> {
    /// Standard properties; all absent when the section is.
    pub properties: Properties<'a>,
    /// The sender's own properties, in order.
    pub application_properties: Map<'a>,
    /// The body.
    pub body: Body<'a>,
}

/// A whole message, decoded and checked through. Absent sections read as empty ones.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// The transport header.
    pub header: Header,
    /// Annotations for this hop.
    pub delivery_annotations: Map<'a>,
    /// Annotations for the whole way.
    pub message_annotations: Map<'a>,
    /// What the sender wrote.
    pub bare: BareMessage<'a>,
    /// Hashes, signatures.
    pub footer: Map<'a>,
}

impl<'a> BareMessage<'a> {
    /// Reads an encoded bare message: sections in any order, each once (data and sequence sections may repeat).
    /// Sections that are not part of a bare message are an error.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut seen = Seen::default();
        let mut bare = Self::empty();
        for section in Sections::new(bytes) {
            let section = section?;
            seen.mark(section.kind)?;
            if !section.kind.is_bare() {
                return Err(DecodeError::Expected("a section of a bare message"));
            }
            bare.take(&section, bytes)?;
        }
        Ok(bare)
    }

    fn empty() -> Self {
        Self {
            properties: Properties::default(),
            application_properties: Map::default(),
            body: Body::Empty,
        }
    }

    fn take(&mut self, section: &Section<'a>, bytes: &'a [u8]) -> Result<(), DecodeError> {
        let value = section.value()?;
        match section.kind {
            SectionKind::Properties => self.properties = Properties::read(value)?,
            SectionKind::ApplicationProperties => self.application_properties = annotations::read(value)?,
            SectionKind::Data => {
                value
                    .as_binary()
                    .ok_or(DecodeError::Expected("binary in a data section"))?;
                self.body = Body::Data(DataSections(Sections::new(bytes)));
            }
            SectionKind::Sequence => {
                value
                    .as_list()
                    .ok_or(DecodeError::Expected("a list in a sequence section"))?;
                self.body = Body::Sequence(SequenceSections(Sections::new(bytes)));
            }
            SectionKind::Value => self.body = Body::Value(value),
            SectionKind::Header
            | SectionKind::DeliveryAnnotations
            | SectionKind::MessageAnnotations
            | SectionKind::Footer => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> {
    /// Reads an encoded message: sections in any order, each once (data and sequence sections may repeat).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut seen = Seen::default();
        let mut message = Self {
            header: Header::default(),
            delivery_annotations: Map::default(),
            message_annotations: Map::default(),
            bare: BareMessage::empty(),
            footer: Map::default(),
        };
        for section in Sections::new(bytes) {
            let section = section?;
            seen.mark(section.kind)?;
            message.take(&section, bytes)?;
        }
        Ok(message)
    }

    fn take(&mut self, section: &Section<'a>, bytes: &'a [u8]) -> Result<(), DecodeError> {
        match section.kind {
            SectionKind::Header => self.header = Header::read(section.value()?)?,
            SectionKind::DeliveryAnnotations => self.delivery_annotations = annotations::read(section.value()?)?,
            SectionKind::MessageAnnotations => self.message_annotations = annotations::read(section.value()?)?,
            SectionKind::Footer => self.footer = annotations::read(section.value()?)?,
            SectionKind::Properties
            | SectionKind::ApplicationProperties
            | SectionKind::Data
            | SectionKind::Sequence
            | SectionKind::Value => self.bare.take(section, bytes)?,
        }
        Ok(())
    }
}

/// Appends the bare message of an encoded message, in the standard's order and byte for byte, without its hop sections.
pub fn append_bare(out: &mut Vec<u8>, message: &[u8]) -> Result<(), DecodeError> {
    let parts: [fn(SectionKind) -> bool; 3] = [
        |kind| kind == SectionKind::Properties,
        |kind| kind == SectionKind::ApplicationProperties,
        SectionKind::is_body,
    ];
    for is_part in parts {
        for section in Sections::new(message) {
            let section = section?;
            if is_part(section.kind) {
                out.extend_from_slice(section.encoded);
            }
        }
    }
    Ok(())
}

/// Which kinds have been met: a bit for each descriptor from 0x70 on.
#[derive(Default)]
struct Seen(u16);

impl Seen {
    fn mark(&mut self, kind: SectionKind) -> Result<(), DecodeError> {
        let bit = |kind: SectionKind| 1u16 << (kind as u8 & 0x0f);
        let bodies = bit(SectionKind::Data) | bit(SectionKind::Sequence) | bit(SectionKind::Value);
        let excluded = match kind {
            SectionKind::Data | SectionKind::Sequence => bodies & !bit(kind),
            SectionKind::Value => bodies,
            SectionKind::Header
            | SectionKind::DeliveryAnnotations
            | SectionKind::MessageAnnotations
            | SectionKind::Properties
            | SectionKind::ApplicationProperties
            | SectionKind::Footer => bit(kind),
        };
        if self.0 & excluded != 0 {
            return Err(DecodeError::Repeated(if kind.is_body() {
                "the body"
            } else {
                "a section"
            }));
        }
        self.0 |= bit(kind);
        Ok(())
    }
}
