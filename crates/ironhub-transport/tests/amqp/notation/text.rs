//! From text to what is sent, and from text to what is to be heard.

use std::collections::HashMap;

use serde_amqp::Value;
use serde_amqp::descriptor::Descriptor;
use serde_amqp::primitives::{Array, Binary, OrderedMap, Symbol, Timestamp, Uuid};

use super::fields::{COMPOSITES, Composite, Kind, SECTIONS};
use super::{Frame, composite_of, described};
use crate::json_pattern;

/// What `$name` stands for.
pub(crate) type Names = HashMap<String, Value>;

/// A line of a transcript behind its arrow.
#[derive(Debug)]
pub(crate) enum Wanted {
    Header(u8),
    Body { kind: u8, channel: u16, terms: Vec<Term> },
}

#[derive(Debug)]
pub(crate) enum Term {
    /// `*`: anything but null.
    Any,
    /// `$name`: what stood there when it was first heard.
    Named(String),
    Exact(Value),
    /// `json '…'`: a binary with this JSON in it.
    Json(serde_json::Value),
    Composite {
        composite: &'static Composite,
        fields: Vec<(usize, Term)>,
        has_rest: bool,
    },
    Section(u64, Box<Term>),
    Map {
        entries: Vec<(Value, Term)>,
        has_rest: bool,
    },
    /// `message(…)`: a binary that is a whole message.
    Message(Vec<Term>),
}

impl Wanted {
    pub(crate) fn parse(text: &str) -> Self {
        if let Some(protocol) = text.strip_prefix("protocol ") {
            return Self::Header(if protocol == "SASL" { 3 } else { 0 });
        }
        let mut reader = Reader { rest: text };
        let name = reader.word();
        let channel = if reader.takes("/") {
            reader.word().parse().unwrap()
        } else {
            0
        };
        let composite = composite(name);
        let kind = u8::from((0x40..0x50).contains(&composite.code));
        let mut terms = vec![reader.fields(composite)];
        terms.extend(reader.sections());
        assert!(reader.rest.is_empty(), "not understood: {}", reader.rest);
        Self::Body { kind, channel, terms }
    }

    /// The frame that this is, with nothing left open.
    pub(crate) fn frame(&self, names: &Names) -> Frame {
        match self {
            Self::Header(protocol) => Frame::Header(*protocol),
            Self::Body { kind, channel, terms } => {
                let values = terms.iter().map(|term| term.value(names)).collect();
                Frame::Body(*kind, *channel, values)
            }
        }
    }

    /// Is it this frame? Notes what stands where a name does.
    pub(crate) fn matches(&self, frame: &Frame, names: &mut Names) -> bool {
        match (self, frame) {
            (Self::Header(wanted), Frame::Header(heard)) => wanted == heard,
            (Self::Body { kind, channel, terms }, Frame::Body(heard_kind, heard_channel, values)) => {
                (kind, channel) == (heard_kind, heard_channel)
                    && terms.len() == values.len()
                    && terms.iter().zip(values).all(|(term, value)| term.matches(value, names))
            }
            _ => false,
        }
    }
}

impl Term {
    fn value(&self, names: &Names) -> Value {
        match self {
            Self::Any | Self::Json(_) => panic!("{self:?} cannot be sent"),
            Self::Named(name) => names[name].clone(),
            Self::Exact(value) => value.clone(),
            Self::Section(code, term) => described(*code, term.value(names)),
            Self::Map { entries, .. } => {
                let entries = entries.iter().map(|(key, term)| (key.clone(), term.value(names)));
                Value::Map(entries.collect::<OrderedMap<_, _>>())
            }
            Self::Message(sections) => {
                let encoded = sections
                    .iter()
                    .map(|section| serde_amqp::to_vec(&section.value(names)).unwrap());
                Value::Binary(Binary::from(encoded.collect::<Vec<_>>().concat()))
            }
            Self::Composite { composite, fields, .. } => {
                let mut values = vec![Value::Null; fields.iter().map(|(at, _)| at + 1).max().unwrap_or(0)];
                for (at, term) in fields {
                    values[*at] = term.value(names);
                }
                described(composite.code, Value::List(values))
            }
        }
    }

