//! What the agent says when it is asked what it is doing.

use std::collections::HashMap;
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use super::pages::{Pages, State};
use crate::evidence::{Basis, Search, find};
use crate::export::AttachStatus;
use crate::notices::Book;
use crate::obstacle::in_words;
use crate::socket::{Questions, Visit};
use crate::sources::answer::{self, Line};
use crate::sources::{AskCounts, Register};
use crate::status::{AgentStatus, CountersStatus, EvidenceStatus, NoticesStatus, Readiness, StatusLine, utc};
use crate::store::Feed;
use crate::view::{AskView, View};

/// Since when each interface has both programs, as far as this agent has seen.
#[derive(Debug, Default)]
pub(super) struct Since(HashMap<String, SystemTime>);

impl Since {
    /// Notes which interfaces have both now, of all that are configured.
    pub(super) fn note(&mut self, attached: &[String]) {
        self.0.retain(|name, _| attached.contains(name));
        for name in attached {
            self.0.entry(name.clone()).or_insert_with(SystemTime::now);
        }
    }

    pub(super) fn of(&self, name: &str) -> Option<String> {
        self.0.get(name).copied().map(utc)
    }
}

impl Pages {
    /// What the agent does, in a line for the service manager, and the first thing that is wrong.
    pub(super) fn doing(&self) -> Result<String> {
        let (attached, troubled): (Vec<_>, Vec<_>) =
            self.looked_at()?.into_iter().partition(|(_, trouble)| trouble.is_none());
        let on = |(status, _): (AttachStatus, _)| match status.mode {
            Some(mode) => format!("{} ({mode})", status.interface),
            None => status.interface,
        };
        let work = if self.lock().observe { "counting" } else { "counting and dropping" };
        let mut words = match attached.into_iter().map(on).collect::<Vec<_>>() {
            names if names.is_empty() => "attached nowhere".to_owned(),
            names => format!("{work} on {}", names.join(", ")),
        };
        for (_, trouble) in troubled {
            words += "; ";
            words += &trouble.unwrap_or_default();
        }
        Ok(words)
    }
}

impl State {
    /// What is kept as evidence, as of the last drain.
    pub(super) fn evidence_status(&self) -> EvidenceStatus {
        let path = self.evidence.as_ref().map(|path| path.display().to_string());
        EvidenceStatus { path, trouble: self.trouble.get(), ..self.exporter.evidence() }
    }

    /// How the event log goes.
    pub(super) fn notices_status(&self) -> NoticesStatus {
        let log = self.exporter.notice_log_stats();
        NoticesStatus {
            log: log.path().map(|path| path.display().to_string()),
            written: log.written(),
            trouble: log.trouble(),
        }
    }
}

impl Questions for Pages {
    fn status(&self) -> Result<Vec<StatusLine>> {
        // Its sensors and their counts are those of one moment.
        let drained = self.drain().map(drop);
        let attached = self.looked_at();
        let (mut lines, mut first) = (Vec::new(), None);
        let state = self.lock();
        lines.push(StatusLine::Agent(AgentStatus { observe: state.observe, ..state.about.clone() }));
        for looked_at in attached? {
            let interface = state.interface(looked_at);
            first = first.or_else(|| interface.trouble.clone());
            lines.push(StatusLine::Interface(interface));
        }
        if drained.is_ok() {
            lines.extend(state.exporter.sensors().map(StatusLine::Sensor));
            lines.push(StatusLine::Passed(state.exporter.passed()));
            lines.push(StatusLine::Evidence(state.evidence_status()));
        }
        let store = state.store.as_ref().map(Feed::status);
        lines.push(StatusLine::Store(store.unwrap_or_default()));
        lines.push(StatusLine::Notices(state.notices_status()));
        let unread = drained.err().map(|error| in_words(&error));
        lines.push(StatusLine::Counters(CountersStatus {
            read: state.drained.map(utc),
            trouble: unread.clone(),
        }));
        let trouble = unread.or(first);
        lines.push(StatusLine::Ready(Readiness { ready: trouble.is_none(), trouble }));
        Ok(lines)
    }

    fn view(&self, ask: &AskView) -> Result<View> {
        Self::view(self, ask)
    }

    fn evidence(&self, search: &Search, visit: &mut Visit<'_>) -> Result<Basis> {
        let (folder, book) = {
            let state = self.lock();
            (state.evidence.clone(), state.book.clone())
        };
        let folder = folder.context(
            "this agent keeps no evidence: add [evidence] to its configuration, then `sensor reload`",
        )?;
        let members = search.constituency.as_deref().map(|name| book.members(name)).transpose()?;
        find(&folder, search, |source| members.as_ref().is_some_and(|members| members.has(source)), visit)
    }

    fn counts(&self, ask: &AskCounts) -> Result<Vec<Line>> {
        let store = self.lock().store.clone();
        let store = store.context(
            "this agent stores nothing: add [store] or [evidence] to its configuration, then `sensor reload`",
        )?;
        answer::counts(&store.reader(), ask)
    }

    fn notices(&self) -> Result<Book> {
        let state = self.lock();
        state.evidence.as_ref().context(
            "this agent keeps no evidence, of which notices are made: add [evidence] to its configuration, then \
             `sensor reload`",
        )?;
        Ok(state.book.clone())
    }

    fn register(&self) -> Result<Register> {
        // What was not observed is known by the counters, as of now. That they cannot be read is in the log.
        drop(self.drain());
        self.lock().exporter.told_of().context(
            "this agent keeps no evidence, of which sources are told: add [evidence] to its configuration, then \
             `sensor reload`",
        )
    }
}
