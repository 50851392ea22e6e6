//! Requests and answers as bytes, read by the rules of HTTP/1.1 and by nothing that a client library would add.

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The client's end of a connection.
pub(crate) struct Connection<S> {
    stream: S,
    read: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status line and the headers, letter for letter.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next answer with its whole body.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let mut answer = Answer { head, body: Vec::new() };
        if answer.status() == 204 || answer.status() < 200 {
            assert_eq!(answer.header("content-length"), None, "{}", answer.head);
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().unwrap();
            self.fill(length).await;
            answer.body = self.read.drain(..length).collect();
        } else {
            assert_eq!(answer.header("transfer-encoding"), Some("chunked"), "{}", answer.head);
            while let Some(chunk) = self.chunk().await {
                answer.body.extend(chunk);
            }
        }
        answer
    }

    /// The head of the next answer.
    pub(crate) async fn head(&mut self) -> String {
        let end = self.find(b"\r\n\r\n").await;
        let head: Vec<u8> = self.read.drain(..end + 4).collect();
        String::from_utf8(head).unwrap()
    }

    /// The next chunk of a chunked body; `None` for the last.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = self.find(b"\r\n").await;
        let size = String::from_utf8(self.read.drain(..end + 2).collect()).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        self.fill(size + 2).await;
        let chunk = self.read.drain(..size).collect();
        self.read.drain(..2);
        (size > 0).then_some(chunk)
    }

    /// Reads so many bytes and forgets them.
    pub(crate) async fn skip(&mut self, len: usize) {
        self.fill(len).await;
        self.read.drain(..len);
    }

    /// Has the server closed the connection, with nothing left to read?
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        self.read.is_empty() && matches!(self.stream.read(&mut byte).await, Ok(0) | Err(_))
    }

    /// How many bytes come until the server ends the connection.
    pub(crate) async fn rest(&mut self) -> usize {
        let mut buffer = vec![0; 64 * 1024];
        let mut len = self.read.len();
        while let Ok(read @ 1..) = self.stream.read(&mut buffer).await {
            len += read;
        }
        len
    }

    async fn find(&mut self, needle: &[u8]) -> usize {
        loop {
            let mut windows = self.read.windows(needle.len());
            if let Some(at) = windows.position(|window| window == needle) {
                return at;
            }
            self.fill(self.read.len() + 1).await;
        }
    }

    async fn fill(&mut self, len: usize) {
        while self.read.len() < len {
            let mut buffer = [0; 4096];
            let read = self.stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "the connection ended within an answer");
            self.read.extend(&buffer[..read]);
        }
    }
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// A header by its name in any letter case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Is there a header spelled exactly so?
    pub(crate) fn has_line(&self, line: &str) -> bool {
        self.head.lines().any(|other| other == line)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The status, which is a success.
    #[track_caller]
    pub(crate) fn ok(self, status: u16) -> Self {
        assert_eq!(self.status(), status, "{}{}", self.head, self.text());
        self
    }

    /// An error in the flat form.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, name: &str) {
        let body = self.json();
        let message = body["Message"].as_str().unwrap();
        let tracking = body["ExceptionMessage"].as_str().unwrap();
        assert_eq!(self.status(), status, "{}{}", self.head, self.text());
        assert_eq!(self.header("iothub-errorcode"), Some(name));
        assert!(message.starts_with(&format!("ErrorCode:{name};")), "{message}");
        assert!(tracking.starts_with("Tracking ID:"), "{tracking}");
        self.assert_json_type();
    }

    /// An error in the nested form.
    #[track_caller]
    pub(crate) fn refused_nested(&self, code: u32, name: &str) -> Value {
        let body = self.json();
        let nested: Value = serde_json::from_str(body["Message"].as_str().unwrap()).unwrap();
        assert_eq!(u32::from(self.status()), code / 1000, "{}{}", self.head, self.text());
        assert_eq!(self.header("iothub-errorcode"), Some(name));
        assert_eq!(nested["errorCode"], code);
        assert_eq!(body["ExceptionMessage"], "");
        self.assert_json_type();
        nested
    }

    #[track_caller]
    fn assert_json_type(&self) {
        assert_eq!(self.header("content-type"), Some("application/json; charset=utf-8"));
    }
}
