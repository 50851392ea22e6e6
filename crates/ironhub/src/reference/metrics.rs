//! The page `docs/reference/metrics.md`: every metric with its labels, and what to watch.

use ironhub_server::metrics::{CHAPTERS, Chapter, Kind, Label, Metric};

const HEAD: &str = include_str!("metrics.txt");

const WATCH: &str = "\n## What to watch\n\n| metric | what a rise means, and what to do |\n| --- | --- |\n";

const VALUES: &str = "\n## Values of labels\n\n| metric | label | values |\n| --- | --- | --- |\n";

pub(super) fn page() -> String {
    let metrics = || CHAPTERS.iter().flat_map(|chapter| chapter.metrics);
    let mut page = HEAD.to_owned();
    page.extend(CHAPTERS.iter().map(section));
    page += WATCH;
    page.extend(metrics().filter_map(advice));
    page += VALUES;
    page.extend(metrics().flat_map(|metric| metric.labels.iter().map(|label| values(metric.name, label))));
    page
}

fn section(chapter: &Chapter) -> String {
    let rows: String = chapter.metrics.iter().map(row).collect();
    let title = chapter.title;
    format!("\n## {title}\n\n| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n{rows}")
}

fn row(metric: &Metric) -> String {
    let Metric { name, kind, help, .. } = metric;
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
    };
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{}`", label.name)).collect();
    format!("| `{name}` | {kind} | {} | {help} |\n", labels.join(", "))
}

fn advice(metric: &Metric) -> Option<String> {
    Some(format!("| `{}` | {} |\n", metric.name, metric.watch?))
}

fn values(metric: &str, label: &Label) -> String {
    let values = label.values().map(|value| format!("`{value}`"));
    let values: Vec<String> = values.chain(label.others.map(str::to_owned)).collect();
    format!("| `{metric}` | `{}` | {} |\n", label.name, values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/reference/metrics.md");

    #[test]
    fn the_page_is_current() {
        assert!(
            page() == PAGE,
            "run: cargo run -- reference metrics > docs/reference/metrics.md"
        );
    }
}
