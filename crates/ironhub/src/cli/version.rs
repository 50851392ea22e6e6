//! `--etag`: which version of a record a write is meant for.

use std::convert::Infallible;

use clap::Args;
use ironhub_client::Match;
use ironhub_model::Etag;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = None::<&'static str>)]
pub(crate) struct Version {
    /// Only if the record still has this ETag
    #[arg(long, short = 'e', value_name = "ETAG", value_parser = parse, help_heading = None)]
    etag: Option<Etag>,
}

impl Version {
    pub(crate) fn is_any(&self) -> bool {
        self.etag.is_none()
    }

    /// What the hub has to check.
    pub(crate) fn to_match(&self) -> Match {
        self.etag.clone().map_or(Match::Any, Match::Etag)
    }

    /// The same, and for a record that was read just now: nobody may have changed it since.
    pub(crate) fn to_match_or(&self, read: Option<&Etag>) -> Match {
        self.etag.as_ref().or(read).cloned().map_or(Match::Any, Match::Etag)
    }
}

/// With the quotes of HTTP or without.
#[expect(clippy::unnecessary_wraps, reason = "as clap wants it")]
fn parse(text: &str) -> Result<Etag, Infallible> {
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    Ok(Etag::new(bare.unwrap_or(text)))
}
