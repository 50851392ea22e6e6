use hyper::Uri;
use hyper::header::HeaderValue;

/// Whose pages may call the hub from a browser. Requests without `Origin`, such as those of SDKs, are not asked; the
/// Python device SDK names the hub itself.
#[derive(Debug, Clone, Default)]
pub struct AllowedOrigins {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl AllowedOrigins {
    /// `hosts` are the hub's own names, allowed with any scheme and port; `origins` are others, given in full.
    pub fn new(hosts: Vec<String>, origins: Vec<String>) -> Self {
        Self { hosts, origins }
    }

    pub(super) fn allow(&self, origin: Option<&HeaderValue>) -> bool {
        let Some(origin) = origin else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        let is_listed = self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin));
        is_listed || self.is_own(origin)
    }

    fn is_own(&self, origin: &str) -> bool {
        let Ok(uri) = origin.parse::<Uri>() else { return false };
        let (Some(_), Some(host)) = (uri.scheme(), uri.host()) else {
            return false;
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(origin: &str, expected: bool) {
        let allowed = AllowedOrigins::new(
            vec!["hub.example.test".into(), "127.0.0.1".into(), "::1".into()],
            vec!["https://console.example.test".into()],
        );
        let header = HeaderValue::from_str(origin).unwrap();
        assert_eq!(allowed.allow(Some(&header)), expected, "{origin}");
    }

    #[test]
    fn origins() {
        check("https://hub.example.test:443", true);
        check("https://HUB.example.test", true);
        check("http://127.0.0.1:9600", true);
        check("https://[::1]:8443", true);
        check("https://console.example.test", true);
        check("https://console.example.test:444", false);
        check("https://evil.example", false);
        check("https://hub.example.test.evil.example", false);
        check("https://hub.example.test@evil.example", false);
        check("null", false);
        check("hub.example.test", false);
        check("", false);
        assert!(AllowedOrigins::default().allow(None));
    }
}
