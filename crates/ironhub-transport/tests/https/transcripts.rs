//! The conversations of `conformance/transcripts/https`, whose README explains the notation.

use std::time::Duration;

use ironhub_hub::{Features, LinkEvent, LinkOptions};
use ironhub_model::{IdentityId, MethodResponse};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::exchange::Answer;
use crate::json_pattern::{self, Names};
use crate::stage::{HOST, Stage};

/// Far longer than any step takes.
const WATCHDOG: Duration = Duration::from_mins(1);

macro_rules! transcripts {
    ($($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            replay(include_str!(concat!("../../../../conformance/transcripts/https/", stringify!($name), ".txt"))).await;
        }
    )*};
}

transcripts! { c_service iothub_explorer }

/// A line with an arrow or an exclamation mark, and the lines with a blank below it.
struct Step<'a> {
    number: usize,
    head: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: Option<&'a str>,
}

/// A transcript on a hub of its own.
struct Replay {
    stage: Stage,
    answer: Option<Answer>,
    names: Names,
    device: Option<JoinHandle<()>>,
}

async fn replay(transcript: &str) {
    let mut replay = Replay {
        stage: Stage::new().await,
        answer: None,
        names: Names::new(),
        device: None,
    };
    for step in steps(transcript) {
        let done = timeout(WATCHDOG, replay.step(&step)).await;
        let wrong = done.unwrap_or_else(|_| Err("takes too long".into())).err();
        assert_eq!(wrong, None, "line {}: {}", step.number, step.head);
    }
    assert!(replay.answer.is_none(), "an answer that nobody looked at");
}

fn steps(transcript: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for (number, line) in (1..).zip(transcript.lines()) {
        let below = line.strip_prefix("  ");
        match (below, steps.last_mut()) {
            (Some(body), Some(step)) if body.starts_with(['{', '[']) => step.body = Some(body),
            (Some(header), Some(step)) => step.headers.push(header.split_once(": ").unwrap()),
            _ if line.is_empty() || line.starts_with('#') => {}
            _ => steps.push(Step {
                number,
                head: line,
                headers: Vec::new(),
                body: None,
            }),
        }
    }
    steps
}

impl Replay {
    /// Fails with what was wrong.
    async fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        match step.head.split_once(' ').unwrap() {
            ("→", request) => {
                self.ask(request, step).await;
                Ok(())
            }
            ("←", status) => {
                let answer = self.answer.take().expect("a request before");
                let came = format!("came: {}{}", answer.head, answer.text());
                self.is_it(&answer, status, step).then_some(()).ok_or(came)
            }
            ("!", action) => {
                self.act(action).await;
                Ok(())
            }
            _ => panic!("not a line of a transcript: {}", step.head),
        }
    }

    async fn ask(&mut self, request: &str, step: &Step<'_>) {
        let headers: Vec<_> = step
            .headers
            .iter()
            .map(|(name, value)| (*name, self.filled(value)))
            .collect();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = self.stage.ask(request, &headers, step.body.unwrap_or_default()).await;
        assert!(self.answer.replace(answer).is_none(), "an answer that nobody looked at");
    }

    fn is_it(&mut self, answer: &Answer, status: &str, step: &Step<'_>) -> bool {
        let is_there = |(name, wanted): &(&str, &str)| match answer.header(name) {
            Some(heard) => *wanted == "…" || *wanted == heard,
            None => *wanted == "none",
        };
        let is_body = match step.body {
            None => answer.body.is_empty(),
            Some(body) => json_pattern::matches(&parsed(body), &answer.json(), &mut self.names),
        };
        answer.head.starts_with(&format!("HTTP/1.1 {status}\r\n")) && step.headers.iter().all(is_there) && is_body
    }

    /// With credentials for this hub, and what names stand for.
    fn filled(&self, text: &str) -> String {
        let mut text = text.replace("{token}", &self.stage.policy_token("iothubowner"));
        for policy in ["service", "registryRead", "registryReadWrite"] {
            text = text.replace(&format!("{{{policy}-token}}"), &self.stage.policy_token(policy));
        }
        for (name, value) in &self.names {
            text = text.replace(name, value.as_str().unwrap_or_default());
        }
        text
    }

    async fn act(&mut self, action: &str) {
        match action.split_once(' ').unwrap() {
            ("register", id) => self.stage.register(id).await,
            ("connect", id) => self.connect(id).await,
            _ => panic!("not an action: {action}"),
        }
    }

    /// The device comes, and answers each method with the payload of the call.
    async fn connect(&mut self, id: &str) {
        let token = self.stage.device_token(id).await;
        let id = IdentityId::parse(id).unwrap();
        let hub = &self.stage.hub;
        let principal = hub.auth.connect_device(&id, HOST, Some(&token), &[]).await.unwrap();
        let options = LinkOptions::default();
        let (mut link, _) = hub.connections.open(principal, options).await.unwrap();
        let features = Features {
            methods: true,
            ..Features::default()
        };
        link.set_filters(Vec::new(), features).await.unwrap();
        self.device = Some(tokio::spawn(async move {
            loop {
                if let LinkEvent::Method { request_id, call } = link.next().await {
                    let (status, payload) = (200, call.payload);
                    link.method_response(request_id, MethodResponse { status, payload });
                }
            }
        }));
    }
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}
