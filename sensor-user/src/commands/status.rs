//! `sensor status`: what the running agent is doing, in a few lines.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use crate::kernel::check_names;
use crate::socket::{Client, Line, Question};
use crate::status::{Readiness, StatusLine, for_people};
use crate::{cli, output};

/// How long the agent may take to look: it may be in the middle of a reload.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the agent, and prints what it says.
///
/// # Errors
/// No agent answers, or something is wrong with it: what, and what to do.
pub fn run(arguments: &cli::Status) -> Result<()> {
    let cli::Asked { pins, socket } = &arguments.agent;
    check_names(pins)?;
    let mut agent = Client::connect(pins, socket.as_deref())?;
    agent.ask(&Question::Status, PATIENCE)?;
    let (mut json, mut lines) = (String::new(), Vec::new());
    while let Some(line) = agent.next_line()? {
        let Line::Object(object) = line else { continue };
        writeln!(json, "{object}")?;
        // What a newer agent says beyond that is for newer commands.
        lines.extend(serde_json::from_value::<StatusLine>(object).ok());
    }
    json += "{\"end\":true}\n";
    output::print(&if arguments.json { json } else { for_people(&lines) })?;
    is_well(&lines)
}

/// Whether all is well, by these lines.
///
/// # Errors
/// It is not: what is wrong, and what to do.
fn is_well(lines: &[StatusLine]) -> Result<()> {
    let readiness = lines.iter().find_map(|line| match line {
        StatusLine::Ready(readiness) => Some(readiness),
        _ => None,
    });
    match readiness {
        // What is ready counts; that something cannot be written is wrong all the same.
        Some(Readiness { ready: true, .. }) => {
            unwritten(lines).map_or(Ok(()), |trouble| Err(anyhow!(trouble)))
        }
        Some(Readiness { trouble: Some(trouble), .. }) => Err(anyhow!(trouble.clone())),
        _ => bail!("the agent does not say whether all is well: see its log"),
    }
}

/// Why evidence, the store or the event log cannot be written, if one cannot.
fn unwritten(lines: &[StatusLine]) -> Option<String> {
    lines.iter().find_map(|line| match line {
        StatusLine::Evidence(evidence) => evidence.trouble.clone(),
        StatusLine::Store(store) => store.trouble.clone(),
        StatusLine::Notices(notices) => notices.trouble.clone(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::status::{EvidenceStatus, NoticesStatus, StoreStatus};

    #[rstest]
    #[case::well(Some((true, None)), &[None], None)]
    #[case::without_a_store(Some((true, None)), &[], None)]
    #[case::the_store_fails(Some((true, None)), &[Some("its disk is full")], Some("its disk is full"))]
    #[case::not_attached(Some((false, Some("it is gone"))), &[None], Some("it is gone"))]
    #[case::what_counts_comes_first(Some((false, Some("it is gone"))), &[Some("its disk is full")], Some("it is gone"))]
    #[case::nothing_is_said(None, &[None], Some("does not say"))]
    fn whoever_looks_at_the_exit_code_learns_of_the_store(
        #[case] ready: Option<(bool, Option<&str>)>,
        #[case] store: &[Option<&str>],
        #[case] error: Option<&str>,
    ) {
        let ready = ready.map(|(ready, trouble)| {
            StatusLine::Ready(Readiness { ready, trouble: trouble.map(str::to_owned) })
        });
        let store = store.iter().map(|trouble| {
            StatusLine::Store(StoreStatus { trouble: trouble.map(str::to_owned), ..StoreStatus::default() })
        });
        let lines: Vec<_> = ready.into_iter().chain(store).collect();
        let said = is_well(&lines).err().map(|error| error.to_string());
        assert_eq!(said.is_some(), error.is_some(), "{said:?}");
        assert!(said.unwrap_or_default().contains(error.unwrap_or_default()));
    }

    #[test]
    fn and_of_evidence() {
        let ready = StatusLine::Ready(Readiness { ready: true, trouble: None });
        let trouble = Some("its disk is full".to_owned());
        let evidence = StatusLine::Evidence(EvidenceStatus { trouble, ..EvidenceStatus::default() });
        assert_eq!(is_well(&[evidence, ready]).unwrap_err().to_string(), "its disk is full");
    }

    #[rstest]
    #[case::no_log(None)]
    #[case::the_log_fails(Some("its disk is full"))]
    fn and_of_the_event_log(#[case] trouble: Option<&str>) {
        let trouble = trouble.map(str::to_owned);
        let ready = StatusLine::Ready(Readiness { ready: true, trouble: None });
        let notices = NoticesStatus { trouble: trouble.clone(), ..NoticesStatus::default() };
        let said = is_well(&[ready, StatusLine::Notices(notices)]).err().map(|error| error.to_string());
        assert_eq!(said, trouble);
    }
}
