//! Request targets: the path, decoded once or twice, and the query.

use std::borrow::Cow;

use ironhub_model::percent;

/// The texts that a raw path may mean, likeliest first: decoded once, and decoded again where that changes anything.
/// Azure IoT Explorer encodes whole paths, slashes included, and device IDs twice. Whoever acts on one of them
/// authorizes the caller for that very one. Empty when the path is not UTF-8 once decoded.
pub fn candidates(raw: &str) -> Vec<String> {
    let Some(once) = percent::decode(raw) else {
        return Vec::new();
    };
    let mut candidates = vec![once.clone().into_owned()];
    if let Some(twice) = percent::decode(&once).filter(|twice| *twice != once) {
        candidates.push(twice.into_owned());
    }
    candidates
}

/// The segments of a decoded path; a slash at its end does not count. `None` unless it begins with a slash.
pub(super) fn segments(path: &str) -> Option<Vec<&str>> {
    let inner = path.strip_prefix('/')?;
    Some(inner.strip_suffix('/').unwrap_or(inner).split('/').collect())
}

/// The part of a request target behind `?`. Names compare without letter case; unknown ones are ignored.
#[derive(Debug, Clone, Copy)]
pub struct Parameters<'a>(&'a str);

impl<'a> Parameters<'a> {
    /// The query of a request; empty when there is none.
    pub fn new(query: Option<&'a str>) -> Self {
        Self(query.unwrap_or_default())
    }

    /// The first value under this name, decoded once; empty when the name stands alone.
    pub fn value(self, name: &str) -> Option<Cow<'a, str>> {
        self.0.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = percent::decode(key)?;
            if key.eq_ignore_ascii_case(name) {
                percent::decode(value)
            } else {
                None
            }
        })
    }

    /// Is a version of the API named, and is it a date, perhaps with a suffix like `-preview`? Any version will do.
    pub fn has_api_version(self) -> bool {
        self.value("api-version")
            .is_some_and(|version| is_api_version(&version))
    }

    /// Does the device reject its message? `&reject`, `&reject=true`, and `&%3Freject=true` as Java sends it.
    pub fn rejects(self) -> bool {
        self.value("reject").or_else(|| self.value("?reject")).is_some()
    }
}

fn is_api_version(text: &str) -> bool {
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = text.splitn(4, '-').collect();
    let (date, suffix) = match parts.as_slice() {
        [year, month, day] => ([*year, *month, *day], None),
        [year, month, day, suffix] => ([*year, *month, *day], Some(*suffix)),
        _ => return false,
    };
    let is_date = date.map(str::len) == [4, 2, 2] && date.into_iter().all(is_digits);
    is_date && suffix.is_none_or(|suffix| !suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once_and_perhaps_twice() {
        for (raw, expected) in [
            ("/devices/d", &["/devices/d"][..]),
            ("/devices/%24edgeAgent", &["/devices/$edgeAgent"]),
            ("/devices%2Fquery", &["/devices/query"]),
            ("/devices%2Fa%253Ab", &["/devices/a%3Ab", "/devices/a:b"]),
            ("/devices/100%", &["/devices/100%"]),
            ("/devices/%FF", &[]),
        ] {
            assert_eq!(candidates(raw), expected, "{raw}");
        }
    }

    #[test]
    fn api_versions_are_dates() {
        for (query, expected) in [
            ("api-version=2021-04-12", true),
            ("x=1&API-Version=2017-11-08-preview", true),
            ("api-version=2020-05-31-preview&top=5", true),
            ("", false),
            ("api-version=", false),
            ("api-version", false),
            ("api-version=latest", false),
            ("api-version=2021-4-12", false),
            ("api-version=2021-04-12-", false),
            ("api-version=2021-04-1x", false),
        ] {
            assert_eq!(Parameters::new(Some(query)).has_api_version(), expected, "{query}");
        }
        assert!(!Parameters::new(None).has_api_version());
    }

    #[test]
    fn rejection_in_three_spellings() {
        for (query, expected) in [
            ("api-version=2021-04-12&reject", true),
            ("api-version=2019-10-01&reject=true", true),
            ("api-version=2020-09-30&%3Freject=true", true),
            ("api-version=2020-09-30&rejected=true", false),
        ] {
            assert_eq!(Parameters::new(Some(query)).rejects(), expected, "{query}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(raw: String, query: String) {
            for candidate in candidates(&raw) {
                let _ = segments(&candidate);
            }
            let _ = Parameters::new(Some(&query)).has_api_version();
        }
    }
}
