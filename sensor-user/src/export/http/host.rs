//! By which names the agent may be asked (RFC 9112 §3.2).
//!
//! The `Host` that a browser sends is the name of the web page's own site. A site whose name was made to point at the
//! agent's address could have its visitors read the agent for it; the agent answers to names of its own only. An
//! address is safe: a site that is called by one is the one that is there.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, PoisonError, RwLock};

use hyper::header::HOST;
use hyper::{Request, Version};

/// Where the kernel tells the host's name.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// Characters of a refused name that are shown.
const SHOWN: usize = 100;

/// The configured names, which a reload changes.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<RwLock<Vec<String>>>);

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not HTTP as RFC 9112 has it.
    Bad(&'static str),
    /// It is for a host of this name.
    Misdirected(String),
}

impl Names {
    /// These names.
    #[must_use]
    pub fn new(names: &[String]) -> Self {
        Self(Arc::new(RwLock::new(names.to_vec())))
    }

    /// From now on, these names.
    pub fn set(&self, names: &[String]) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = names.to_vec();
    }

    /// Whether the request is for this host.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        let mut sent = request.headers().get_all(HOST).into_iter();
        let host = match (sent.next(), sent.next()) {
            (Some(host), None) => Some(host.to_str().map_err(|_| MALFORMED)?),
            (Some(_), Some(_)) => return Err(Refusal::Bad("two Host headers: send one")),
            // Older than names; no browser sends it.
            (None, _) if request.version() < Version::HTTP_11 => None,
            (None, _) => return Err(Refusal::Bad("no Host header: HTTP/1.1 needs one")),
        };
        // A target that says itself whom it is for counts more than the header, which must be right all the same.
        let host = host.map(Host::parse).transpose()?;
        let target =
            request.uri().authority().map(|authority| Host::parse(authority.as_str())).transpose()?;
        match target.or(host) {
            Some(Host::Name(name)) if !self.has(name) => Err(Refusal::Misdirected(name.into())),
            _ => Ok(()),
        }
    }

    fn has(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        let is = |other: &str| name.eq_ignore_ascii_case(other.trim_end().trim_end_matches('.'));
        let configured = self.0.read().unwrap_or_else(PoisonError::into_inner);
        is("localhost")
            || configured.iter().any(|configured| is(configured))
            // It may change while the agent runs.
            || !name.is_empty() && fs::read_to_string(HOSTNAME).is_ok_and(|hostname| is(&hostname))
    }
}

impl Refusal {
    /// What is wrong and what to do, in a line.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Bad(what) => format!("{what}\n"),
            Self::Misdirected(name) => {
                let shown: String = name.chars().take(SHOWN).collect();
                format!(
                    "this host is not known as {shown:?}: ask by its address, or add the name to `hosts` in the \
                     sensor's configuration\n"
                )
            }
        }
    }
}

const MALFORMED: Refusal = Refusal::Bad("the Host is not a name or an address, with or without a port");

/// Whom a request is for (RFC 3986 §3.2.2).
#[derive(Debug, PartialEq, Eq)]
enum Host<'a> {
    Address,
    Name(&'a str),
}

impl<'a> Host<'a> {
    /// Reads `uri-host [ ":" port ]`.
    fn parse(text: &'a str) -> Result<Self, Refusal> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']').ok_or(MALFORMED)?;
            address.parse::<Ipv6Addr>().map_err(|_| MALFORMED)?;
            (Self::Address, port)
        } else {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            if !host.bytes().all(is_in_names) {
                return Err(MALFORMED);
            }
            (if host.parse::<Ipv4Addr>().is_ok() { Self::Address } else { Self::Name(host) }, port)
        };
        match port.strip_prefix(':') {
            None if port.is_empty() => Ok(host),
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                if digits.is_empty() || digits.parse::<u16>().is_ok() { Ok(host) } else { Err(MALFORMED) }
            }
            _ => Err(MALFORMED),
        }
    }
}

/// `reg-name` is made of these.
fn is_in_names(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("127.0.0.1", Some(Host::Address))]
    #[case("127.0.0.1:19817", Some(Host::Address))]
    #[case("192.0.2.1:", Some(Host::Address))]
    #[case("[::1]", Some(Host::Address))]
    #[case("[2001:db8::1]:80", Some(Host::Address))]
    #[case("a.example:80", Some(Host::Name("a.example")))]
    #[case("", Some(Host::Name("")))]
    #[case("127.1", Some(Host::Name("127.1")))]
    #[case("::1", None)]
    #[case("[::1", None)]
    #[case("[fe80::1%eth0]", None)]
    #[case("[127.0.0.1]", None)]
    #[case("[::1]80", None)]
    #[case("a:b", None)]
    #[case("a:65536", None)]
    #[case("a:-1", None)]
    #[case("a:80:80", None)]
    #[case("user@a", None)]
    #[case("a/b", None)]
    #[case("a b", None)]
    #[case("a, b", None)]
    fn hosts_are_read_as_the_rfc_has_them(#[case] text: &str, #[case] expected: Option<Host<'_>>) {
        assert_eq!(Host::parse(text).ok(), expected);
    }

    #[rstest]
    #[case("localhost", true)]
    #[case("LocalHost.", true)]
    #[case("a.example", true)]
    #[case("A.EXAMPLE", true)]
    #[case("example", false)]
    #[case("b.a.example", false)]
    #[case("", false)]
    #[case(".", false)]
    fn names_are_those_of_the_configuration(#[case] name: &str, #[case] expected: bool) {
        assert_eq!(Names::new(&["a.example".into()]).has(name), expected);
    }

    #[test]
    fn the_hosts_own_name_is_one() {
        let own = fs::read_to_string(HOSTNAME).unwrap();
        assert!(Names::default().has(own.trim_end()));
    }

    #[test]
    fn a_refusal_shows_no_more_than_it_must() {
        let text = Refusal::Misdirected("é".repeat(1000)).text();
        assert_eq!(text.matches('é').count(), SHOWN);
    }
}
