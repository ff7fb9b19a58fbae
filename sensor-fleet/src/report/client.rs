//! Asking a Prometheus, or something that answers like one.
//!
//! Whatever else is at the other end, a proxy that wants a token, a server that gives up, a page for people, ends
//! as one line that says so; a partial answer is never taken for a whole one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// Prometheus has `offset` with negative times from this version on, which days are read with.
const OLDEST: (u32, u32) = (2, 33);
/// Longest answer, in bytes: ten years of a sensor that exports every port.
const LONGEST: u64 = 4 << 30;
/// How much of an error's text is shown, in characters.
const SHOWN: usize = 200;

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its address, such as `http://127.0.0.1:9090`, with a path if it is behind one.
    pub url: String,
    /// What to send as `Authorization: Bearer`.
    pub token: Option<String>,
    /// Who signs its certificate, if not one of those that the system trusts.
    pub authorities: Option<Vec<Certificate<'static>>>,
    /// How long an answer may take.
    pub patience: Duration,
}

impl Server {
    /// With what the files hold.
    ///
    /// # Errors
    /// A file cannot be read, or does not hold what it should.
    pub fn new(
        url: &str,
        token: Option<&Path>,
        authority: Option<&Path>,
        patience: Duration,
    ) -> Result<Self> {
        let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let token = token.map(|path| {
            let token = String::from_utf8_lossy(&read(path)?).trim().to_owned();
            let usable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
            ensure!(usable, "{} holds no token: write it there, on one line", path.display());
            Ok(token)
        });
        let authorities = authority.map(|path| authorities(path, &read(path)?));
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { url, token: token.transpose()?, authorities: authorities.transpose()?, patience })
    }
}

/// A connection to a server, shared by threads.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    server: Server,
}

/// A series of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Times in Unix seconds, and values.
    pub values: Vec<(i64, f64)>,
}

impl Series {
    /// A label's value; an empty one is the same as none.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

#[derive(Deserialize)]
struct Answer<'a, T> {
    data: Option<T>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    warnings: Vec<Cow<'a, str>>,
    /// How VictoriaMetrics' cluster says that some of its stores did not answer.
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
}

#[derive(Deserialize)]
struct Matrix<'a> {
    #[serde(borrow)]
    result: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    metric: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(borrow)]
    values: Vec<(f64, Cow<'a, str>)>,
}

#[derive(Deserialize)]
struct BuildInfo<'a> {
    #[serde(borrow, default)]
    version: Cow<'a, str>,
    /// Only Prometheus itself tells it.
    #[serde(borrow, default, rename = "goVersion")]
    go_version: Cow<'a, str>,
    /// What else there is tells its own name.
    #[serde(borrow, default)]
    application: Cow<'a, str>,
}