    fn matches(&self, value: &Value, names: &mut Names) -> bool {
        match (self, value) {
            (Self::Any, value) => *value != Value::Null,
            (Self::Named(name), value) => names.entry(name.clone()).or_insert_with(|| value.clone()) == value,
            (Self::Exact(wanted), value) => wanted == value,
            (Self::Json(wanted), Value::Binary(bytes)) => serde_json::from_slice(bytes)
                .is_ok_and(|heard| json_pattern::matches(wanted, &heard, &mut json_pattern::Names::new())),
            (Self::Section(code, term), Value::Described(heard)) => {
                heard.descriptor == Descriptor::Code(*code) && term.matches(&heard.value, names)
            }
            (Self::Map { entries, has_rest }, Value::Map(heard)) => {
                (*has_rest || heard.len() == entries.len())
                    && entries
                        .iter()
                        .all(|(key, term)| heard.get(key).is_some_and(|value| term.matches(value, names)))
            }
            (
                Self::Composite {
                    composite,
                    fields,
                    has_rest,
                },
                Value::Described(heard),
            ) => {
                let Value::List(values) = &heard.value else {
                    return false;
                };
                let is_said = |at: usize| fields.iter().any(|(said, _)| *said == at);
                let null = Value::Null;
                heard.descriptor == Descriptor::Code(composite.code)
                    && fields
                        .iter()
                        .all(|(at, term)| term.matches(values.get(*at).unwrap_or(&null), names))
                    && (*has_rest
                        || values
                            .iter()
                            .enumerate()
                            .all(|(at, value)| *value == null || is_said(at)))
            }
            _ => false,
        }
    }
}

/// A frame in this notation, for those who read why a test fails.
pub(crate) fn written(frame: &Frame) -> String {
    match frame {
        Frame::Header(protocol) => format!("protocol {}", if *protocol == 3 { "SASL" } else { "AMQP" }),
        Frame::Body(_, channel, values) => {
            let values: Vec<String> = values.iter().map(written_value).collect();
            format!("(channel {channel}) {}", values.join(" | "))
        }
    }
}

fn written_value(value: &Value) -> String {
    let Value::Described(described) = value else {
        return format!("{value:?}");
    };
    let (Some(composite), Value::List(values)) = (composite_of(&described.descriptor), &described.value) else {
        return format!("{:?} {}", described.descriptor, written_value(&described.value));
    };
    let fields = composite
        .fields
        .iter()
        .zip(values)
        .filter(|(_, value)| **value != Value::Null);
    let fields: Vec<String> = fields
        .map(|((name, _), value)| format!("{name}={}", written_value(value)))
        .collect();
    format!("{}({})", composite.name, fields.join(" "))
}

fn composite(name: &str) -> &'static Composite {
    let found = COMPOSITES.iter().find(|composite| composite.name == name);
    found.unwrap_or_else(|| panic!("no composite {name:?}"))
}

