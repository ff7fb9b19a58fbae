//! What is seen of the host, and what to propose of it: interfaces, their addresses, and who is logged in.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use anyhow::Result;

use crate::config::Prefix;
use crate::kernel::{Framing, HostAddress, Interface, Links, Sockets, stacked};
use crate::preflight::{Login, Logins};

/// An IPv6 host changes its address within this many bits from day to day (RFC 8981).
const NETWORK: u8 = 64;

/// What is seen.
pub(super) struct Seen {
    interfaces: Vec<Interface>,
    /// The numbers of those that default routes depend on.
    default_route: HashSet<u32>,
    /// The ports of bridges that lead to guests: number and name.
    guests: Vec<(u32, String)>,
    addresses: Vec<HostAddress>,
    /// Those whose sessions there are.
    logins: Vec<Login>,
}

impl Seen {
    /// Looks.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn now() -> Result<Self> {
        let links = Links::now()?;
        let Logins { own, all, .. } = Logins::now();
        let sockets = Sockets::now()?;
        Ok(Self {
            interfaces: Interface::all()?,
            default_route: links.below_default_routes()?,
            guests: links.of_guests().collect(),
            addresses: links.addresses()?,
            logins: own.union(&all).filter(|login| login.is_among(&sockets)).copied().collect(),
        })
    }

    /// The interfaces that packets from afar come in by first: of those that stand on each other, the lowest. By those that
    /// lead to guests, nothing comes from afar.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn proposed(&self) -> Result<Vec<String>> {
        let is_way = |it: &&Interface| {
            it.up
                && it.framing == Framing::Ethernet
                && self.default_route.contains(&it.index)
                && self.guests.iter().all(|(index, _)| *index != it.index)
        };
        let carriers: Vec<_> = self.interfaces.iter().filter(is_way).collect();
        let indices: Vec<_> = carriers.iter().map(|it| it.index).collect();
        let uppers: HashSet<_> = stacked(&indices)?.into_iter().map(|(_, upper)| upper).collect();
        let lowest = carriers.into_iter().filter(|it| !uppers.contains(&it.index));
        Ok(lowest.map(|it| it.name.clone()).collect())
    }

    /// The names of those that default routes depend on and that lead to guests.
    pub fn to_guests(&self) -> Vec<&str> {
        let guests = self.guests.iter().filter(|(index, _)| self.default_route.contains(index));
        guests.map(|(_, name)| name.as_str()).collect()
    }

    /// The host's own addresses whose packets come in by these interfaces from afar, without those that it is about to
    /// give up.
    pub fn addresses(&self, through: &[Interface]) -> Vec<Prefix> {
        self.reached(through, false)
    }

    /// Those that it is about to give up.
    pub fn fleeting(&self, through: &[Interface]) -> Vec<Prefix> {
        self.reached(through, true)
    }

    fn reached(&self, through: &[Interface], fleeting: bool) -> Vec<Prefix> {
        let is_through = |host: &&HostAddress| through.iter().any(|it| host.through.contains(&it.index));
        let hosts = self.addresses.iter().filter(is_through);
        let hosts = hosts.filter(|host| host.fleeting == fleeting && is_global(host.address));
        let prefixes: BTreeSet<_> = hosts.map(|host| Prefix::around(host.address, 128)).collect();
        prefixes.into_iter().collect()
    }

    /// From where sessions to these addresses were logged in to over SSH, and the ports that they are at.
    pub fn logged_in(&self, monitored: &[Prefix]) -> (Vec<Prefix>, Vec<u16>) {
        let is_monitored =
            |login: &&Login| monitored.iter().any(|it| it.contains(Prefix::around(login.local.ip(), 128)));
        let concerned: Vec<_> = self.logins.iter().filter(is_monitored).collect();
        let from: BTreeSet<_> = concerned.iter().map(|login| around(login.remote.ip())).collect();
        let ports: BTreeSet<_> = concerned.iter().map(|login| login.local.port()).collect();
        (from.into_iter().collect(), ports.into_iter().collect())
    }
}

/// Where somebody with this address will come from again.
fn around(address: IpAddr) -> Prefix {
    Prefix::around(address, if address.is_ipv4() { 32 } else { NETWORK })
}

/// Whether anybody beyond the link may send to it.
fn is_global(address: IpAddr) -> bool {
    let is_of_the_link = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !is_of_the_link && !address.is_loopback() && !address.is_unspecified() && !address.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(index: u32) -> Interface {
        let name = format!("eth{index}");
        Interface { name, index, mtu: 1_500, up: true, framing: Framing::Ethernet, xdp: None }
    }

    fn seen() -> Seen {
        let host = |address: &str, through: &[u32]| HostAddress {
            address: address.parse().unwrap(),
            through: through.iter().copied().collect(),
            fleeting: address.ends_with("f1ee"),
        };
        let login = |value: &str| Login::parse(value).unwrap();
        Seen {
            interfaces: vec![interface(1), interface(2)],
            default_route: [1, 3].into(),
            guests: vec![(3, "tap3".to_owned()), (4, "tap4".to_owned())],
            addresses: vec![
                host("127.0.0.1", &[]),
                host("198.51.100.7", &[1]),
                host("169.254.3.4", &[1]),
                host("fe80::7", &[1]),
                host("2001:db8:7::7", &[1]),
                host("2001:db8:7::f1ee", &[1]),
                host("192.0.2.7", &[2]),
                // On a bridge or a dummy, behind both.
                host("203.0.113.7", &[1, 2]),
            ],
            logins: vec![
                login("203.0.113.9 50022 198.51.100.7 22"),
                login("203.0.113.9 50023 198.51.100.7 2222"),
                login("2001:db8:9::9 50022 2001:db8:7::7 22"),
                login("192.0.2.9 50022 192.0.2.7 22"),
            ],
        }
    }

    fn texts(prefixes: &[Prefix]) -> Vec<String> {
        prefixes.iter().map(Prefix::to_string).collect()
    }

    #[test]
    fn addresses_are_those_that_are_reached_from_afar() {
        let seen = seen();
        let by_one = ["198.51.100.7/32", "203.0.113.7/32", "2001:db8:7::7/128"];
        assert_eq!(texts(&seen.addresses(&[interface(1)])), by_one);
        assert_eq!(texts(&seen.addresses(&[interface(2)])), ["192.0.2.7/32", "203.0.113.7/32"]);
        assert_eq!(seen.addresses(&[interface(3)]), []);
        assert_eq!(texts(&seen.fleeting(&[interface(1)])), ["2001:db8:7::f1ee/128"]);
        assert_eq!(seen.fleeting(&[interface(2)]), []);
    }

    #[test]
    fn what_leads_to_guests_is_left_out() {
        assert_eq!(seen().to_guests(), ["tap3"], "no default route depends on the other");
    }

    #[test]
    fn who_is_logged_in_where_it_is_watched_is_let_in() {
        let seen = seen();
        let (from, ports) = seen.logged_in(&seen.addresses(&[interface(1)]));
        assert_eq!(
            (texts(&from), ports),
            (vec!["203.0.113.9/32".into(), "2001:db8:9::/64".into()], vec![22, 2_222])
        );
        assert_eq!(seen.logged_in(&["100.64.0.0/10".parse().unwrap()]), (vec![], vec![]));
    }
}
