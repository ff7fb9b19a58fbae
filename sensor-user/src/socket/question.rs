//! What the agent can be asked, as it is written: `{"version":1,"ask":"status"}`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::evidence::Search;
use crate::notices::AskNotices;
use crate::sources::{Ask, AskCounts, AskEvents, AskSource};
use crate::view::AskView;

/// The protocol's version. An agent refuses others; what is added to an answer takes no new one.
pub const VERSION: u64 = 1;

/// The longest request, in bytes, its end of line included.
pub const LONGEST: usize = 64 << 10;

/// A question. Each has a section in `docs/socket.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Question {
    /// What the agent is doing.
    Status,
    /// Packets that are kept as evidence.
    Evidence(Search),
    /// Who sent most, or what most was sent to.
    Sources(Ask),
    /// Everything that is known of one source.
    Source(AskSource),
    /// Scans.
    Scans(AskEvents),
    /// Addresses under denial of service.
    Victims(AskEvents),
    /// What is to be told of addresses of constituencies.
    Notices(AskNotices),
    /// That the notices which this peer has claimed are sent.
    Sent,
    /// What SYNs show of the stacks that made them.
    Tuples(Ask),
    /// What was counted over time.
    Counts(AskCounts),
    /// What there is to see, as the page shows it.
    View(AskView),
    /// To apply the configuration as it is written now.
    Reload,
    /// To detach from an interface, and to leave it detached.
    Detach(Detach),
}

/// What [`Question::Detach`] names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detach {
    /// The interface's number, in the agent's network namespace.
    pub interface: u32,
}

/// A question that has nothing more to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Question {
    /// What `ask` may be.
    const NAMES: &str = "status, evidence, sources, source, scans, victims, notices, sent, tuples, counts, view, reload and detach";

    /// The question on a line.
    ///
    /// # Errors
    /// What is wrong with it, for who has asked.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let mut request: Map<String, Value> = serde_json::from_slice(line)
            .map_err(|error| format!("the request is not a JSON object on a line: {error}"))?;
        match request.remove("version") {
            Some(version) if version == VERSION => {}
            Some(other) => {
                return Err(format!(
                    "this agent speaks version {VERSION} of the protocol, not {}",
                    short(&other)
                ));
            }
            None => return Err(format!("the request has no version: add \"version\":{VERSION}")),
        }
        let ask = request.remove("ask").ok_or("the request asks nothing: add \"ask\":\"status\"")?;
        let rest = Value::Object(request);
        match ask.as_str() {
            Some("status") => details(rest).map(|Nothing {}| Self::Status),
            Some("evidence") => details(rest).map(Self::Evidence),
            Some("sources") => details(rest).map(Self::Sources),
            Some("source") => details(rest).map(Self::Source),
            Some("scans") => details(rest).map(Self::Scans),
            Some("victims") => details(rest).map(Self::Victims),
            Some("notices") => details(rest).map(Self::Notices),
            Some("sent") => details(rest).map(|Nothing {}| Self::Sent),
            Some("tuples") => details(rest).map(Self::Tuples),
            Some("counts") => details(rest).map(Self::Counts),
            Some("view") => details(rest).map(Self::View),
            Some("reload") => details(rest).map(|Nothing {}| Self::Reload),
            Some("detach") => details(rest).map(Self::Detach),
            _ => Err(format!(
                "this agent does not know the question {}: it knows {}",
                short(&ask),
                Self::NAMES
            )),
        }
    }

    /// The line that asks it.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn line(&self) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Request<'a> {
            version: u64,
            #[serde(flatten)]
            question: &'a Question,
        }
        serde_json::to_string(&Request { version: VERSION, question: self }).map(|line| line + "\n")
    }

    /// Whether it changes something: only root and the agent's own user may ask it then.
    #[must_use]
    pub const fn changes(&self) -> bool {
        matches!(
            self,
            Self::Reload | Self::Detach(_) | Self::Sent | Self::Notices(AskNotices { claim: true, .. })
        )
    }

    /// Whether much is looked through for it, or much memory taken for the answer. What there is to see is put together once for
    /// all who ask.
    #[must_use]
    pub const fn searches(&self) -> bool {
        !self.changes() && !matches!(self, Self::Status | Self::View(_))
    }
}

