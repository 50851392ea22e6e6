//! Lock tokens as delivery tags.

use ironhub_amqp::performative::DeliveryTag;
use ironhub_model::LockToken;

/// The tag of a delivery that is settled by its lock token: 16 bytes, of which .NET makes a `Guid` and shows that to its
/// user as the lock token. Its first three groups are little-endian there (`System.Guid(byte[])`), so that the text of
/// both is the same.
pub fn delivery_tag(token: LockToken) -> DeliveryTag {
    let mut tag = token.bytes();
    let (first, rest) = tag.split_at_mut(4);
    let (second, rest) = rest.split_at_mut(2);
    let (third, _) = rest.split_at_mut(2);
    for group in [first, second, third] {
        group.reverse();
    }
    DeliveryTag::from(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_guids_in_dotnet_byte_order() {
        // The example of the documentation of `Guid.ToByteArray`.
        let token = LockToken::parse("35918bc9-196d-40ea-9779-889d79b753f0").unwrap();
        let expected = [
            0xC9, 0x8B, 0x91, 0x35, 0x6D, 0x19, 0xEA, 0x40, 0x97, 0x79, 0x88, 0x9D, 0x79, 0xB7, 0x53, 0xF0,
        ];
        assert_eq!(delivery_tag(token).as_bytes(), expected);
    }
}
