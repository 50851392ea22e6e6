//! What a reader asks for.

use ironhub_model::{ConsumerGroup, Offset, PartitionId, SequenceNumber, Timestamp};

use crate::https::error::InvalidRequest;
use crate::https::path::Parameters;

/// Where to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With the first event that comes from now on.
    Latest,
    /// With the oldest that is still there.
    Earliest,
    /// With the event of this position.
    At(SequenceNumber),
    /// With the first event taken at this instant or later.
    Since(Timestamp),
}

/// How the answer is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, `application/x-ndjson`.
    Ndjson,
    /// Server-sent events.
    Sse,
}

/// A reader's wishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsRequest {
    /// As whom to read.
    pub consumer_group: String,
    /// One partition, or all of them merged.
    pub partition: Option<PartitionId>,
    /// Where to start.
    pub from: From,
    /// Wait for further events when all are read? `None` leaves it to the format.
    pub follow: Option<bool>,
    /// End after so many events.
    pub max: Option<u64>,
}

impl EventsRequest {
    /// Reads the query of the request. `last_event_id` is what a browser sends when it connects again after a
    /// server-sent event with that ID: `{partition}:{offset}`; it counts where one partition is read.
    pub fn parse(parameters: Parameters<'_>, last_event_id: Option<&str>) -> Result<Self, InvalidRequest> {
        let group = parameters.value("consumerGroup").filter(|name| !name.is_empty());
        let partition = parameters.value("partition").filter(|text| !text.is_empty());
        let from = parameters.value("from").filter(|text| !text.is_empty());
        let partition = partition
            .map(|text| number("partition", &text))
            .transpose()?
            .map(PartitionId);
        let mut from = from.map_or(Ok(From::Latest), |text| start(&text))?;
        if partition.is_none() && matches!(from, From::At(_)) {
            let what = "an offset belongs to a partition: name it by partition";
            return Err(InvalidRequest::Argument(what.into()));
        }
        if let Some(sequence) = partition.and_then(|partition| resumed(partition, last_event_id)) {
            from = From::At(sequence);
        }
        Ok(Self {
            consumer_group: group.map_or_else(|| ConsumerGroup::DEFAULT.to_owned(), Into::into),
            partition,
            from,
            follow: parameters.value("follow").map(|text| flag(&text)).transpose()?,
            max: parameters.value("max").map(|text| number("max", &text)).transpose()?,
        })
    }
}

fn start(text: &str) -> Result<From, InvalidRequest> {
    if text.eq_ignore_ascii_case("latest") {
        return Ok(From::Latest);
    }
    if text.eq_ignore_ascii_case("earliest") {
        return Ok(From::Earliest);
    }
    let offset = Offset::parse(text).map(|Offset(sequence)| From::At(sequence));
    let since = || Timestamp::parse(text).ok().map(From::Since);
    offset.or_else(since).ok_or_else(|| {
        let expected = "latest, earliest, an offset or an RFC 3339 time";
        InvalidRequest::Argument(format!("from {text:?} is not {expected}"))
    })
}

fn resumed(partition: PartitionId, last_event_id: Option<&str>) -> Option<SequenceNumber> {
    let (of, offset) = last_event_id?.split_once(':')?;
    let Offset(sequence) = Offset::parse(offset)?;
    (of == partition.to_string()).then(|| sequence.next())
}

fn flag(text: &str) -> Result<bool, InvalidRequest> {
    match text {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(InvalidRequest::Argument(format!(
            "follow {text:?} is not true or false"
        ))),
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, InvalidRequest> {
    text.parse()
        .map_err(|_| InvalidRequest::Argument(format!("{name} {text:?} is not a number")))
}

/// What a reader accepts: server-sent events when its header `Accept` names them.
pub fn preferred_format(accept: Option<&str>) -> Format {
    let media_types = accept.unwrap_or_default().split(',');
    let mut media_types = media_types.map(|entry| entry.split(';').next().unwrap_or_default().trim());
    if media_types.any(|media_type| media_type.eq_ignore_ascii_case("text/event-stream")) {
        Format::Sse
    } else {
        Format::Ndjson
    }
}

impl Format {
    /// The content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson; charset=utf-8",
            Self::Sse => "text/event-stream; charset=utf-8",
        }
    }

    /// Does a reader that does not say wait for further events?
    pub fn follows(self) -> bool {
        matches!(self, Self::Sse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, last_event_id: Option<&str>, expected: &str) {
        let shown = match EventsRequest::parse(Parameters::new(Some(query)), last_event_id) {
            Ok(EventsRequest {
                consumer_group,
                partition,
                from,
                follow,
                max,
            }) => format!("{consumer_group} {partition:?} {from:?} {follow:?} {max:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{query}");
    }

    #[test]
    fn requests() {
        check("", None, "$Default None Latest None None");
        check(
            "consumerGroup=%24Default&partition=&from=Earliest&follow=false&max=10",
            None,
            "$Default None Earliest Some(false) Some(10)",
        );
        check(
            "ConsumerGroup=mine&partition=3&from=42&follow",
            None,
            "mine Some(PartitionId(3)) At(SequenceNumber(42)) Some(true) None",
        );
        check(
            "from=2021-05-13T07:41:20%2B00:00",
            None,
            "$Default None Since(2021-05-13T07:41:20Z) None None",
        );
        check("from=5", None, "an offset belongs to a partition: name it by partition");
        check("partition=x", None, "partition \"x\" is not a number");
        check(
            "from=soon",
            None,
            "from \"soon\" is not latest, earliest, an offset or an RFC 3339 time",
        );
        check("follow=maybe", None, "follow \"maybe\" is not true or false");
    }

    #[test]
    fn a_reader_that_comes_again_goes_on_behind_its_last_event() {
        let from_8 = "$Default Some(PartitionId(1)) At(SequenceNumber(8)) None None";
        check("partition=1&from=earliest", Some("1:7"), from_8);
        let earliest = "$Default Some(PartitionId(1)) Earliest None None";
        check("partition=1&from=earliest", Some("2:7"), earliest);
        check("partition=1&from=earliest", Some("x"), earliest);
        check("from=earliest", Some("1:7"), "$Default None Earliest None None");
    }

    #[test]
    fn formats() {
        for (accept, expected) in [
            (None, Format::Ndjson),
            (Some("*/*"), Format::Ndjson),
            (Some("application/json, Text/Event-Stream;q=0.9"), Format::Sse),
        ] {
            assert_eq!(preferred_format(accept), expected, "{accept:?}");
        }
    }
}
