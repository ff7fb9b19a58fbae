//! Management: who may reach the host, and where.

use sensor_common::layout::Slot;
use sensor_common::policy::{MAX_RULES, MAX_SERVICES};
use toml::Spanned;

use super::error::{Problems, shown};
use super::file::PortNumber;
use super::{MAX_PREFIXES, Prefix, file, validate};

/// One `[[allow]]` rule: every source in `from` may reach every service listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// Where packets may come from: at least one prefix.
    pub from: Vec<Prefix>,
    /// TCP ports of this host.
    pub tcp: Vec<u16>,
    /// UDP ports of this host.
    pub udp: Vec<u16>,
    /// Whether ICMP and ICMPv6 echo requests are let in too.
    pub icmp_echo: bool,
}

impl Allow {
    /// The services, each as the slot that would count its packets if they were unsolicited; some may be
    /// there twice.
    pub fn services(&self) -> impl Iterator<Item = Slot> {
        let echo = [Slot::ECHO_REQUEST, Slot::ECHO_REQUEST_V6].into_iter().filter(|_| self.icmp_echo);
        let tcp = self.tcp.iter().copied().map(Slot::tcp);
        let udp = self.udp.iter().copied().map(Slot::udp);
        tcp.chain(udp).chain(echo)
    }
}

/// Checks the `[[allow]]` tables.
pub(super) fn rules(tables: &[Spanned<file::Allow>], problems: &mut Problems<'_>) -> Vec<Allow> {
    let rules: Vec<_> = tables.iter().map(|table| rule(table, problems)).collect();
    for (what, most, count) in [
        ("rules", MAX_RULES, rules.len()),
        ("sources", MAX_PREFIXES, rules.iter().map(|rule| rule.from.len()).sum()),
        ("services", MAX_SERVICES as usize, rules.iter().map(|rule| rule.services().count()).sum()),
    ] {
        if let Some(last) = tables.last().filter(|_| count > most) {
            problems.add(
                last.span().start,
                format!("{count} allow {what}, more than {most}: merge or remove some"),
            );
        }
    }
    rules
}

fn rule(table: &Spanned<file::Allow>, problems: &mut Problems<'_>) -> Allow {
    let at = table.span().start;
    let table = table.get_ref();
    if table.from.is_empty() {
        problems.add(at, "from is empty: name who may reach the host, or remove the rule");
    }
    if table.tcp.is_empty() && table.udp.is_empty() && !table.icmp_echo {
        problems.add(at, "the rule allows nothing: give it tcp or udp ports, or icmp_echo = true");
    }
    Allow {
        from: table
            .from
            .iter()
            .filter_map(|text| validate::one("prefix", text, str::parse, problems))
            .collect(),
        tcp: ports("tcp", &table.tcp, problems),
        udp: ports("udp", &table.udp, problems),
        icmp_echo: table.icmp_echo,
    }
}

fn ports(transport: &str, entries: &[Spanned<PortNumber>], problems: &mut Problems<'_>) -> Vec<u16> {
    let mut ports = Vec::with_capacity(entries.len());
    for entry in entries {
        match port(entry.get_ref()) {
            Ok(port) => ports.push(port),
            Err(problem) => problems.add(entry.span().start, format!("{transport} port {problem}")),
        }
    }
    ports
}

/// The port, or the entry with what is wrong with it and what to write.
fn port(entry: &PortNumber) -> Result<u16, String> {
    let text = match entry {
        PortNumber::Number(number) => {
            let out = |_| format!("{number} is out of bounds: write 0 to 65535");
            return u16::try_from(*number).map_err(out);
        }
        PortNumber::Text(text) => text,
    };
    // As the ports of [export] are written.
    let number = text.split_once('/').map_or(text.as_str(), |(number, _)| number).trim();
    let remedy = if let Ok(port) = number.parse::<u16>() {
        format!("is in quotes: write the number alone, {port}")
    } else if number
        .split_once(['-', ':'])
        .is_some_and(|(first, last)| [first, last].iter().all(|end| end.trim().parse::<u16>().is_ok()))
    {
        "is a range: write each port that is meant, as in [8080, 8081]".to_owned()
    } else {
        "is not a number: write the service's port, as in [22] for SSH".to_owned()
    };
    Err(format!("{} {remedy}", shown(text)))
}
