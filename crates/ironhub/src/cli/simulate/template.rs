//! Texts with places that each message fills anew: `{"device":"{device}","n":{n},"temperature":{random 18.0 26.0}}`.

use std::fmt::Write;
use std::str::FromStr;

use ironhub_model::Timestamp;

use crate::cli::dice::Dice;

/// Digits behind the point that a random number may have.
const DECIMALS_MAX: usize = 9;

/// A text that was read once and is filled many times.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Device,
    Number,
    Time,
    Random(Range),
}

/// Numbers from `low` to `high`, both included, with so many digits behind the point.
#[derive(Debug, Clone, PartialEq)]
struct Range {
    low: f64,
    high: f64,
    decimals: usize,
}

/// Why a text is no template; names the place that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTemplate {
    #[error(
        "{{{0}}} is no placeholder: there are {{device}}, {{n}}, {{time}} and {{random MIN MAX}}; write {{{{ for a brace"
    )]
    Unknown(String),
    #[error("{{{0}}} needs two numbers, the lower one first, as in {{random 18.0 26.0}}")]
    Range(String),
}

/// What one message puts into the places.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) device: &'a str,
    /// Counts the device's messages from 1.
    pub(crate) n: u64,
    pub(crate) time: Timestamp,
}

impl Template {
    /// This text, with no places.
    pub(crate) fn of(text: &str) -> Self {
        Self(vec![Part::Text(text.to_owned())])
    }

    /// Does it begin as a JSON object or array does?
    pub(crate) fn looks_like_json(&self) -> bool {
        matches!(self.0.first(), Some(Part::Text(text)) if text.trim_start().starts_with(['{', '[']))
    }

    /// The text of one message.
    pub(crate) fn fill(&self, values: Values<'_>, dice: &mut Dice) -> String {
        let mut text = String::new();
        for part in &self.0 {
            // Writing to a string cannot fail.
            let _ = match part {
                Part::Text(own) => text.write_str(own),
                Part::Device => text.write_str(values.device),
                Part::Number => write!(text, "{}", values.n),
                Part::Time => write!(text, "{}", values.time),
                Part::Random(range) => write!(text, "{:.*}", range.decimals, range.draw(dice)),
            };
        }
        text
    }
}

impl FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, InvalidTemplate> {
        let (mut parts, mut rest, mut own) = (Vec::new(), text, String::new());
        while let Some((before, behind)) = rest.split_once('{') {
            own.push_str(before);
            if let Some(behind) = behind.strip_prefix('{') {
                own.push('{');
                rest = behind;
                continue;
            }
            let Some((place, behind)) = place(behind) else {
                own.push('{');
                rest = behind;
                continue;
            };
            push_text(&mut parts, std::mem::take(&mut own));
            parts.push(Part::parse(place)?);
            rest = behind;
        }
        own.push_str(rest);
        push_text(&mut parts, own);
        Ok(Self(parts))
    }
}

/// What stands between this brace and the next one, when it begins with a letter: JSON's braces never do.
fn place(behind: &str) -> Option<(&str, &str)> {
    behind
        .starts_with(|first: char| first.is_ascii_alphabetic())
        .then(|| behind.split_once('}'))
        .flatten()
}

fn push_text(parts: &mut Vec<Part>, text: String) {
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
}

impl Part {
    fn parse(place: &str) -> Result<Self, InvalidTemplate> {
        let words: Vec<&str> = place.split_whitespace().collect();
        match words.as_slice() {
            ["device"] => Ok(Self::Device),
            ["n"] => Ok(Self::Number),
            ["time"] => Ok(Self::Time),
            ["random", low, high] => Range::parse(low, high)
                .map(Self::Random)
                .ok_or_else(|| InvalidTemplate::Range(place.to_owned())),
            ["random", ..] => Err(InvalidTemplate::Range(place.to_owned())),
            _ => Err(InvalidTemplate::Unknown(place.to_owned())),
        }
    }
}

impl Range {
    fn parse(low: &str, high: &str) -> Option<Self> {
        let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
        let decimals = |text: &str| text.split_once('.').map_or(0, |(_, digits)| digits.len());
        let range = Self {
            low: number(low)?,
            high: number(high)?,
            decimals: decimals(low).max(decimals(high)).min(DECIMALS_MAX),
        };
        (range.low <= range.high).then_some(range)
    }

    fn draw(&self, dice: &mut Dice) -> f64 {
        // Half a step beyond each end, so that the ends are as likely as the rest once rounded.
        let step = 0.1_f64.powi(i32::try_from(self.decimals).unwrap_or_default());
        let wide = self.low - step / 2.0 + dice.draw() * (self.high - self.low + step);
        wide.clamp(self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, InvalidTemplate> {
        let values = Values {
            device: "d",
            n: 7,
            time: Timestamp::UNIX_EPOCH,
        };
        Ok(text.parse::<Template>()?.fill(values, &mut Dice::of(1)))
    }

    #[test]
    fn places_are_filled_and_braces_of_json_are_left_alone() {
        for (text, expected) in [
            ("", ""),
            ("ping #{n}", "ping #7"),
            (r#"{"d":"{device}","in":{"n":{n}}}"#, r#"{"d":"d","in":{"n":7}}"#),
            ("{time}", "1970-01-01T00:00:00Z"),
            ("{random 5 5}|{random -0.50 -0.50}", "5|-0.50"),
            ("{{n} { n} {", "{n} { n} {"),
        ] {
            assert_eq!(fill(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn wrong_places_are_named() {
        for (text, expected) in [
            ("{device} {devcie}", InvalidTemplate::Unknown("devcie".to_owned())),
            ("{random}", InvalidTemplate::Range("random".to_owned())),
            ("{random 2 1}", InvalidTemplate::Range("random 2 1".to_owned())),
            ("{random 1 inf}", InvalidTemplate::Range("random 1 inf".to_owned())),
        ] {
            assert_eq!(fill(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn random_numbers_reach_both_ends_and_no_further() {
        let mut dice = Dice::of(2);
        let range = Range::parse("-1", "1.0").unwrap();
        assert_eq!(range.decimals, 1);
        let drawn: Vec<f64> = (0..2000).map(|_| range.draw(&mut dice)).collect();
        assert!(drawn.iter().all(|number| (-1.0..=1.0).contains(number)));
        let texts: std::collections::BTreeSet<String> = drawn.iter().map(|number| format!("{number:.1}")).collect();
        // -1.0 to 1.0 in steps of 0.1; rounding makes a zero of either sign.
        assert!(texts.contains("-1.0") && texts.contains("1.0"), "{texts:?}");
        assert!((21..=22).contains(&texts.len()), "{texts:?}");
    }
}
