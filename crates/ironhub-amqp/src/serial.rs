//! Arithmetic on numbers that count up for ever and wrap at 32 bits (AMQP 1.0 part 2, §2.8.10).

/// How far `number` is ahead of `base`, negative when it is behind.
pub(crate) fn distance(number: u32, base: u32) -> i64 {
    i64::from(number.wrapping_sub(base).cast_signed())
}

/// What is left of a limit of `granted`, given when the count was `counted_at`, now that it is `count`.
///
/// Peers are taken at their word only so far: a count of theirs that is ahead of ours (rhea's first flow, uamqp's one
/// transfer-id for each delivery) means that nothing is under way.
pub(crate) fn remaining(granted: u32, counted_at: u32, count: u32) -> u32 {
    let under_way = u32::try_from(distance(count, counted_at)).unwrap_or(0);
    granted.saturating_sub(under_way)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_credit() {
        #[track_caller]
        fn check(granted: u32, counted_at: u32, count: u32, expected: u32) {
            assert_eq!(remaining(granted, counted_at, count), expected);
        }
        check(100, 0, 0, 100);
        check(100, 5, 7, 98);
        check(2, 5, 8, 0);
        check(2048, 0, 1, 2047);
        check(u32::MAX, 1, 5, u32::MAX - 4);
        check(10, u32::MAX, 1, 8);
        check(10, 5, 3, 10);
    }
}
