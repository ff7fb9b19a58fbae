//! An answer as a table with words about what it rests on, or as CSV.

use jiff::Timestamp;
use jiff::tz::Offset;
use sensor_common::noun::noun;
use serde::Deserialize as _;
use serde_json::json;

use super::cells::{Basis, Cells, For, belongs, cells, time};
use crate::cli::Form;
use crate::commands::tables::tables;
use crate::socket::Question;
use crate::sources::answer::{
    CountsLine, DefinitionLine, GapLine, Line, Total, VictimDefinitionLine, WindowLine,
};
use crate::sources::{Ask, By, Count};

/// An answer as it comes in.
pub(super) struct Shown<'a> {
    form: &'a Form,
    words: Vec<String>,
    rows: Vec<Cells>,
    /// Packets of all windows: those that were observed, and those that were not.
    packets: (u64, u64),
    /// Whether there may be more than the answer has.
    at_least: bool,
    /// From when to when all windows are together.
    time: Option<(Timestamp, Timestamp)>,
}

impl<'a> Shown<'a> {
    pub(super) const fn new(form: &'a Form) -> Self {
        Self { form, words: Vec::new(), rows: Vec::new(), packets: (0, 0), at_least: false, time: None }
    }

    pub(super) fn add(&mut self, line: &Line) {
        let by = if self.form.csv { For::Programs } else { For::People };
        match line {
            Line::Window(window) => {
                let (observed, missed) = self.packets;
                self.packets = (observed + window.observed, missed + window.missed);
                self.at_least |= window.missed > 0;
                let (from, to) = self.time.unwrap_or((window.from, window.to));
                self.time = Some((from.min(window.from), to.max(window.to)));
                self.words.push(self.window(window));
            }
            Line::Total(of_all) => {
                self.at_least |= of_all.at_least;
                self.words.push(total(of_all));
            }
            Line::Definition(of_sensor) => self.words.push(definition(of_sensor)),
            Line::VictimDefinition(of_sensor) => self.words.push(victim_definition(of_sensor)),
            Line::Rows(of) => {
                if of.without_known_scanners {
                    self.words.push("without known scanners:".to_owned());
                }
            }
            Line::Counts(of) => self.words.push(self.counts(of)),
            Line::Gap(gap) => {
                let GapLine { sensor, from, to, packets } = gap;
                let (from, to) = (time(*from, self.form.time_zone), time(*to, self.form.time_zone));
                let (that, are) =
                    (noun(*packets, "packet that was", "packets that were"), noun(*packets, "is", "are all"));
                self.words.push(format!(
                    "{sensor}: {packets} {that} counted from {from} to {to}, while nobody looked, {are} in the last minute of \
                     that"
                ));
            }
            Line::Belongs(whose) => {
                let known = belongs(whose).into_iter().filter(|(_, text)| !text.is_empty());
                let known: Vec<_> = known.map(|(name, text)| format!("{name} {text}")).collect();
                if !known.is_empty() {
                    self.words.push(known.join(", "));
                }
            }
            row => self.rows.extend(cells(row, self.form.time_zone, by, self.basis())),
        }
    }

    /// What all windows together rest on.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn basis(&self) -> Basis {
        let (observed, missed) = self.packets;
        let share = if missed == 0 { 1.0 } else { observed as f64 / (observed + missed) as f64 };
        Basis { share, at_least: self.at_least, time: self.time }
    }

    /// All of it.
    pub(super) fn text(self, question: &Question) -> String {
        if self.form.csv {
            return if self.rows.is_empty() { head(question) } else { csv(&self.rows) };
        }
        let words = self.covered(question).into_iter().chain(self.words.iter().cloned());
        let mut text: String = words.map(|words| words + "\n").collect();
        if self.rows.is_empty() {
            let nothing = match question {
                Question::Scans(_) => "no scan is known of that time",
                Question::Victims(_) => "no victim is known of that time",
                Question::Counts(_) => "nothing is stored of that time",
                _ => "nothing is known of that",
            };
            return text + nothing + "\n";
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text + &tables(self.rows)
    }

    /// Which time an answer is of that rests on whole hours or days, beside the one that was asked for.
    fn covered(&self, question: &Question) -> Option<String> {
        let (Question::Sources(Ask { from, to, .. }) | Question::Tuples(Ask { from, to, .. })) = question
        else {
            return None;
        };
        let time = |at: Timestamp| time(at, self.form.time_zone);
        let until = to.map(|to| format!(" to {}", time(to))).unwrap_or_default();
        let ((first, last), from) = (self.time?, (*from)?);
        Some(format!(
            "{} to {}, as hours and days are known as a whole; asked for: {}{until}",
            time(first),
            time(last),
            time(from)
        ))
    }

    fn counts(&self, of: &CountsLine) -> String {
        let CountsLine { seconds, from, to, oldest } = of;
        let what = if *seconds == 60 { "minute" } else { "hour" };
        let time = |at: Timestamp| time(at, self.form.time_zone);
        let (from, to) = (time(*from), time(*to));
        let since = match oldest {
            Some(oldest) => format!("stored since {}", time(*oldest)),
            None => "none is stored yet".to_owned(),
        };
        format!("packets by the {what}, {from} to {to}; {since}")
    }

    fn window(&self, window: &WindowLine) -> String {
        let WindowLine { sensor, from, to, observed, missed, share, sources, summed_up } = window;
        let (from, to) = (time(*from, self.form.time_zone), time(*to, self.form.time_zone));
        let rests = if *missed == 0 {
            "all that was counted".to_owned()
        } else {
            format!("{:.1} % of what was counted: every number of sources is at least so many", share * 100.0)
        };
        let sources = sources.map(|sources| format!(" from {}", distinct(sources))).unwrap_or_default();
        let sums = match summed_up {
            0 => String::new(),
            packets => format!(", {packets} of them known as a sum alone"),
        };
        let packets = noun(*observed, "packet", "packets");
        format!("{sensor}, {from} to {to}: {observed} {packets}{sources}{sums}; {rests}")
    }
}

