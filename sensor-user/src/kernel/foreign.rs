//! Which programs are on an interface beside the XDP program: tc's filters and TCX's links.

use std::fmt;

use anyhow::{Context, Result};
use aya::programs::{SchedClassifier, TcAttachType};
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcFilterBpfOption, TcHandle, TcMessage, TcOption};
use netlink_sys::protocols::NETLINK_ROUTE;

use super::host::{Interface, ask, loaded_programs};

/// A program or filter that sees packets of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcProgram {
    /// Its name; a filter that is no BPF program has its kind for a name.
    pub name: String,
    /// Its number, if it is a BPF program.
    pub id: Option<u32>,
    /// Whether it sees what goes out, and not what comes in.
    pub egress: bool,
}

impl fmt::Display for TcProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, if self.egress { "egress" } else { "ingress" })
    }
}

/// The name of a loaded program, if it may be known.
#[must_use]
pub fn program_name(id: u32) -> Option<String> {
    let program = loaded_programs().find_map(|program| program.ok().filter(|program| program.id() == id))?;
    program.name_as_str().map(str::to_owned)
}

/// Whether this user may list the kernel's programs: without, neither names nor TCX's links are known.
#[must_use]
pub fn may_list_programs() -> bool {
    loaded_programs().next().is_none_or(|first| first.is_ok())
}

/// The programs and filters on an interface, both ways. Those of TCX (Linux 6.6) are left out without privileges.
///
/// # Errors
/// The kernel does not answer.
pub fn tc_programs(interface: &Interface) -> Result<Vec<TcProgram>> {
    let mut programs = tc_programs_of(interface, false)?;
    programs.extend(tc_programs_of(interface, true)?);
    Ok(programs)
}

/// Likewise, those that see what goes out, or those that see what comes in.
///
/// # Errors
/// The kernel does not answer.
pub fn tc_programs_of(interface: &Interface, egress: bool) -> Result<Vec<TcProgram>> {
    let attach_type = if egress { TcAttachType::Egress } else { TcAttachType::Ingress };
    // An older kernel does not know the question.
    let linked = SchedClassifier::query_tcx(&interface.name, attach_type).map(|(_, linked)| linked);
    let linked = linked.unwrap_or_default().into_iter().map(|program| TcProgram {
        name: program.name_as_str().unwrap_or("without a name").to_owned(),
        id: Some(program.id()),
        egress,
    });
    // Each filter comes with a head of its chain, which has no options.
    let filters = filters(interface, egress)?;
    let filters = filters.iter().filter_map(|filter| {
        let (name, id) = describe(&filter.attributes)?;
        Some(TcProgram { name, id, egress })
    });
    Ok(linked.chain(filters).collect())
}

/// The filters of `clsact`; none on an interface without.
fn filters(interface: &Interface, egress: bool) -> Result<Vec<TcMessage>> {
    let mut question = TcMessage::default();
    question.header.index =
        i32::try_from(interface.index).context("an interface's number is out of bounds")?;
    question.header.parent =
        TcHandle { major: 0xffff, minor: if egress { TcHandle::MIN_EGRESS } else { TcHandle::MIN_INGRESS } };
    let question = RouteNetlinkMessage::GetTrafficFilter(question);
    let answer = match ask(NETLINK_ROUTE, NLM_F_REQUEST | NLM_F_DUMP, question) {
        Ok(answer) => answer,
        // Nothing can hang on an interface without clsact.
        Err(error) if error.raw_os_error().is_some() => return Ok(Vec::new()),
        Err(error) => return Err(error).context("cannot ask the kernel for its tc filters"),
    };
    let filters = answer.into_iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewTrafficFilter(filter) => Some(filter),
        _ => None,
    });
    Ok(filters.collect())
}

/// A filter's name and its program's number.
fn describe(attributes: &[TcAttribute]) -> Option<(String, Option<u32>)> {
    let options = attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Options(options) => Some(options),
        _ => None,
    })?;
    let id = options.iter().find_map(|option| match option {
        TcOption::Bpf(TcFilterBpfOption::ProgId(id)) => Some(*id),
        _ => None,
    });
    let program = options.iter().find_map(|option| match option {
        TcOption::Bpf(TcFilterBpfOption::ProgName(name)) => Some(name.clone()),
        _ => None,
    });
    let kind = || {
        attributes.iter().find_map(|attribute| match attribute {
            TcAttribute::Kind(kind) => Some(format!("a {kind} filter")),
            _ => None,
        })
    };
    Some((program.or_else(kind)?, id))
}
