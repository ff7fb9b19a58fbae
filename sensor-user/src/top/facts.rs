//! What the agent said last, and how fast packets come, by what it said before.

use std::collections::{BTreeMap, VecDeque};

use anyhow::Error;
use jiff::Timestamp;

use super::ask::{Fault, FaultKind};
use crate::counters::SnapshotNumber;
use crate::view::{MOST, Named, ServiceView, View};

/// A rate is that of so many seconds, where there are two answers so far apart or less, else of the last two answers.
const SECONDS: f64 = 10.0;

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What the agent said last.
    pub view: View,
    /// Why it has said nothing new; `None` while it does.
    pub fault: Option<Fault>,
    /// What was counted, the oldest first.
    looks: VecDeque<Look>,
}

/// What was counted when the counters were read.
#[derive(Clone, Debug)]
struct Look {
    snapshot: SnapshotNumber,
    process: u32,
    time: Timestamp,
    services: BTreeMap<String, u64>,
    /// Whether that is all that anything was sent to.
    all: bool,
    tools: BTreeMap<String, u64>,
}

impl Facts {
    /// The agent has answered.
    pub fn answered(&mut self, view: View) {
        self.fault = None;
        self.note(&view);
        self.view = view;
    }

    /// It has not: why.
    pub fn unanswered(&mut self, error: &Error) {
        self.fault = Some(Fault::of(error));
    }

    /// Whether nothing more will be known, since this error lasts, and is there for the second time: a socket that was made
    /// this moment has no group yet.
    #[must_use]
    pub fn is_over(&self, error: &Error) -> bool {
        let fault = Fault::of(error);
        fault.kind == FaultKind::Lasting && self.fault == Some(fault)
    }

    fn note(&mut self, view: &View) {
        let Some(snapshot) = view.snapshot else { return };
        let process = view.agent.process;
        if let Some(last) = self.looks.back() {
            if (last.snapshot, last.process) == (snapshot, process) {
                return;
            }
            // A clock that was set back.
            if last.time >= view.time {
                self.looks.clear();
            }
        }
        self.looks.push_back(Look {
            snapshot,
            process,
            time: view.time,
            services: view.services.iter().map(|it| (it.service.clone(), it.packets)).collect(),
            all: view.services.len() < MOST,
            tools: view.tools.iter().map(|it| (it.name.clone(), it.packets)).collect(),
        });
        while self.looks.len() > 2 && seconds(self.looks[0].time, view.time) > SECONDS {
            self.looks.pop_front();
        }
    }

    /// Packets a second to a service; `None` before that is known.
    #[must_use]
    pub fn to(&self, service: &ServiceView) -> Option<f64> {
        self.rate(service.packets, |look| {
            look.services.get(&service.service).copied().or(look.all.then_some(0))
        })
    }

    /// SYNs a second by a tool; `None` before that is known.
    #[must_use]
    pub fn by(&self, tool: &Named) -> Option<f64> {
        self.rate(tool.packets, |look| look.tools.get(&tool.name).copied())
    }

    /// How fast what is so many by now has grown; `None` where it has not: counters were made anew, or other sensors are added up.
    fn rate(&self, now: u64, before: impl Fn(&Look) -> Option<u64>) -> Option<f64> {
        let (first, last) = (self.looks.front()?, self.looks.back()?);
        let time = seconds(first.time, last.time);
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let grown = now.checked_sub(before(first)?)? as f64;
        (time > 0.0).then(|| grown / time)
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use rstest::rstest;

    use super::*;
    use crate::obstacle::WrongUse;

    /// An answer at a second, of a snapshot, with so many packets to a port and by a tool.
    fn view(second: i64, snapshot: u64, packets: u64) -> View {
        let time = Timestamp::from_second(second).unwrap();
        let service = ServiceView { service: "23/TCP".to_owned(), packets, ..ServiceView::default() };
        let tool = Named { name: "mirai".to_owned(), packets };
        View {
            time,
            snapshot: Some(SnapshotNumber(snapshot)),
            services: vec![service],
            tools: vec![tool],
            ..View::default()
        }
    }

    #[rstest]
    #[case::once(&[(0, 1, 100)], None)]
    #[case::of_the_same_snapshot(&[(0, 1, 100), (1, 1, 100)], None)]
    #[case::each_second(&[(0, 1, 100), (1, 2, 150), (2, 3, 160)], Some(30.0))]
    #[case::of_the_last_seconds(&[(0, 1, 0), (1, 2, 90_000), (15, 3, 90_000), (16, 4, 90_010)], Some(10.0))]
    #[case::each_minute(&[(0, 1, 0), (60, 2, 600), (120, 3, 660)], Some(1.0))]
    #[case::made_anew(&[(0, 1, 100), (1, 2, 5)], None)]
    #[case::set_back(&[(100, 1, 100), (50, 2, 150), (52, 3, 250)], Some(50.0))]
    fn a_rate_is_of_the_last_answers(#[case] said: &[(i64, u64, u64)], #[case] expected: Option<f64>) {
        let mut facts = Facts::default();
        for &(second, snapshot, packets) in said {
            facts.answered(view(second, snapshot, packets));
        }
        assert_eq!(facts.to(&facts.view.services[0]), expected);
        assert_eq!(facts.by(&facts.view.tools[0]), expected);
        assert!(facts.looks.len() <= 12);
    }

    #[rstest]
    #[case::all_were_told(3, Some(50.0))]
    #[case::some_were_not(MOST, None)]
    fn what_was_not_there_before_was_nothing_if_all_were_told(
        #[case] told: usize,
        #[case] expected: Option<f64>,
    ) {
        let mut before = view(0, 1, 0);
        let one = |number: usize| ServiceView { service: format!("{number}/UDP"), ..ServiceView::default() };
        before.services = (0..told).map(one).collect();
        let mut facts = Facts::default();
        facts.answered(before);
        facts.answered(view(2, 2, 100));
        assert_eq!(facts.to(&facts.view.services[0]), expected);
    }

    #[test]
    fn an_agent_that_answers_again_is_silent_no_more() {
        let mut facts = Facts::default();
        facts.answered(view(0, 1, 100));
        facts.unanswered(&anyhow!("it is gone"));
        let why = facts.fault.as_ref().map(|fault| fault.why.as_str());
        assert_eq!((why, facts.view.services.len()), (Some("it is gone"), 1));
        facts.answered(view(9, 1, 190));
        assert_eq!((facts.fault, facts.view.services[0].packets), (None, 190));
    }

    /// Errors one after the other, and whether the last of them ends it.
    #[rstest]
    #[case::once(&["no sensor"], false)]
    #[case::twice(&["no sensor", "no sensor"], true)]
    #[case::with_an_answer_between(&["no sensor", "", "no sensor"], false)]
    #[case::of_another_cause(&["no sensor", "no agent"], false)]
    #[case::what_does_not_last(&["no agent", "no agent"], false)]
    fn what_lasts_ends_it_when_it_is_there_again(#[case] said: &[&str], #[case] is_over: bool) {
        let mut facts = Facts::default();
        let mut over = false;
        for said in said {
            let error = match *said {
                "no sensor" => anyhow!(WrongUse::no_sensor("a")),
                "no agent" => anyhow!("no agent"),
                _ => {
                    facts.answered(view(0, 1, 100));
                    continue;
                }
            };
            over = facts.is_over(&error);
            facts.unanswered(&error);
        }
        assert_eq!(over, is_over);
    }
}