fn distinct(sources: Count) -> String {
    let Count { count, exact } = sources;
    let sources = noun(count, "source", "sources");
    if exact { format!("{count} {sources}") } else { format!("about {count} {sources} (±5 %)") }
}

fn total(total: &Total) -> String {
    let Total { packets, from_known_scanners, sources, at_least, row_error } = total;
    let at_least = if *at_least { "at least " } else { "" };
    let (sources, of) = (distinct(*sources), noun(*packets, "packet", "packets"));
    let mut words = vec![format!("asked for: {at_least}{packets} {of} from {at_least}{sources}")];
    words.extend(from_known_scanners.map(|known| format!("{known} from known scanners")));
    if *row_error > 0 {
        let packets = noun(*row_error, "packet", "packets");
        words.push(format!("who is not followed has sent {row_error} {packets} at most"));
    }
    words.join("; ")
}

fn definition(of_sensor: &DefinitionLine) -> String {
    let DefinitionLine { sensor, definition, forgotten } = of_sensor;
    let ports = definition.ports;
    let of = |many: Option<u64>, version| many.map(|many| format!(", or {many} {version} addresses or more"));
    let addresses = [of(definition.ipv4_addresses, "IPv4"), of(definition.ipv6_addresses, "IPv6")];
    let addresses: String = addresses.into_iter().flatten().collect();
    let few = if addresses.is_empty() { "; it has too few addresses to tell by them" } else { "" };
    format!("{sensor}: a scan is {ports} ports or more{addresses}{few}{}", left_out(*forgotten))
}

fn victim_definition(of_sensor: &VictimDefinitionLine) -> String {
    let VictimDefinitionLine { sensor, packets, seconds, packets_per_minute, forgotten } = of_sensor;
    let of = noun(u64::from(*packets), "packet", "packets");
    let words = format!(
        "{sensor}: a victim has {packets} {of} or more, over {seconds} s or more, {packets_per_minute} or more of \
         them in some minute"
    );
    words + &left_out(*forgotten)
}

fn left_out(forgotten: u64) -> String {
    match forgotten {
        0 => String::new(),
        some => format!("; {some} older {} forgotten", noun(some, "one is", "ones are")),
    }
}

/// What stands above no rows: the columns that rows would have.
fn head(question: &Question) -> String {
    let (time, address) = (Timestamp::UNIX_EPOCH, "0.0.0.0");
    let (count, row) = (
        json!({"count": 0, "exact": true}),
        json!({"source": address, "packets": 0, "more": 0, "first": time, "last": time}),
    );
    let line = match question {
        Question::Sources(Ask { by: By::Source | By::Network, .. }) => json!({"source": row}),
        Question::Sources(_) => {
            json!({"part": {"of": "", "packets": 0, "from_known_scanners": 0, "sources": count, "at_least": false}})
        }
        Question::Source(_) => {
            json!({"did": {"sensor": "", "from": time, "to": time, "share": 1.0, "unseen": 0}})
        }
        Question::Scans(_) => json!({"scan": {"sensor": "", "source": address, "start": time, "end": time,
            "ongoing": false, "packets": 0, "share": 1.0, "ports": count, "addresses": count, "first_ports": [],
            "tools": []}}),
        Question::Victims(_) => {
            json!({"victim": {"sensor": "", "victim": address, "start": time, "end": time,
            "ongoing": false, "packets": 0, "share": 1.0, "peak_per_minute": 0, "ports": [], "kinds": []}})
        }
        Question::Tuples(_) => {
            json!({"tuple": {"window": 0, "options": "", "mss": null, "scale": null, "ttl": 64,
            "packets": 0, "more": 0, "sources": count, "first": time, "last": time}})
        }
        Question::Counts(_) => {
            json!({"count": {"sensor": "", "time": time, "packets": 0, "more": 0, "bytes": 0}})
        }
        Question::Status
        | Question::Evidence(_)
        | Question::Notices(_)
        | Question::View(_)
        | Question::Sent
        | Question::Reload
        | Question::Detach(_) => {
            return String::new();
        }
    };
    let basis = Basis { share: 1.0, at_least: false, time: Some((time, time)) };
    let row = Line::deserialize(line).ok().and_then(|line| cells(&line, Offset::UTC, For::Programs, basis));
    let Some(row) = row else { return String::new() };
    csv(&[row]).lines().next().map(|head| format!("{head}\r\n")).unwrap_or_default()
}

