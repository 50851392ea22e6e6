//! Messages: writing their sections, finding them again, reading them (AMQP 1.0 part 3, §3.2).
//!
//! A message is a sequence of sections. What a sender wrote for the receiver (properties, application properties,
//! body) is the *bare message* and must not change on the way; header and annotations belong to the hops.
//!
//! ```
//! use ironhub_amqp::message::{self, BareMessage, Body, MessageId, Properties};
//! use ironhub_amqp::types::Value;
//!
//! let mut bare = Vec::new();
//! message::write_properties(&mut bare, &Properties { message_id: Some(MessageId::String("m1")), ..Properties::default() });
//! message::write_application_properties(&mut bare, [("alert", Value::Boolean(true))]);
//! message::write_data(&mut bare, b"21.5");
//!
//! let read = BareMessage::parse(&bare)?;
//! assert_eq!(read.application_properties.value("alert"), Some(Value::Boolean(true)));
//! assert!(matches!(read.body, Body::Data(data) if data.clone().eq([b"21.5"])));
//! # Ok::<(), ironhub_amqp::types::DecodeError>(())
//! ```

pub mod annotations;
mod application_properties;
pub mod batch;
mod body;
mod header;
mod message_id;
mod properties;
mod received;
mod section;

pub use application_properties::write_application_properties;
pub use body::{Body, DataSections, SequenceSections, write_data, write_value};
pub use header::{Header, write_header};
pub use message_id::MessageId;
pub use properties::{Properties, write_properties};
pub use received::{BareMessage, Message, append_bare};
pub use section::{Section, SectionKind, Sections};
