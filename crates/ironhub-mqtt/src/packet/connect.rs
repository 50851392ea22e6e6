use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use super::{PacketKind, QoS};
use crate::error::{DecodeError, EncodeError};
use crate::reader::Reader;
use crate::writer::{field_bytes, put_field, put_header, text_bytes, topic_bytes};

const PROTOCOL_NAME: &[u8] = b"MQTT";
/// What MQTT 3.1 called itself; recognised so that its clients get a CONNACK.
const PROTOCOL_NAME_3_1: &[u8] = b"MQIsdp";
const PROTOCOL_LEVEL: u8 = 4;

const RESERVED: u8 = 0b0000_0001;
const CLEAN_SESSION: u8 = 0b0000_0010;
const WILL: u8 = 0b0000_0100;
const WILL_QOS_SHIFT: u8 = 3;
const WILL_RETAIN: u8 = 0b0010_0000;
const PASSWORD: u8 = 0b0100_0000;
const USER_NAME: u8 = 0b1000_0000;

/// A client's request for a connection (MQTT 3.1.1, 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// Who the client is; may be empty, which a server may refuse with
    /// [`IdentifierRejected`](super::ConnectRefusal::IdentifierRejected) ([MQTT-3.1.3-8]).
    pub client_id: String,
    /// Whether to forget what is stored for this client and to store nothing.
    pub clean_session: bool,
    /// Longest silence the client promises, in seconds; 0 promises nothing.
    pub keep_alive_s: u16,
    /// What to publish should the client vanish.
    pub will: Option<Will>,
    /// User name and password.
    pub login: Option<Login>,
}

/// The message a server publishes for a client that went away without DISCONNECT (MQTT 3.1.1, 3.1.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Topic to publish to.
    pub topic: String,
    /// Message body, at most 65,535 bytes.
    pub payload: Bytes,
    /// Quality of service to publish with.
    pub qos: QoS,
    /// Whether to publish it as a retained message.
    pub retain: bool,
}

/// User name, and a password that cannot come without one ([MQTT-3.1.2-22]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name; for IoT Hub: host, device, API version.
    pub user_name: String,
    /// The password, absent where a client certificate speaks.
    pub password: Option<Password>,
}

/// A password; it does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Bytes);

impl Password {
    /// Takes the bytes as they are.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The secret itself: for verification, not for logs.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// Appends a CONNECT.
pub fn encode_connect(out: &mut BytesMut, connect: &Connect) -> Result<(), EncodeError> {
    let mut remaining = 2 + PROTOCOL_NAME.len() + 1 + 1 + 2 + text_bytes("client id", &connect.client_id)?;
    if let Some(will) = &connect.will {
        remaining += topic_bytes("will topic", &will.topic)? + field_bytes("will message", &will.payload)?;
    }
    if let Some(login) = &connect.login {
        remaining += text_bytes("user name", &login.user_name)?;
        if let Some(password) = &login.password {
            remaining += field_bytes("password", password.as_bytes())?;
        }
    }
    put_header(out, PacketKind::Connect, 0, remaining)?;
    put_field(out, PROTOCOL_NAME);
    out.put_u8(PROTOCOL_LEVEL);
    out.put_u8(flags(connect));
    out.put_u16(connect.keep_alive_s);
    put_payload(out, connect);
    Ok(())
}

fn flags(connect: &Connect) -> u8 {
    let mut flags = if connect.clean_session { CLEAN_SESSION } else { 0 };
    if let Some(will) = &connect.will {
        flags |= WILL | will.qos.value() << WILL_QOS_SHIFT | if will.retain { WILL_RETAIN } else { 0 };
    }
    if let Some(login) = &connect.login {
        flags |= USER_NAME | if login.password.is_some() { PASSWORD } else { 0 };
    }
    flags
}

fn put_payload(out: &mut BytesMut, connect: &Connect) {
    put_field(out, connect.client_id.as_bytes());
    if let Some(will) = &connect.will {
        put_field(out, will.topic.as_bytes());
        put_field(out, &will.payload);
    }
    if let Some(login) = &connect.login {
        put_field(out, login.user_name.as_bytes());
        if let Some(password) = &login.password {
            put_field(out, password.as_bytes());
        }
    }
}

pub(super) fn decode(mut reader: Reader<'_>) -> Result<Connect, DecodeError> {
    check_protocol(&mut reader)?;
    let flags = reader.u8("connect flags")?;
    check_flags(flags)?;
    let connect = Connect {
        clean_session: flags & CLEAN_SESSION != 0,
        keep_alive_s: reader.u16("keep alive")?,
        client_id: reader.text("client id")?.to_owned(),
        will: decode_will(flags, &mut reader)?,
        login: decode_login(flags, &mut reader)?,
    };
    reader.finish()?;
    Ok(connect)
}

/// The layout after the level belongs to the level, so nothing behind a foreign one is looked at.
fn check_protocol(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let name = reader.bytes("protocol name")?;
    if name != PROTOCOL_NAME && name != PROTOCOL_NAME_3_1 {
        return Err(DecodeError::ProtocolName);
    }
    match (name, reader.u8("protocol level")?) {
        (PROTOCOL_NAME, PROTOCOL_LEVEL) => Ok(()),
        (_, level) => Err(DecodeError::ProtocolLevel(level)),
    }
}

fn check_flags(flags: u8) -> Result<(), DecodeError> {
    let will_qos = flags >> WILL_QOS_SHIFT & 0b11;
    if flags & RESERVED != 0 {
        return Err(DecodeError::ConnectReservedFlag);
    }
    if flags & WILL == 0 && (will_qos != 0 || flags & WILL_RETAIN != 0) {
        return Err(DecodeError::WillFlagsWithoutWill);
    }
    if flags & PASSWORD != 0 && flags & USER_NAME == 0 {
        return Err(DecodeError::PasswordWithoutUserName);
    }
    Ok(())
}

fn decode_will(flags: u8, reader: &mut Reader<'_>) -> Result<Option<Will>, DecodeError> {
    if flags & WILL == 0 {
        return Ok(None);
    }
    Ok(Some(Will {
        qos: QoS::from_bits(flags >> WILL_QOS_SHIFT & 0b11).ok_or(DecodeError::WillQos)?,
        retain: flags & WILL_RETAIN != 0,
        topic: reader.topic("will topic")?.to_owned(),
        payload: Bytes::copy_from_slice(reader.bytes("will message")?),
    }))
}

fn decode_login(flags: u8, reader: &mut Reader<'_>) -> Result<Option<Login>, DecodeError> {
    if flags & USER_NAME == 0 {
        return Ok(None);
    }
    let user_name = reader.text("user name")?.to_owned();
    let password = match flags & PASSWORD {
        0 => None,
        _ => Some(Password(Bytes::copy_from_slice(reader.bytes("password")?))),
    };
    Ok(Some(Login { user_name, password }))
}
