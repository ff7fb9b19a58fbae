//! What can be told of the arguments of `sensor-fleet report` by looking at them.
//!
//! Each check gives the value, or the cause and the remedy in words that read on from the value itself.

use ureq::http::Uri;
use ureq::http::uri::Authority;

/// The address of a Prometheus.
///
/// # Errors
/// What is wrong with it.
pub fn url(text: &str) -> Result<String, &'static str> {
    let wrong = "is no address: write http://HOST:PORT or https://HOST";
    let uri: Uri = text.parse().map_err(|_| wrong)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(wrong);
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("has a password that everybody on this host can see: pass a --token-file instead");
    }
    if uri.authority().is_some_and(|authority| !has_usable_port(authority)) {
        return Err("has no port from 1 to 65535 after its colon: write http://HOST:PORT");
    }
    if text.contains('#') {
        return Err("has a fragment, which no server is told: leave it out");
    }
    if uri.query().is_some() {
        return Err("has a query: leave it out");
    }
    Ok(text.to_owned())
}

/// Whether there is no port, or one that can be asked: `99999` is read as none.
fn has_usable_port(authority: &Authority) -> bool {
    let port = authority.as_str().strip_prefix(authority.host()).and_then(|rest| rest.strip_prefix(':'));
    port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// A rate above 0 and below 1.
///
/// # Errors
/// What is wrong with it.
pub fn rate(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(rate) if 0.0 < rate && rate < 1.0 => Ok(rate),
        _ => Err("is not between 0 and 1: write a rate such as 0.05"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("http://127.0.0.1:9090", true)]
    #[case("https://prometheus.example/one/", true)]
    #[case("http://[::1]:9090", true)]
    #[case("127.0.0.1:9090", false)]
    #[case("localhost", false)]
    #[case("ftp://prometheus", false)]
    #[case("http://", false)]
    #[case("http://user:secret@prometheus", false)]
    #[case("http://prometheus/?query=up", false)]
    #[case("http://[::1]", true)]
    #[case("http://127.0.0.1:65535", true)]
    #[case("http://127.0.0.1:99999", false)]
    #[case("http://127.0.0.1:0", false)]
    #[case("http://127.0.0.1:", false)]
    #[case("http://[::1]:99999", false)]
    #[case("http://prometheus/#/graph", false)]
    fn an_address_is_whole(#[case] text: &str, #[case] good: bool) {
        assert_eq!(url(text).is_ok(), good);
    }

    #[rstest]
    #[case("0.05", true)]
    #[case("0", false)]
    #[case("1", false)]
    #[case("NaN", false)]
    #[case("5%", false)]
    fn a_rate_is_a_part(#[case] text: &str, #[case] good: bool) {
        assert_eq!(rate(text).is_ok(), good);
    }
}