impl Client {
    /// Makes sure that a Prometheus answers there.
    ///
    /// # Errors
    /// It can't be reached, is too old, wants a token, or is something else.
    pub fn connect(server: Server) -> Result<Self> {
        let mut tls = TlsConfig::builder();
        tls = tls.root_certs(match &server.authorities {
            None => RootCerts::PlatformVerifier,
            Some(authorities) => authorities.clone().into(),
        });
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A redirected POST would become a GET, and a token would go to somebody else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(server.patience))
            .user_agent(concat!("sensor/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build())
            .build()
            .into();
        let client = Self { agent, server };
        client.check_version()?;
        client.range("vector(1)", (0, 0), 1)?;
        Ok(client)
    }

    fn check_version(&self) -> Result<()> {
        let url = format!("{}/api/v1/status/buildinfo", self.server.url);
        let request = self.agent.get(&url);
        let response = match &self.server.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")).call(),
            None => request.call(),
        };
        let response = response.map_err(|error| self.unreachable(&error))?;
        // Thanos and others may not say what they are; whether they answer queries will be seen.
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(());
        }
        let text = self.text(response)?;
        let Some(BuildInfo { version, go_version, application }) = self.data(&text)? else { return Ok(()) };
        let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
        let number = numbers.next().zip(numbers.next());
        // Thanos Query tells as much as Prometheus, and is at 0.x; what has another number, or none, will be seen.
        let is_old = number.is_some_and(|number| ((1, 0)..OLDEST).contains(&number));
        if !go_version.is_empty() && application.is_empty() && is_old {
            let (major, minor) = OLDEST;
            bail!("{} is Prometheus {version}: update it to {major}.{minor} or newer", self.server.url);
        }
        Ok(())
    }

    /// What an expression gives from one time to another, both included, in steps; times in Unix seconds, the
    /// step in seconds.
    ///
    /// # Errors
    /// There is no answer, no whole one, or it is an error.
    pub fn range(&self, expression: &str, (start, end): (i64, i64), step: i64) -> Result<Vec<Series>> {
        let url = format!("{}/api/v1/query_range", self.server.url);
        let mut request = self.agent.post(&url);
        if let Some(token) = &self.server.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let [start, end, step] = [start, end, step].map(|number| number.to_string());
        let form = [("query", expression), ("start", &start), ("end", &end), ("step", &step)];
        let response = request.send_form(form).map_err(|error| self.unreachable(&error))?;
        let text = self.text(response)?;
        let matrix: Matrix = self.data(&text)?.ok_or_else(|| self.no_prometheus("an answer without data"))?;
        matrix.result.into_iter().map(|row| self.series(row)).collect()
    }

    fn series(&self, row: Row) -> Result<Series> {
        let labels = row.metric.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned()));
        let values = row.values.iter().map(|(time, value)| {
            let value = value.parse().map_err(|_| self.no_prometheus("a sample that is no number"))?;
            #[expect(clippy::cast_possible_truncation, reason = "times are those that were asked for")]
            Ok((*time as i64, value))
        });
        Ok(Series { labels: labels.collect(), values: values.collect::<Result<_>>()? })
    }

    /// An answer's text, if it is one that a Prometheus may give.
    fn text(&self, mut response: Response<Body>) -> Result<String> {
        let (status, url) = (response.status(), &self.server.url);
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let mend = match self.server.token {
                Some(_) => "mend the token in the file that --token-file names",
                None => "pass --token-file FILE with a token that may read",
            };
            bail!("{url} lets us not in ({status}): {mend}");
        }
        if status.is_redirection() {
            let to = response.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
            bail!("{url} points to {to}: pass that as --prometheus, if it is right");
        }
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with("application/json")) {
            let kind = kind.unwrap_or("no type").to_owned();
            if status.is_server_error() {
                bail!("{url} fails with {status}: look at its log, or at the proxy's before it");
            }
            return Err(self.no_prometheus(&format!("{status} with {kind}")));
        }
        let body = response.body_mut().with_config().limit(LONGEST).read_to_string();
        body.map_err(|error| self.unreachable(&error))
    }

    fn data<'a, T: Deserialize<'a>>(&self, text: &'a str) -> Result<Option<T>> {
        let Answer { data, error, warnings, is_partial } = serde_json::from_str(text)
            .map_err(|error| self.no_prometheus(&format!("JSON of another form ({error})")))?;
        if let Some(error) = error {
            let error = shortened(&error);
            bail!("{} refuses the query: {error}{}", self.server.url, mend(&error));
        }
        // Prometheus 3 says what looks odd in a query as a warning too; that makes no answer partial.
        let warning = warnings.iter().find(|warning| !warning.starts_with("PromQL"));
        let partial = warning.map(AsRef::as_ref).or(is_partial.then_some("a store did not answer"));
        if let Some(why) = partial {
            let why = shortened(why);
            bail!("{} has only part of the answer: {why}; bring its stores back first", self.server.url);
        }
        Ok(data)
    }

    fn no_prometheus(&self, what: &str) -> anyhow::Error {
        let url = &self.server.url;
        let mend = "pass the address whose /api/v1 is Prometheus', with https:// if it has TLS";
        anyhow!("{url} is not a Prometheus, it gave {what}: {mend}")
    }

    fn unreachable(&self, error: &ureq::Error) -> anyhow::Error {
        let (url, seconds) = (&self.server.url, self.server.patience.as_secs());
        match error {
            ureq::Error::Timeout(_) => {
                anyhow!(
                    "{url} did not answer within {seconds} s: pass a longer --timeout, or a shorter period"
                )
            }
            ureq::Error::BodyExceedsLimit(_) => anyhow!("{url} gives too long an answer: ask for fewer days"),
            ureq::Error::HostNotFound => anyhow!("{url}: there is no such host: check --prometheus"),
            error => {
                let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                let mend = if url.starts_with("https:") {
                    "check --prometheus, whether it runs and has TLS, and pass --ca FILE with who signs it"
                } else {
                    "check --prometheus, and whether it runs"
                };
                anyhow!("cannot reach {url}: {cause}: {mend}")
            }
        }
    }
}

/// What helps against an error that Prometheus gives.
fn mend(error: &str) -> &'static str {
    if error.contains("timed out") || error.contains("timeout") {
        "; give it a longer --query.timeout"
    } else if error.contains("too many samples") {
        "; give it a larger --query.max-samples"
    } else {
        ""
    }
}

fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(SHOWN).collect()
}

/// The certificates in a file, of which there must be one.
fn authorities(path: &Path, pem: &[u8]) -> Result<Vec<Certificate<'static>>> {
    let path = path.display();
    let items = parse_pem(pem).collect::<Result<Vec<_>, _>>();
    let items = items.map_err(|error| anyhow!("{path} is no PEM ({error}): pass another file as --ca"))?;
    let certificates: Vec<_> = items
        .into_iter()
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    ensure!(!certificates.is_empty(), "{path} holds no certificate: pass one in PEM form as --ca");
    Ok(certificates)
}

#[cfg(test)]
mod tests;
