//! `sensor-fleet report` takes nothing on trust: what it says and does about a Prometheus that is wrong, rude or vast, as a
//! person sees it. What its client makes of single answers is tested beside it.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_harness::built;

/// A day long past, in Unix seconds: when it ended.
const MIDNIGHT: i64 = 1_696_204_800;
const PERIOD: [&str; 4] = ["--from", "2023-10-01", "--to", "2023-10-01"];

/// What a server says to a report's questions.
#[derive(Clone)]
struct Answers {
    /// Its status line.
    status: &'static str,
    /// The series of sensors, and those of a sensor's packets; or an error.
    observers: String,
    packets: Result<String, &'static str>,
}

/// A server with these answers: its address, and how often it was asked.
fn serve(answers: Answers) -> Result<(String, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let answers = Arc::new(answers);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            counter.fetch_add(1, Ordering::SeqCst);
            let answers = Arc::clone(&answers);
            // Who has heard enough hangs up.
            thread::spawn(move || drop(answer(stream, &answers)));
        }
    });
    Ok((url, asked))
}

fn answer(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while !is_whole(&String::from_utf8_lossy(&request)) {
        let length = stream.read(&mut part)?;
        request.extend_from_slice(&part[..length]);
    }
    let request = String::from_utf8_lossy(&request);
    let result =
        |series: &str| format!(r#"{{"status":"success","data":{{"version":"3.5.0","result":[{series}]}}}}"#);
    let json = match &answers.packets {
        _ if request.contains("observed") => result(&answers.observers),
        Ok(packets) if request.contains("packets") => result(packets),
        Err(error) if request.contains("packets") => format!(r#"{{"status":"error","error":"{error}"}}"#),
        _ => result(""),
    };
    let (status, length) = (answers.status, json.len());
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(json.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// Whether a request has come with all that it says it has.
fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    body.len() >= length.unwrap_or(0)
}

fn observer(sensor: &str) -> String {
    format!(r#"{{"metric":{{"sensor":"{sensor}","region":"japan"}},"values":[[{MIDNIGHT},"24"]]}}"#)
}

/// A port's packets, on one day each.
fn packets(port: u32, values: &[&str]) -> String {
    let days = (0..).map(|day| MIDNIGHT - day * 86_400);
    let samples: Vec<_> = days.zip(values).map(|(day, value)| format!(r#"[{day},"{value}"]"#)).collect();
    format!(
        r#"{{"metric":{{"sensor":"japan-1","protocol":"tcp","port":"{port}"}},"values":[{}]}}"#,
        samples.join(",")
    )
}

fn well() -> Answers {
    Answers { status: "200 OK", observers: observer("japan-1"), packets: Ok(packets(23, &["100"])) }
}

/// Has a report written, in at most 1 GiB of memory.
fn report(url: &str, output: &Path) -> Result<Output> {
    let mut command = Command::new("sh");
    command.args(["-c", r#"ulimit -d 1048576 && exec "$0" "$@""#]).arg(built::sensor_fleet()?);
    command.args(["report", "--prometheus", url]).args(PERIOD).arg("--output").arg(output);
    command.output().context("cannot run sh")
}

/// The one line that a report is refused with, which a terminal shows as it is.
fn refused(url: &str, output: &Path) -> Result<String> {
    let output = report(url, output)?;
    let said = String::from_utf8(output.stderr).context("not UTF-8")?;
    ensure!(output.status.code() == Some(1), "{}: {said}", output.status);
    let line = said.strip_suffix('\n').context("no line")?;
    ensure!(!line.contains(char::is_control) && !line.contains(['\u{202e}', '\u{2066}']), "{line:?}");
    Ok(line.to_owned())
}

#[rstest]
#[case::infinite(Ok(packets(23, &["100", "+Inf"])), "{sensor=\"japan-1\", protocol=\"tcp\", port=\"23\"} has inf at 2023-10-01T00:00:00Z")]
#[case::no_number(Ok(packets(23, &["NaN"])), "has NaN at 2023-10-02T00:00:00Z")]
#[case::negative(Ok(packets(23, &["-1"])), "has -1 at")]
#[case::too_many(Ok(packets(23, &["9007199254740994"])), "which is no number from 0 to 2^53")]
#[case::sum(Ok(packets(23, &["9007199254740992", "1"])), "has counted 9007199254740993 packets, more than 2^53")]
#[case::terminal(
    Err(r"no such \u001b[2Jmetric\u202e"),
    r"refuses the query: no such \u{1b}[2Jmetric\u{202e}"
)]
fn a_wrong_answer_is_refused(
    #[case] packets: Result<String, &'static str>,
    #[case] words: &str,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (url, _) = serve(Answers { packets, ..well() })?;
    let said = refused(&url, &folder.path().join("report"))?;
    assert!(said.contains(words), "{said}");
    assert_eq!(fs::read_dir(folder.path())?.count(), 0, "something is left");
    Ok(())
}

#[test]
fn a_failure_that_looks_like_success_is_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (url, _) = serve(Answers { status: "500 Internal Server Error", ..well() })?;
    let said = refused(&url, &folder.path().join("report"))?;
    assert!(said.contains("fails with 500 Internal Server Error and gives no reason"), "{said}");
    Ok(())
}

/// Each of the largest answers is read to its end, where its mistake is, and four at once.
#[test]
fn four_vast_answers_at_once_fit_into_a_gibibyte() -> Result<()> {
    let mut series: Vec<_> = (0..140_000).map(|port| packets(port % 65_536, &["1"; 7])).collect();
    series.push(packets(1, &["NaN"]));
    let packets = series.join(",");
    ensure!((24 << 20..32 << 20).contains(&packets.len()), "{} bytes", packets.len());
    let observers: Vec<_> = (0..8).map(|at| observer(&format!("japan-{at}"))).collect();
    let folder = tempfile::tempdir()?;
    let (url, asked) = serve(Answers { observers: observers.join(","), packets: Ok(packets), ..well() })?;
    let said = refused(&url, &folder.path().join("report"))?;
    assert!(said.contains("has NaN at"), "{said}");
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked >= 7, "asked {asked} times, not four at once after the first three");
    Ok(())
}

#[test]
fn the_folder_is_tried_before_anything_is_read() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let taken = folder.path().join("taken");
    fs::write(&taken, "")?;
    let (url, asked) = serve(well())?;
    let said = refused(&url, &taken)?;
    assert!(said.contains("taken") && said.contains("--output"), "{said}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    Ok(())
}

#[test]
fn a_report_that_fails_leaves_the_one_before() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = folder.path().join("report");
    let (url, _) = serve(well())?;
    let written = report(&url, &output)?;
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let before = fs::read_to_string(output.join("report.json"))?;
    assert!(before.contains("\"packets\": 100"), "{before}");
    let (url, _) = serve(Answers { packets: Ok(packets(23, &["+Inf"])), ..well() })?;
    refused(&url, &output)?;
    assert_eq!(fs::read_to_string(output.join("report.json"))?, before);
    assert_eq!(fs::read_dir(folder.path())?.count(), 1, "something is left beside it");
    Ok(())
}

#[test]
fn a_port_that_is_none_is_wrong_use() -> Result<()> {
    let output = report("http://127.0.0.1:99999", Path::new("nowhere"))?;
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no port from 1 to 65535"), "{said}");
    Ok(())
}
