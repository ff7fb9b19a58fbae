//! Asking a Prometheus, or something that answers like one.
//!
//! Whatever else is at the other end, a proxy that wants a token, a server that gives up, a page for people, ends
//! as one line that says so; a partial answer is never taken for a whole one.

mod answer;
#[cfg(test)]
mod tests;
mod wait;

use std::error::Error as _;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fmt, fs, io, thread};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

pub use self::answer::Series;
use self::answer::{Answer, BuildInfo, LONGEST, Matrix};
use crate::output;

/// Prometheus has `offset` with negative times from this version on, which days are read with.
const OLDEST: (u32, u32) = (2, 33);
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
    /// How long an answer may take, whatever the server has us wait for it included.
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

/// An answer that is longer than is taken at once.
#[derive(Debug)]
struct TooLong(String);

impl std::error::Error for TooLong {}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = LONGEST >> 20;
        write!(
            f,
            "{} gives more than {mebibytes} MiB on a day of one sensor: look at what it records",
            self.0
        )
    }
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
            .user_agent(concat!("sensor-fleet/", env!("CARGO_PKG_VERSION")))
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
        let response = self.patiently(|left| {
            let request = self.agent.get(&url).config().timeout_global(Some(left)).build();
            match self.authorization() {
                Some(token) => request.header("Authorization", token).call(),
                None => request.call(),
            }
        })?;
        // Thanos and others may not say what they are; whether they answer queries will be seen.
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(());
        }
        let (status, text) = self.text(response)?;
        let Some(BuildInfo { version, go_version, application }) = self.data(status, &text)? else {
            return Ok(());
        };
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
    /// step in seconds. A series may come in several parts, each with other times.
    ///
    /// # Errors
    /// There is no answer, no whole one, or it is an error.
    pub fn range(&self, expression: &str, (start, end): (i64, i64), step: i64) -> Result<Vec<Series>> {
        let steps = (end - start) / step;
        match self.query(expression, (start, end), step) {
            Err(error) if error.is::<TooLong>() && steps > 0 => {
                let middle = start + steps / 2 * step;
                let mut series = self.range(expression, (start, middle), step)?;
                series.extend(self.range(expression, (middle + step, end), step)?);
                Ok(series)
            }
            answer => answer,
        }
    }

    fn query(&self, expression: &str, (start, end): (i64, i64), step: i64) -> Result<Vec<Series>> {
        let url = format!("{}/api/v1/query_range", self.server.url);
        let [start, end, step] = [start, end, step].map(|number| number.to_string());
        let form = [("query", expression), ("start", &start), ("end", &end), ("step", &step)];
        let response = self.patiently(|left| {
            let mut request = self.agent.post(&url).config().timeout_global(Some(left)).build();
            if let Some(token) = self.authorization() {
                request = request.header("Authorization", token);
            }
            request.send_form(form)
        })?;
        let (status, text) = self.text(response)?;
        let matrix: Matrix =
            self.data(status, &text)?.ok_or_else(|| self.no_prometheus("an answer without data"))?;
        Ok(matrix.into_series().collect())
    }

    fn authorization(&self) -> Option<String> {
        self.server.token.as_ref().map(|token| format!("Bearer {token}"))
    }

    /// Asks, and asks again for as long as the server wants to be asked later, within the time that an answer may
    /// take. `send` is told how much of it is left.
    fn patiently(
        &self,
        send: impl Fn(Duration) -> Result<Response<Body>, ureq::Error>,
    ) -> Result<Response<Body>> {
        let url = &self.server.url;
        let deadline = Instant::now() + self.server.patience;
        let left = || deadline.saturating_duration_since(Instant::now());
        loop {
            let response = send(left()).map_err(|error| self.unreachable(&error))?;
            let Some(wait) = wait::asked_for(response.status(), response.headers()) else {
                return Ok(response);
            };
            let (status, seconds) = (response.status(), wait.as_secs());
            ensure!(
                wait < left(),
                "{url} wants to be asked again in {seconds} s ({status}), later than --timeout allows: pass a longer \
                 one, or try again then"
            );
            output::complain(&format!("{url} wants to be asked again in {seconds} s ({status}): waiting"));
            thread::sleep(wait);
        }
    }

    /// An answer's status and text, if it is one that a Prometheus may give.
    fn text(&self, mut response: Response<Body>) -> Result<(StatusCode, String)> {
        let (status, url) = (response.status(), &self.server.url);
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let remedy = match self.server.token {
                Some(_) => "correct the token in the file that --token-file names",
                None => "pass --token-file FILE with a token that may read",
            };
            bail!("{url} denies access ({status}): {remedy}");
        }
        if status.is_redirection() {
            let to = response.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
            bail!("{url} points to {}: pass that as --prometheus, if it is right", shortened(to));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            bail!("{url} is asked too often ({status}): try again later");
        }
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with("application/json")) {
            let kind = shortened(kind.unwrap_or("no type"));
            if status.is_server_error() {
                bail!("{url} fails with {status}: look at its log, or at the proxy's before it");
            }
            return Err(self.no_prometheus(&format!("{status} with {kind}")));
        }
        let body = response.body_mut().with_config().limit(LONGEST).read_to_string();
        body.map(|text| (status, text)).map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => TooLong(url.clone()).into(),
            ureq::Error::Timeout(_) => self.unreachable(&error),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.no_prometheus("text that is no UTF-8")
            }
            error => self.broken_off(&cause(&error)),
        })
    }

    fn data<'a, T: Deserialize<'a>>(&self, status: StatusCode, text: &'a str) -> Result<Option<T>> {
        let url = &self.server.url;
        let answer: Answer<T> = serde_json::from_str(text).map_err(|error| {
            if error.is_eof() {
                self.broken_off("its JSON has no end")
            } else {
                self.no_prometheus(&format!("JSON of another form ({})", shortened(&error.to_string())))
            }
        })?;
        if let Some(error) = answer.error {
            let error = shortened(&error);
            bail!("{url} refuses the query: {error}{}", remedy(&error));
        }
        if !status.is_success() || answer.status == "error" {
            bail!(
                "{url} fails with {status} and gives no reason: look at its log, or at the proxy's before it"
            );
        }
        // Prometheus 3 says what looks odd in a query as a warning too; that makes no answer partial.
        let warning = answer.warnings.iter().find(|warning| !warning.starts_with("PromQL"));
        let partial = warning.map(AsRef::as_ref).or(answer.is_partial.then_some("a store did not answer"));
        if let Some(why) = partial {
            let why = shortened(why);
            bail!("{url} has only part of the answer: {why}; bring its stores back first");
        }
        Ok(answer.data)
    }

    fn broken_off(&self, cause: &str) -> anyhow::Error {
        let url = &self.server.url;
        anyhow!(
            "{url} broke off its answer ({cause}): look at its log, or at the proxy's before it, and try again"
        )
    }

    fn no_prometheus(&self, what: &str) -> anyhow::Error {
        let url = &self.server.url;
        let remedy = "pass the address whose /api/v1 is Prometheus', with https:// if it has TLS";
        anyhow!("{url} is not a Prometheus, it gave {what}: {remedy}")
    }

    fn unreachable(&self, error: &ureq::Error) -> anyhow::Error {
        let (url, seconds) = (&self.server.url, self.server.patience.as_secs());
        match error {
            ureq::Error::Timeout(_) => {
                anyhow!(
                    "{url} did not answer within {seconds} s: pass a longer --timeout, or a shorter period"
                )
            }
            ureq::Error::HostNotFound => anyhow!("{url}: there is no such host: check --prometheus"),
            error => {
                let remedy = if url.starts_with("https:") {
                    "check --prometheus, whether it runs and has TLS, and pass --ca FILE with who signs it"
                } else {
                    "check --prometheus, and whether it runs"
                };
                anyhow!("cannot reach {url}: {}: {remedy}", cause(error))
            }
        }
    }
}

fn cause(error: &ureq::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// What helps against an error that Prometheus gives.
fn remedy(error: &str) -> &'static str {
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
