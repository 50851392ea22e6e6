use crate::types::{DecodeError, Decoder, Descriptor, Value};

/// Which part of a message a section is. The discriminant is its descriptor (AMQP 1.0 part 3, §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SectionKind {
    /// Durability, priority, time to live, delivery count: for the next hop.
    Header = 0x70,
    /// For the next hop only.
    DeliveryAnnotations = 0x71,
    /// Added by intermediaries, carried to the end; the hub's `x-opt-…` and `iothub-…` live here.
    MessageAnnotations = 0x72,
    /// The sender's standard properties.
    Properties = 0x73,
    /// The sender's own properties.
    ApplicationProperties = 0x74,
    /// Body: bytes. May repeat.
    Data = 0x75,
    /// Body: a list. May repeat.
    Sequence = 0x76,
    /// Body: one value of any type.
    Value = 0x77,
    /// After the body: hashes, signatures.
    Footer = 0x78,
}

impl SectionKind {
    fn from_descriptor(descriptor: Descriptor<'_>) -> Result<Self, DecodeError> {
        Ok(match descriptor {
            Descriptor::Code(0x70) | Descriptor::Name("amqp:header:list") => Self::Header,
            Descriptor::Code(0x71) | Descriptor::Name("amqp:delivery-annotations:map") => Self::DeliveryAnnotations,
            Descriptor::Code(0x72) | Descriptor::Name("amqp:message-annotations:map") => Self::MessageAnnotations,
            Descriptor::Code(0x73) | Descriptor::Name("amqp:properties:list") => Self::Properties,
            Descriptor::Code(0x74) | Descriptor::Name("amqp:application-properties:map") => Self::ApplicationProperties,
            Descriptor::Code(0x75) | Descriptor::Name("amqp:data:binary") => Self::Data,
            Descriptor::Code(0x76) | Descriptor::Name("amqp:amqp-sequence:list") => Self::Sequence,
            Descriptor::Code(0x77) | Descriptor::Name("amqp:amqp-value:*") => Self::Value,
            Descriptor::Code(0x78) | Descriptor::Name("amqp:footer:map") => Self::Footer,
            Descriptor::Code(_) | Descriptor::Name(_) | Descriptor::Other => {
                return Err(DecodeError::UnknownDescriptor);
            }
        })
    }

    /// Appends the section's descriptor, always as `00 53 xx`: azure-eventhub for Python knows no other form.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0x00, 0x53, self as u8]);
    }

    /// Whether the section belongs to the bare message.
    pub fn is_bare(self) -> bool {
        matches!(self, Self::Properties | Self::ApplicationProperties) || self.is_body()
    }

    /// Whether the section is a body or a part of one.
    pub fn is_body(self) -> bool {
        matches!(self, Self::Data | Self::Sequence | Self::Value)
    }
}

/// One section of an encoded message: found, not yet checked inside.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    /// Which one it is.
    pub kind: SectionKind,
    /// Its bytes, descriptor included: what is copied when a message is passed on.
    pub encoded: &'a [u8],
    value: &'a [u8],
}

impl<'a> Section<'a> {
    /// The section's value, checked through.
    pub fn value(&self) -> Result<Value<'a>, DecodeError> {
        Decoder::new(self.value).value()
    }
}

/// Finds the sections of an encoded message by their sizes, without looking into them. They come in the order they
/// were written, which is not always the standard's: the C SDK puts message annotations behind application properties.
///
/// Ends after the first error.
#[derive(Debug, Clone)]
pub struct Sections<'a> {
    decoder: Decoder<'a>,
}

impl<'a> Sections<'a> {
    /// The sections of `message`.
    pub fn new(message: &'a [u8]) -> Self {
        Self {
            decoder: Decoder::new(message),
        }
    }

    fn section(&mut self) -> Result<Section<'a>, DecodeError> {
        const DEPTH_MAX: usize = 2; // Neither a descriptor nor a section's value is itself described.
        let start = self.decoder.rest();
        if self.decoder.byte()? != 0x00 {
            return Err(DecodeError::Expected("a message section"));
        }
        let kind = SectionKind::from_descriptor(descriptor(&mut self.decoder)?)?;
        let value = self.decoder.rest();
        self.decoder.skip(DEPTH_MAX)?;
        let end = self.decoder.rest().len();
        Ok(Section {
            kind,
            encoded: start.get(..start.len() - end).ok_or(DecodeError::Truncated)?,
            value: value.get(..value.len() - end).ok_or(DecodeError::Truncated)?,
        })
    }
}

fn descriptor<'a>(decoder: &mut Decoder<'a>) -> Result<Descriptor<'a>, DecodeError> {
    let code = decoder.byte()?;
    Ok(Descriptor::of(decoder.scalar(code)?))
}

impl<'a> Iterator for Sections<'a> {
    type Item = Result<Section<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.decoder.is_empty() {
            return None;
        }
        let section = self.section();
        if section.is_err() {
            self.decoder = Decoder::new(&[]);
        }
        Some(section)
    }
}
