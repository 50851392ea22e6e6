//! The body of a message: text of the command line, a file, or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use ironhub_client::Error;
use serde::de::IgnoredAny;

use super::failure::Failure;
use super::text_encoding::TextEncoding;

/// The flags that give a message its body.
#[derive(Debug, Args)]
pub(crate) struct MessageBody {
    /// The body; `@` and a file's name stand for the text in it, `@-` for standard input
    #[arg(long, visible_alias = "da", value_name = "TEXT", conflicts_with = "data_file_path")]
    #[arg(default_value = "Ping from the IronHub CLI")]
    data: String,
    /// Read the body from this file; its bytes as they are with the content type `application/octet-stream`
    #[arg(long, visible_alias = "dfp", value_name = "FILE")]
    data_file_path: Option<PathBuf>,
}

/// What a body shall be.
pub(crate) struct BodyForm<'a> {
    pub(crate) content_type: Option<&'a str>,
    pub(crate) content_encoding: Option<&'a str>,
    pub(crate) bytes_max: usize,
}

impl MessageBody {
    /// The bytes to send: text in the encoding that is declared, checked where it is declared to be JSON.
    pub(crate) fn read(&self, form: &BodyForm<'_>) -> Result<Vec<u8>, Failure> {
        let (bytes, place) = match (&self.data_file_path, self.data.strip_prefix('@')) {
            (Some(path), _) => (read(path, form.bytes_max)?, path.display().to_string()),
            (None, Some("-")) => (read_input(form.bytes_max)?, "standard input".to_owned()),
            (None, Some(path)) if Path::new(path).is_file() => {
                (read(Path::new(path), form.bytes_max)?, path.to_owned())
            }
            // Also what begins with @ and names no file, as with `az`.
            (None, _) => return form.encode(&self.data),
        };
        if form.is("application/octet-stream") {
            return Ok(bytes);
        }
        let text = String::from_utf8(bytes).map_err(|_| {
            let message = format!("{place} is not text in UTF-8");
            Failure::usage(message).with_hint("send bytes with the content type application/octet-stream")
        })?;
        form.encode(&text)
    }
}

impl BodyForm<'_> {
    fn is(&self, content_type: &str) -> bool {
        let own = self.content_type.unwrap_or_default().to_ascii_lowercase();
        own.contains(content_type)
    }

    fn encode(&self, text: &str) -> Result<Vec<u8>, Failure> {
        if self.is("application/json") {
            serde_json::from_str::<IgnoredAny>(text)
                .map_err(|error| Failure::usage(format!("the body is declared to be JSON and is not: {error}")))?;
        }
        let encoding = self.content_encoding.and_then(TextEncoding::parse);
        Ok(encoding.unwrap_or(TextEncoding::Utf8).encode(text))
    }
}

fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let unread = |error: io::Error| Failure::usage(format!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(unread)?;
    let told = file.metadata().map_err(unread)?.len();
    bounded(take(file, bytes_max).map_err(unread)?, told, bytes_max)
}

fn read_input(bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let unread = |error: io::Error| Failure::usage(format!("cannot read standard input: {error}"));
    bounded(take(io::stdin().lock(), bytes_max).map_err(unread)?, 0, bytes_max)
}

/// Reads no more than one byte beyond what a message may have.
fn take(from: impl Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Refuses what is too large; `told` bytes are there, as far as that is known.
fn bounded(bytes: Vec<u8>, told: u64, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    if bytes.len() > bytes_max {
        let bytes = usize::try_from(told).unwrap_or(usize::MAX).max(bytes.len());
        return Err(Error::MessageTooLarge { bytes, bytes_max }.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, content_type: Option<&str>, encoding: &str, expected: Result<&[u8], &str>) {
        let body = MessageBody {
            data: text.into(),
            data_file_path: None,
        };
        let form = BodyForm {
            content_type,
            content_encoding: Some(encoding),
            bytes_max: 16,
        };
        match (body.read(&form), expected) {
            (Ok(read), Ok(expected)) => assert_eq!(read, expected),
            (Err(failure), Err(message)) => assert!(failure.to_string().contains(message), "{failure}"),
            (read, expected) => panic!("{text}: {read:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn texts() {
        check("é", None, "utf-8", Ok(b"\xC3\xA9"));
        check("a", None, "UTF-16", Ok(b"\xFF\xFEa\0"));
        check("a", None, "gzip", Ok(b"a"));
        check(
            "{\"t\": 1}",
            Some("Application/JSON; charset=utf-8"),
            "utf-8",
            Ok(b"{\"t\": 1}"),
        );
        check(
            "{t: 1}",
            Some("application/json"),
            "utf-8",
            Err("is declared to be JSON and is not"),
        );
    }

    #[test]
    fn files() {
        let directory = tempfile::tempdir().unwrap();
        let read = |name: &str, content: Option<&[u8]>, content_type| {
            let path = directory.path().join(name);
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let body = MessageBody {
                data: String::new(),
                data_file_path: Some(path),
            };
            let form = BodyForm {
                content_type,
                content_encoding: None,
                bytes_max: 4,
            };
            body.read(&form).map_err(|failure| failure.to_string())
        };
        let bytes = Some("application/octet-stream");
        assert_eq!(read("a", Some(b"text"), None), Ok(b"text".into()));
        assert_eq!(read("b", Some(b"\xFF"), bytes), Ok(b"\xFF".into()));
        assert!(
            read("b", Some(b"\xFF"), None)
                .unwrap_err()
                .ends_with("b is not text in UTF-8")
        );
        assert_eq!(
            read("c", Some(b"too large"), bytes).unwrap_err(),
            "the message has 9 bytes; at most 4 are allowed"
        );
        assert!(read("none", None, None).unwrap_err().starts_with("cannot read "));
        let named = directory.path().join("a").display().to_string();
        check(&format!("@{named}"), None, "utf-8", Ok(b"text"));
        check("@nofile", None, "utf-8", Ok(b"@nofile"));
    }
}
