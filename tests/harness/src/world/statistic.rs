//! What a namespace's IP stack has counted since its beginning.

use std::fs::read_to_string;

use anyhow::{Context as _, Result};

use crate::namespace::Namespace;

/// A counter by its name in `/proc/net/snmp6`; IPv4's are named likewise, `IpReasmOKs` for one.
pub(super) fn read(namespace: &Namespace, name: &str) -> Result<u64> {
    let file = |name| read_to_string(format!("/proc/thread-self/net/{name}"));
    let (v4, v6) = namespace.run(|| (file("snmp"), file("snmp6")))?;
    let (v4, v6) = (v4.context("/proc/net/snmp")?, v6.context("/proc/net/snmp6")?);
    let number = in_snmp(&v4, name).or_else(|| in_snmp6(&v6, name));
    let number = number.with_context(|| format!("there is no counter {name}"))?;
    number.parse().with_context(|| format!("the counter {name} is no number: {number}"))
}

/// Of each protocol a line of names and one of numbers, its own name before both.
fn in_snmp<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    let lines: Vec<_> = text.lines().filter_map(|line| line.split_once(": ")).collect();
    lines.chunks(2).find_map(|pair| {
        let [(protocol, names), (_, numbers)] = pair else { return None };
        let wanted = name.strip_prefix(protocol)?;
        let mut counters = names.split(' ').zip(numbers.split(' '));
        counters.find(|(name, _)| *name == wanted).map(|(_, number)| number)
    })
}

/// A line each: name, blanks, number.
fn in_snmp6<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(char::is_whitespace)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_their_whole_names() {
        let v4 = "Ip: Forwarding InReceives\nIp: 2 7\nTcp: MaxConn InSegs\nTcp: -1 9\n";
        assert_eq!(in_snmp(v4, "IpInReceives"), Some("7"));
        assert_eq!(in_snmp(v4, "TcpInSegs"), Some("9"));
        assert_eq!(in_snmp(v4, "IpInSegs"), None);
        let v6 = "Ip6InReceives                   \t5\nIp6InReceivesMore \t6\n";
        assert_eq!(in_snmp6(v6, "Ip6InReceives"), Some("5"));
        assert_eq!(in_snmp6(v6, "Ip6In"), None);
    }
}
