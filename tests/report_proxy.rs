//! `sensor-fleet report` through a proxy with TLS that wants a token, as Prometheus stands in most houses; and what is said of
//! a way there that is not quite right.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, bail};
use jiff::civil::date;
use sensor_fleet::simulation::options::Options;
use sensor_harness::needs;
use sensor_harness::prometheus;
use sensor_harness::proxy::{Proxy, TOKEN, nginx};
use sensor_harness::report::WrittenReport;
use sensor_tests::served::Served;

const PROXY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9_443);
const RIGHT: &str = "https://localhost:9443/prometheus";
const PERIOD: &str = "--from 2023-12-31 --to 2024-01-02";

#[test]
fn a_report_comes_through_tls_and_with_a_token() -> Result<()> {
    needs!(nginx());
    needs!(prometheus::installed());
    let Served { truth, mut server, namespace } =
        Served::new(&Options::days(3, 3, date(2024, 1, 3))?, false)?;
    let proxy = Proxy::start(&namespace, PROXY, server.listen)?;
    let file = |name: &str, text: &str| -> Result<String> {
        std::fs::write(proxy.path(name), text)?;
        Ok(proxy.path(name).display().to_string())
    };
    let token = format!("--token-file {}", file("token", &format!("{TOKEN}\n"))?);
    let wrong = format!("--token-file {}", file("wrong-token", "guessed")?);
    let authority = format!("--ca {}", proxy.path("authority.pem").display());
    let write = |url: &str, flags: &[&str]| {
        WrittenReport::write_from(&namespace, url, &format!("{PERIOD} {}", flags.join(" ")))
    };

    let report = write(RIGHT, &[&token, &authority]).with_context(|| proxy.log())?;
    let simulated: u64 = truth.sensors.iter().flat_map(|sensor| sensor.packets.iter().flatten()).sum();
    assert_eq!(report.total(), Some(simulated));

    let ways = [
        (RIGHT, vec![&authority], "denies access (401 Unauthorized): pass --token-file FILE"),
        (RIGHT, vec![&authority, &wrong], "correct the token in the file that --token-file names"),
        (RIGHT, vec![&token], "pass --ca FILE with who signs it"),
        (
            "https://127.0.0.1:9443/prometheus",
            vec![&token, &authority],
            "cannot reach https://127.0.0.1:9443",
        ),
        ("http://localhost:9443/prometheus", vec![&token], "with https:// if it has TLS"),
        ("https://localhost:9443", vec![&token, &authority], "gave 404 Not Found with text/html"),
        (
            "https://localhost:9090",
            vec![&token, &authority],
            "check --prometheus, whether it runs and has TLS",
        ),
    ];
    for (url, flags, words) in ways {
        let flags: Vec<&str> = flags.into_iter().map(String::as_str).collect();
        let said = refused(write(url, &flags))?;
        assert!(said.contains(words) && said.contains(url), "{url} {flags:?}: {said}");
    }

    server.kill()?;
    let said = refused(write(RIGHT, &[&token, &authority]))?;
    assert!(said.contains("fails with 502 Bad Gateway: look at its log, or at the proxy's"), "{said}");
    Ok(())
}

#[test]
fn a_prometheus_that_gives_up_says_what_to_give_it() -> Result<()> {
    needs!(prometheus::installed());
    let Served { mut server, namespace, .. } = Served::new(&Options::days(3, 3, date(2024, 1, 3))?, false)?;
    server.kill()?;
    server.start_again_with(&["--query.max-samples=1"])?;
    let said = refused(WrittenReport::write(&namespace, &server, PERIOD))?;
    assert!(said.contains("give it a larger --query.max-samples"), "{said}");
    Ok(())
}

/// The one line that a report is refused with.
fn refused(report: Result<WrittenReport>) -> Result<String> {
    let Err(error) = report else { bail!("it was written") };
    let said = error.to_string();
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    Ok(said)
}
