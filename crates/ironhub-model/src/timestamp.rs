//! Points in time as the hub stores and prints them.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Microseconds since the Unix epoch, UTC; never before [`Timestamp::NEVER`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not a date and time with a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 date and time")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// `0001-01-01T00:00:00Z`, which the service prints where something never happened.
    pub const NEVER: Self = Self(-62_135_596_800_000_000);
    /// The Unix epoch.
    pub const UNIX_EPOCH: Self = Self(0);
    /// The last instant that four-digit years can print: end of the year 9999.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// From microseconds since the Unix epoch, clamped to the printable range.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::NEVER.0 {
            Self::NEVER
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// From milliseconds since the Unix epoch, clamped to the printable range.
    pub const fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1000))
    }

    /// From seconds since the Unix epoch, clamped to the printable range.
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_micros(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, rounded down: the unit of AMQP timestamps.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Seconds since the Unix epoch, rounded down: the unit of `se` in SAS tokens.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Parses RFC 3339; a missing zone means UTC, as Microsoft's command line sends it for job start times.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339)
            .or_else(|_| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339))
            .map_err(|_| InvalidTimestamp)?;
        let micros = parsed.unix_timestamp_nanos().div_euclid(1000);
        i64::try_from(micros)
            .map(Self::from_micros)
            .map_err(|_| InvalidTimestamp)
    }

    /// With all seven digits, `2022-09-28T22:52:11.0383710Z`: the .NET round-trip form that the .NET device SDK
    /// demands of `$.exp` and `$.ctime` (`Azure/azure-iot-sdk-csharp`, `MqttIotHubAdapter.cs`).
    pub fn to_round_trip(self) -> String {
        let (seconds, micros) = self.split();
        format!("{seconds}.{micros:06}0Z")
    }

    /// The instant `duration` later, at most [`Timestamp::MAX`].
    pub fn saturating_add(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// The instant `duration` earlier, at least [`Timestamp::NEVER`].
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }

    /// How long after `earlier` this instant is; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// .NET ticks (100 ns since year 1), the form of generation IDs.
    pub const fn dotnet_ticks(self) -> i64 {
        self.0.saturating_sub(Self::NEVER.0).saturating_mul(10)
    }

    fn split(self) -> (String, i64) {
        let secs = self.0.div_euclid(1_000_000);
        let micros = self.0.rem_euclid(1_000_000);
        let when = OffsetDateTime::from_unix_timestamp(secs).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let text = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            when.year(),
            u8::from(when.month()),
            when.day(),
            when.hour(),
            when.minute(),
            when.second()
        );
        (text, micros)
    }
}

/// To the microsecond, clamped to the printable range.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Self::UNIX_EPOCH.saturating_add(after),
            Err(before) => Self::UNIX_EPOCH.saturating_sub(before.duration()),
        }
    }
}

impl fmt::Display for Timestamp {
    /// UTC with the fraction's trailing zeros trimmed, as Azure IoT Hub prints times in JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = self.split();
        if micros == 0 {
            write!(f, "{seconds}Z")
        } else {
            write!(f, "{seconds}.{}Z", format!("{micros:06}").trim_end_matches('0'))
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, printed: &str, round_trip: &str) {
        let parsed = Timestamp::parse(text).unwrap();
        assert_eq!(parsed.to_string(), printed);
        assert_eq!(parsed.to_round_trip(), round_trip);
    }

    #[test]
    fn prints_as_the_service_does() {
        check(
            "2021-05-13T07:41:20.736671Z",
            "2021-05-13T07:41:20.736671Z",
            "2021-05-13T07:41:20.7366710Z",
        );
        check(
            "2022-09-28T22:52:11Z",
            "2022-09-28T22:52:11Z",
            "2022-09-28T22:52:11.0000000Z",
        );
        check(
            "2022-09-28T22:52:11.5+02:00",
            "2022-09-28T20:52:11.5Z",
            "2022-09-28T20:52:11.5000000Z",
        );
        check(
            "2026-01-01T00:00:00.120",
            "2026-01-01T00:00:00.12Z",
            "2026-01-01T00:00:00.1200000Z",
        );
        check(
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00.0000000Z",
        );
    }

    #[test]
    fn the_clock_of_the_system() {
        let epoch = SystemTime::UNIX_EPOCH;
        let before = Duration::from_nanos(500_000_001);
        assert_eq!(Timestamp::from(epoch + before).to_string(), "1970-01-01T00:00:00.5Z");
        assert_eq!(Timestamp::from(epoch - before).to_string(), "1969-12-31T23:59:59.5Z");
    }

    #[test]
    fn never_is_year_one() {
        assert_eq!(Timestamp::parse("0001-01-01T00:00:00Z"), Ok(Timestamp::NEVER));
        assert_eq!(Timestamp::NEVER.dotnet_ticks(), 0);
        assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::NEVER);
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn refuses_what_is_not_a_time() {
        for text in ["", "now", "2021-05-13", "2021-13-13T00:00:00Z", "1620891680"] {
            assert_eq!(Timestamp::parse(text), Err(InvalidTimestamp), "{text}");
        }
    }
}
