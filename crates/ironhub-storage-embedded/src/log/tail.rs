//! The newest events of a partition, in memory, for readers that keep up.

use std::collections::VecDeque;

use super::answer::{Answer, Span, Target};

/// What a span costs besides its bytes.
const SPAN_BYTES: usize = 128;

#[derive(Debug)]
pub(crate) struct Tail {
    runs: VecDeque<TailRun>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct TailRun {
    span: Span,
    next: u64,
}

impl Tail {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            runs: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Adds the newest run and lets the oldest go when there is too much; the newest always stays.
    pub(crate) fn push(&mut self, span: Span, count: u32) {
        self.bytes += span.run.len() + SPAN_BYTES;
        let next = span.base + u64::from(count);
        self.runs.push_back(TailRun { span, next });
        while self.bytes > self.bytes_max && self.runs.len() > 1 {
            if let Some(oldest) = self.runs.pop_front() {
                self.bytes -= oldest.span.run.len() + SPAN_BYTES;
            }
        }
    }

    /// Is everything from the target on in memory? `first` is the partition's oldest event.
    pub(crate) fn holds(&self, target: Target, first: u64) -> bool {
        self.runs.front().is_some_and(|oldest| match target {
            _ if oldest.span.base <= first => true,
            Target::At(sequence) => oldest.span.base <= sequence,
            // An event of the same time may have left already.
            Target::Since(time) => oldest.span.enqueued_at < time,
        })
    }

    pub(crate) fn read(&self, answer: &mut Answer) {
        let target = answer.target();
        let start = self
            .runs
            .partition_point(|run| !target.lies_before_end(run.next, run.span.enqueued_at));
        for run in self.runs.range(start..) {
            if !answer.push(run.span.clone()) {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ironhub_model::Timestamp;

    use super::super::run::push_record;
    use super::*;

    /// Runs of two events each, ten seconds apart, the events named by their sequence number.
    fn tail(runs: u64, bytes_max: usize) -> Tail {
        let mut tail = Tail::new(bytes_max);
        for base in (0..runs).map(|run| run * 2) {
            let mut run = Vec::new();
            push_record(&mut run, &base.to_le_bytes());
            push_record(&mut run, &(base + 1).to_le_bytes());
            let time = Timestamp::from_secs(i64::try_from(base).unwrap() * 5);
            tail.push(Span::new(base, time, Bytes::from(run)), 2);
        }
        tail
    }

    #[track_caller]
    fn check(tail: &Tail, target: Target, bytes_max: usize, expected: &[u64]) {
        let mut answer = Answer::new(target, bytes_max);
        tail.read(&mut answer);
        let found: Vec<u64> = answer.into_records().iter().map(|record| record.sequence.0).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn reads_start_and_end_where_asked() {
        let tail = tail(3, usize::MAX);
        check(&tail, Target::At(0), usize::MAX, &[0, 1, 2, 3, 4, 5]);
        check(&tail, Target::At(3), usize::MAX, &[3, 4, 5]);
        check(&tail, Target::At(3), 16, &[3, 4]);
        check(&tail, Target::At(3), 1, &[3]);
        check(&tail, Target::At(6), usize::MAX, &[]);
        check(
            &tail,
            Target::Since(Timestamp::from_secs(10)),
            usize::MAX,
            &[2, 3, 4, 5],
        );
        check(&tail, Target::Since(Timestamp::from_secs(11)), usize::MAX, &[4, 5]);
        check(&tail, Target::Since(Timestamp::from_secs(21)), usize::MAX, &[]);
    }

    #[test]
    fn the_oldest_leave_and_are_not_claimed() {
        let tail = tail(5, 2 * (24 + SPAN_BYTES));
        check(&tail, Target::At(0), usize::MAX, &[6, 7, 8, 9]);
        assert!(tail.holds(Target::At(6), 0));
        assert!(!tail.holds(Target::At(5), 0));
        assert!(tail.holds(Target::At(5), 6), "older ones are gone everywhere");
        assert!(tail.holds(Target::Since(Timestamp::from_secs(31)), 0));
        assert!(!tail.holds(Target::Since(Timestamp::from_secs(30)), 0));
    }
}