/// What of a line is not read yet.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn takes(&mut self, start: &str) -> bool {
        let rest = self.rest.trim_start();
        match rest.strip_prefix(start) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    #[track_caller]
    fn expects(&mut self, start: &str) {
        assert!(self.takes(start), "expected {start:?} before {:?}", self.rest);
    }

    /// The next letters, digits and what is in names.
    fn word(&mut self) -> &'a str {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_alphanumeric() && !"-.:$/_".contains(c));
        let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
        // Only a channel follows a slash.
        let (word, rest) = match word.split_once('/') {
            Some((name, _)) if COMPOSITES.iter().any(|composite| composite.name == name) => {
                (name, &self.rest.trim_start()[name.len()..])
            }
            _ => (word, rest),
        };
        self.rest = rest;
        word
    }

    fn fields(&mut self, composite: &'static Composite) -> Term {
        let (mut fields, mut has_rest) = (Vec::new(), false);
        while !self.is_at_end() {
            if self.takes("…") {
                has_rest = true;
                continue;
            }
            let name = self.word();
            let at = composite.fields.iter().position(|(field, _)| *field == name);
            let at = at.unwrap_or_else(|| panic!("{} has no field {name:?}", composite.name));
            self.expects("=");
            fields.push((at, self.term(composite.fields[at].1)));
        }
        Term::Composite {
            composite,
            fields,
            has_rest,
        }
    }

    /// Of a list of fields.
    fn is_at_end(&self) -> bool {
        let rest = self.rest.trim_start();
        rest.is_empty() || rest.starts_with(['|', ')'])
    }

    fn sections(&mut self) -> Vec<Term> {
        let mut sections = Vec::new();
        while self.takes("|") {
            sections.push(self.section());
        }
        sections
    }

    fn section(&mut self) -> Term {
        let name = self.word();
        match SECTIONS.iter().find(|(section, _)| *section == name) {
            Some((_, code)) => Term::Section(*code, Box::new(self.term(Kind::Other))),
            None => self.fields(composite(name)),
        }
    }

    fn term(&mut self, kind: Kind) -> Term {
        let rest = self.rest.trim_start();
        match rest.chars().next().unwrap() {
            '*' => {
                self.expects("*");
                Term::Any
            }
            '$' => {
                self.expects("$");
                Term::Named(self.word().to_owned())
            }
            '"' => {
                let text = self.quoted('"');
                Term::Exact(if kind == Kind::Symbol {
                    Value::Symbol(Symbol::from(text))
                } else {
                    Value::String(text)
                })
            }
            '\'' => Term::Exact(Value::Binary(Binary::from(self.quoted('\'').into_bytes()))),
            ':' => {
                self.expects(":");
                Term::Exact(Value::Symbol(Symbol::from(self.word())))
            }
            '[' => self.array(),
            '{' => self.map(),
            '0'..='9' | '-' => Term::Exact(self.number(kind)),
            _ => self.worded(),
        }
    }

    fn quoted(&mut self, quote: char) -> String {
        self.expects(&quote.to_string());
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        loop {
            let (at, character) = characters.next().expect("an end of the text");
            if character == quote {
                self.rest = &self.rest[at + 1..];
                return text;
            }
            text.push(match character {
                '\\' => match characters.next().unwrap().1 {
                    '0' => '\0',
                    other => other,
                },
                other => other,
            });
        }
    }

    /// All of one type: the encoding has one constructor.
    fn array(&mut self) -> Term {
        self.expects("[");
        let mut items = Vec::new();
        while !self.takes("]") {
            match self.term(Kind::Other) {
                Term::Exact(value) => items.push(value),
                other => panic!("{other:?} in an array"),
            }
            self.takes(",");
        }
        Term::Exact(Value::Array(Array::from(items)))
    }

    fn map(&mut self) -> Term {
        self.expects("{");
        let (mut entries, mut has_rest) = (Vec::new(), false);
        while !self.takes("}") {
            if self.takes("…") {
                has_rest = true;
                continue;
            }
            let Term::Exact(key) = self.term(Kind::Other) else {
                panic!("a key of a map")
            };
            self.expects("=");
            entries.push((key, self.term(Kind::Other)));
            self.takes(",");
        }
        Term::Map { entries, has_rest }
    }

    /// `7`, typed by its field, or an int; `7long`, `7uint` and the like.
    fn number(&mut self, kind: Kind) -> Value {
        let word = self.word();
        if let Some(hexadecimal) = word.strip_prefix("0x") {
            return match kind {
                Kind::Uint => Value::Uint(u32::from_str_radix(hexadecimal, 16).unwrap()),
                _ => Value::Binary(Binary::from(unhex(hexadecimal))),
            };
        }
        let end = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (digits, kind) = match word.split_at(end) {
            (digits, "") => (digits, kind),
            (digits, "long") => return Value::Long(digits.parse().unwrap()),
            (digits, "byte") => return Value::Byte(digits.parse().unwrap()),
            (digits, "double") => return Value::Double(digits.parse::<f64>().unwrap().into()),
            (digits, "ubyte") => (digits, Kind::Ubyte),
            (digits, "uint") => (digits, Kind::Uint),
            (digits, "ulong") => (digits, Kind::Ulong),
            (digits, "ms") => (digits, Kind::Timestamp),
            (_, other) => panic!("no type {other:?}"),
        };
        match kind {
            Kind::Ubyte => Value::Ubyte(digits.parse().unwrap()),
            Kind::Ushort => Value::Ushort(digits.parse().unwrap()),
            Kind::Uint => Value::Uint(digits.parse().unwrap()),
            Kind::Ulong => Value::Ulong(digits.parse().unwrap()),
            Kind::Timestamp => Value::Timestamp(Timestamp::from(digits.parse::<i64>().unwrap())),
            Kind::Symbol | Kind::Other => Value::Int(digits.parse().unwrap()),
        }
    }

    fn worded(&mut self) -> Term {
        let word = self.word();
        if let Some(uuid) = word.strip_prefix("uuid:") {
            let bytes: [u8; 16] = unhex(&uuid.replace('-', "")).try_into().unwrap();
            return Term::Exact(Value::Uuid(Uuid::from(bytes)));
        }
        Term::Exact(match word {
            "null" => Value::Null,
            "true" | "receiver" => Value::Bool(true),
            "false" | "sender" => Value::Bool(false),
            "json" => {
                self.rest = self.rest.trim_start();
                return Term::Json(serde_json::from_str(&self.quoted('\'')).unwrap());
            }
            "message" => {
                self.expects("(");
                let mut sections = vec![self.section()];
                while self.takes("|") {
                    sections.push(self.section());
                }
                self.expects(")");
                return Term::Message(sections);
            }
            "described" => {
                self.expects("(");
                let descriptor = match self.term(Kind::Ulong) {
                    Term::Exact(Value::Symbol(name)) => Descriptor::Name(name),
                    Term::Exact(Value::Ulong(code)) => Descriptor::Code(code),
                    other => panic!("{other:?} is no descriptor"),
                };
                self.expects(",");
                let Term::Exact(value) = self.term(Kind::Other) else {
                    panic!("an open value with a descriptor")
                };
                self.expects(")");
                Value::Described(Box::new(serde_amqp::described::Described { descriptor, value }))
            }
            name => {
                let composite = composite(name);
                if !self.takes("(") {
                    return nothing_of(composite);
                }
                let fields = self.fields(composite);
                self.expects(")");
                return fields;
            }
        })
    }
}

fn nothing_of(composite: &'static Composite) -> Term {
    Term::Composite {
        composite,
        fields: Vec::new(),
        has_rest: false,
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}