fn details<T: DeserializeOwned>(rest: Value) -> Result<T, String> {
    serde_json::from_value(rest)
        .map_err(|error| format!("the request is not complete, or says too much: {error}"))
}

/// As much of a value as is worth saying.
fn short(value: &Value) -> String {
    const MOST: usize = 40;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::store::Step;

    #[rstest]
    #[case::status(Question::Status, r#"{"version":1,"ask":"status"}"#)]
    #[case::reload(Question::Reload, r#"{"version":1,"ask":"reload"}"#)]
    #[case::sources(
        Question::Sources(Ask { slot: Some("23/tcp".to_owned()), limit: 5, ..Ask::default() }),
        r#"{"version":1,"ask":"sources","slot":"23/tcp","by":"source","limit":5}"#
    )]
    #[case::source(
        Question::Source(AskSource { source: "2001:db8::7".parse().unwrap(), from: None, to: None }),
        r#"{"version":1,"ask":"source","source":"2001:db8::/64"}"#
    )]
    #[case::scans(Question::Scans(AskEvents::default()), r#"{"version":1,"ask":"scans"}"#)]
    #[case::victims(Question::Victims(AskEvents::default()), r#"{"version":1,"ask":"victims"}"#)]
    #[case::notices(
        Question::Notices(AskNotices { claim: true, ..AskNotices::default() }),
        r#"{"version":1,"ask":"notices","claim":true}"#
    )]
    #[case::sent(Question::Sent, r#"{"version":1,"ask":"sent"}"#)]
    #[case::counts(
        Question::Counts(AskCounts { slot: Some("23/tcp".to_owned()), by: Step::Hour, ..AskCounts::default() }),
        r#"{"version":1,"ask":"counts","slot":"23/tcp","by":"hour"}"#
    )]
    #[case::view(
        Question::View(AskView { sensor: Some("japan-1".to_owned()) }),
        r#"{"version":1,"ask":"view","sensor":"japan-1"}"#
    )]
    #[case::detach(Question::Detach(Detach { interface: 7 }), r#"{"version":1,"ask":"detach","interface":7}"#)]
    fn questions_are_read_as_they_are_written(#[case] question: Question, #[case] line: &str) {
        assert_eq!(question.line().unwrap(), format!("{line}\n"));
        assert_eq!(Question::parse(line.as_bytes()), Ok(question));
    }

    #[rstest]
    #[case::nothing("", "not a JSON object")]
    #[case::a_word("status", "not a JSON object")]
    #[case::a_list("[1]", "not a JSON object")]
    #[case::two(r#"{"version":1,"ask":"status"} {}"#, "not a JSON object")]
    #[case::not_utf8("\u{80}", "not a JSON object")]
    #[case::no_version(r#"{"ask":"status"}"#, "add \"version\":1")]
    #[case::another_version(r#"{"version":2,"ask":"status"}"#, "version 1 of the protocol, not 2")]
    #[case::a_text_for_a_version(r#"{"version":"1","ask":"status"}"#, "not \"1\"")]
    #[case::no_question(r#"{"version":1}"#, "asks nothing")]
    #[case::unknown(r#"{"version":1,"ask":"dance"}"#, "\"dance\": it knows status,")]
    #[case::long(
        &format!(r#"{{"version":1,"ask":"{}"}}"#, "é".repeat(9_000)),
        "é…: it knows status,"
    )]
    #[case::a_number(r#"{"version":1,"ask":7}"#, "the question 7")]
    #[case::too_much(r#"{"version":1,"ask":"status","of":"me"}"#, "unknown field `of`")]
    #[case::too_little(r#"{"version":1,"ask":"detach"}"#, "missing field `interface`")]
    #[case::out_of_range(r#"{"version":1,"ask":"detach","interface":-1}"#, "invalid value")]
    fn what_is_wrong_is_said(#[case] line: &str, #[case] words: &str) {
        let error = Question::parse(line.as_bytes()).unwrap_err();
        assert!(error.contains(words) && !error.contains('\n') && error.len() < 300, "{error}");
    }

    proptest! {
        #[test]
        fn no_line_panics(line: Vec<u8>) {
            let _ = Question::parse(&line);
        }
    }
}
