//! Topic filters and what they match (MQTT 3.1.1, 4.7).

use std::fmt;

use thiserror::Error;

use crate::limits::FIELD_BYTES_MAX;

/// A topic filter by the rules of MQTT 3.1.1, 4.7.
///
/// A SUBSCRIBE is decoded without this check, on purpose: IoT Hub allows `+` and `#` in a device id, so a filter like
/// `devices/a+b/messages/devicebound/#` is not a valid MQTT filter and still means one device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopicFilter(Box<str>);

/// Why a text is not a topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidTopicFilter {
    /// It has no character ([MQTT-4.7.3-1]).
    #[error("filter is empty")]
    Empty,
    /// It is longer than a length prefix can say ([MQTT-4.7.3-3]).
    #[error("filter of {0} bytes, limit is 65535")]
    TooLong(usize),
    /// It contains U+0000 ([MQTT-4.7.3-2]).
    #[error("filter contains a NUL character")]
    Nul,
    /// `#` is not the last level ([MQTT-4.7.1-2]).
    #[error("`#` is not the last level")]
    MultiLevelNotLast,
    /// `+` or `#` shares a level with other characters ([MQTT-4.7.1-2], [MQTT-4.7.1-3]).
    #[error("a wildcard shares its level")]
    WildcardWithinLevel,
}

impl TopicFilter {
    /// Checks a filter.
    pub fn parse(filter: &str) -> Result<Self, InvalidTopicFilter> {
        if filter.is_empty() {
            return Err(InvalidTopicFilter::Empty);
        }
        if filter.len() > FIELD_BYTES_MAX {
            return Err(InvalidTopicFilter::TooLong(filter.len()));
        }
        if filter.contains('\0') {
            return Err(InvalidTopicFilter::Nul);
        }
        let mut levels = filter.split('/').peekable();
        while let Some(level) = levels.next() {
            check_level(level, levels.peek().is_none())?;
        }
        Ok(Self(filter.into()))
    }

    /// The filter as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a message to `topic` belongs to this filter.
    ///
    /// A filter that begins with a wildcard matches no topic that begins with `$` ([MQTT-4.7.2-1]); `a/#` matches `a`
    /// itself (4.7.1.2).
    pub fn matches(&self, topic: &str) -> bool {
        if topic.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut levels = topic.split('/');
        for wanted in self.0.split('/') {
            match (wanted, levels.next()) {
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (wanted, Some(level)) if wanted == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn check_level(level: &str, is_last: bool) -> Result<(), InvalidTopicFilter> {
    match level {
        "#" if !is_last => Err(InvalidTopicFilter::MultiLevelNotLast),
        "#" | "+" => Ok(()),
        level if level.contains(['+', '#']) => Err(InvalidTopicFilter::WildcardWithinLevel),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(filter: &str, topic: &str, expected: bool) {
        assert_eq!(
            TopicFilter::parse(filter).unwrap().matches(topic),
            expected,
            "{filter} and {topic}"
        );
    }

    #[test]
    fn matching_as_in_the_specification() {
        check("sport/tennis/player1/#", "sport/tennis/player1", true);
        check("sport/tennis/player1/#", "sport/tennis/player1/ranking", true);
        check("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true);
        check("sport/tennis/player1/#", "sport/tennis/player10", false);
        check("sport/#", "sport", true);
        check("#", "a", true);
        check("#", "/", true);
        check("sport/tennis/+", "sport/tennis/player1", true);
        check("sport/tennis/+", "sport/tennis/player1/ranking", false);
        check("sport/+", "sport", false);
        check("sport/+", "sport/", true);
        check("+/+", "/finance", true);
        check("/+", "/finance", true);
        check("+", "/finance", false);
        check("+/tennis/#", "sport/tennis", true);
        check("ACCOUNTS", "Accounts", false);
        check("a", "a/", false);
        check("a/", "a", false);
        check("a//b", "a/b", false);
        check("a/+/b", "a//b", true);
    }

    #[test]
    fn wildcards_do_not_reach_into_dollar_topics() {
        check("#", "$SYS/x", false);
        check("+/monitor/Clients", "$SYS/monitor/Clients", false);
        check("$SYS/#", "$SYS/", true);
        check("$SYS/monitor/+", "$SYS/monitor/Clients", true);
        check("$iothub/twin/res/#", "$iothub/twin/res/200/?$rid=1", true);
        check("$iothub/methods/POST/#", "$iothub/methods/POST/reboot/?$rid=1a", true);
        check("a/#", "a/$b", true);
    }

    #[track_caller]
    fn check_invalid(filter: &str, expected: InvalidTopicFilter) {
        assert_eq!(TopicFilter::parse(filter), Err(expected), "{filter}");
    }

    #[test]
    fn invalid_filters() {
        check_invalid("", InvalidTopicFilter::Empty);
        check_invalid("a\0", InvalidTopicFilter::Nul);
        check_invalid(&"x".repeat(65_536), InvalidTopicFilter::TooLong(65_536));
        check_invalid("sport/tennis#", InvalidTopicFilter::WildcardWithinLevel);
        check_invalid("sport/tennis/#/ranking", InvalidTopicFilter::MultiLevelNotLast);
        check_invalid("#/", InvalidTopicFilter::MultiLevelNotLast);
        check_invalid("sport+", InvalidTopicFilter::WildcardWithinLevel);
        check_invalid("a/++/b", InvalidTopicFilter::WildcardWithinLevel);
        check_invalid("##", InvalidTopicFilter::WildcardWithinLevel);
        check_invalid("+#", InvalidTopicFilter::WildcardWithinLevel);
        assert!(TopicFilter::parse(&"x".repeat(65_535)).is_ok());
    }

    fn level() -> impl Strategy<Value = String> {
        "[ab$]{0,2}"
    }

    proptest! {
        #[test]
        fn a_topic_matches_itself_and_no_other(one in "[ab/$]{1,8}", other in "[ab/$]{1,8}") {
            let filter = TopicFilter::parse(&one).unwrap();
            prop_assert!(filter.matches(&one));
            prop_assert_eq!(filter.matches(&other), one == other);
        }

        #[test]
        fn a_plus_stands_for_exactly_one_level(
            before in prop::collection::vec(level(), 0..3),
            level in level(),
            after in prop::collection::vec(level(), 0..3),
        ) {
            let join = |middle: &[&str]| {
                before.iter().map(String::as_str).chain(middle.iter().copied()).chain(after.iter().map(String::as_str))
                    .collect::<Vec<_>>().join("/")
            };
            let filter = TopicFilter::parse(&join(&["+"])).unwrap();
            let hidden = before.is_empty() && level.starts_with('$');
            prop_assert_eq!(filter.matches(&join(&[&level])), !hidden);
            prop_assert!(!filter.matches(&join(&[&level, "more"])));
        }

        #[test]
        fn a_number_sign_stands_for_any_tail(
            before in prop::collection::vec(level(), 1..3),
            after in prop::collection::vec(level(), 0..3),
        ) {
            let filter = TopicFilter::parse(&format!("{}/#", before.join("/"))).unwrap();
            prop_assert!(filter.matches(&[before.clone(), after].concat().join("/")));
            let foreign = format!("{}x", before.join("/"));
            prop_assert!(!filter.matches(&foreign));
        }

        #[test]
        fn any_text_is_judged_without_panic(filter in ".{0,40}", topic in ".{0,40}") {
            if let Ok(filter) = TopicFilter::parse(&filter) {
                filter.matches(&topic);
            }
        }
    }
}
