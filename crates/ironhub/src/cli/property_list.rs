//! `--props "k=v;k2=v2"`: properties of a message on the command line.

use std::str::FromStr;

/// Properties in their order; a name occurs once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PropertyList(pub(crate) Vec<(String, String)>);

impl FromStr for PropertyList {
    type Err = String;

    /// Of two properties with one name the last one counts, as with the Azure command line.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut properties: Vec<(String, String)> = Vec::new();
        for part in text.split(';').filter(|part| !part.trim().is_empty()) {
            let (name, value) = part
                .split_once('=')
                .map(|(name, value)| (name.trim(), value))
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| format!("{part:?} is not name=value; separate properties by ';'"))?;
            properties.retain(|(known, _)| known != name);
            properties.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self(properties))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let PropertyList(found) = text.parse().unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn lists() {
        check("", &[]);
        check("k0=v0;k1=v1", &[("k0", "v0"), ("k1", "v1")]);
        check(" k = v ;", &[("k", " v ")]);
        check(
            "$.ct=a/b;eq=a=b;empty=",
            &[("$.ct", "a/b"), ("eq", "a=b"), ("empty", "")],
        );
        check("k=1;other=2;k=3", &[("other", "2"), ("k", "3")]);
    }

    #[test]
    fn what_is_no_pair_is_named() {
        for text in ["k", "k=v;alert", "=v"] {
            let refused = text.parse::<PropertyList>().unwrap_err();
            assert!(refused.contains("is not name=value"), "{refused}");
        }
    }
}