/// RFC 4180. Where the columns change, a new head begins.
fn csv(rows: &[Cells]) -> String {
    let mut text = String::new();
    let mut head = Vec::new();
    for row in rows {
        let names: Vec<_> = row.iter().map(|(name, _)| *name).collect();
        if names != head {
            text += &(names.iter().map(|name| name.replace(' ', "_")).collect::<Vec<_>>().join(",") + "\r\n");
            head = names;
        }
        let cells: Vec<_> = row.iter().map(|(_, text)| quoted(text)).collect();
        text += &(cells.join(",") + "\r\n");
    }
    text
}

/// A field. Names are others' text, and a spreadsheet takes one that begins like a formula for one: it gets an apostrophe in front.
fn quoted(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    #[rstest]
    #[case::plain("Example Scan", "Example Scan")]
    #[case::comma("Example, Inc.", "\"Example, Inc.\"")]
    #[case::quote("the \"best\"", "\"the \"\"best\"\"\"")]
    #[case::formula("=1+1", "'=1+1")]
    #[case::command("@SUM(1,2)", "\"'@SUM(1,2)\"")]
    fn a_spreadsheet_takes_a_field_as_it_is(#[case] text: &str, #[case] field: &str) {
        assert_eq!(quoted(text), field);
    }

    use super::*;
    use crate::sources::{AskCounts, AskEvents, AskSource};

    #[rstest]
    #[case::sources(
        Question::Sources(Ask::default()),
        "source,packets,more,first,",
        ",from,to,share,at_least\r\n"
    )]
    #[case::parts(
        Question::Sources(Ask { by: By::Port, ..Ask::default() }),
        "of,packets,from_known_scanners,sources,sources_exact,",
        ",from,to,share,at_least\r\n"
    )]
    #[case::one(
        Question::Source(AskSource { source: "203.0.113.9".parse().unwrap(), from: None, to: None }),
        "sensor,from,to,packets,more,",
        ",share,at_least\r\n"
    )]
    #[case::scans(Question::Scans(AskEvents::default()), "sensor,source,start,end,", ",share,at_least\r\n")]
    #[case::victims(
        Question::Victims(AskEvents::default()),
        "sensor,victim,start,end,",
        ",share,at_least\r\n"
    )]
    #[case::tuples(Question::Tuples(Ask::default()), "window,options,", ",from,to,share,at_least\r\n")]
    #[case::counts(Question::Counts(AskCounts::default()), "sensor,time,packets,more,bytes\r\n", "bytes\r\n")]
    fn no_rows_have_a_head_all_the_same(#[case] question: Question, #[case] begin: &str, #[case] end: &str) {
        let head = head(&question);
        assert!(
            head.starts_with(begin) && head.ends_with(end) && head.matches('\n').count() == 1,
            "{head:?}"
        );
    }

    #[rstest]
    #[case::since(
        Some(1_000),
        None,
        Some("1970-01-01T00:00:00Z to 1970-01-01T02:00:00Z, "),
        "asked for: 1970-01-01T00:16:40Z"
    )]
    #[case::a_time(
        Some(1_000),
        Some(4_000),
        Some("1970-01-01T00:00:00Z to 1970-01-01T02:00:00Z, "),
        "00:16:40Z to 1970-01-01T01:06:40Z"
    )]
    #[case::no_time(None, None, None, "")]
    fn a_time_that_is_asked_for_is_answered_by_whole_hours(
        #[case] from: Option<i64>,
        #[case] to: Option<i64>,
        #[case] begin: Option<&str>,
        #[case] end: &str,
    ) {
        let at = |second| Timestamp::from_second(second).unwrap();
        let form = Form { json: false, csv: false, time_zone: Offset::UTC, anonymize: None };
        let mut shown = Shown::new(&form);
        for hour in 0..2 {
            let window = json!({"window": {"sensor": "a", "from": at(hour * 3_600), "to": at((hour + 1) * 3_600), "observed": 1,
                "missed": 0, "share": 1.0}});
            shown.add(&Line::deserialize(window).unwrap());
        }
        let question = Question::Sources(Ask { from: from.map(at), to: to.map(at), ..Ask::default() });
        let text = shown.text(&question);
        let first = text.lines().next().unwrap();
        match begin {
            Some(begin) => assert!(first.starts_with(begin) && first.ends_with(end), "{text}"),
            None => assert!(first.starts_with("a, ") && !text.contains("asked for"), "{text}"),
        }
    }
}
