//! What comes of servers that answer badly. What a real Prometheus answers is tested with one.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::thread;

use rstest::rstest;

use super::*;

const PATIENCE: Duration = Duration::from_mins(2);

/// A server that gives the same answer to every request, and the address that it has.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            drop(stream.read(&mut request));
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    url
}

fn connect(url: &str, patience: Duration) -> String {
    let server = Server::new(url, None, None, patience).unwrap();
    Client::connect(server).unwrap_err().to_string()
}

/// An answer with this status line, type and body.
macro_rules! answer {
    ($status:literal, $kind:literal, $body:literal) => {
        concat!("HTTP/1.1 ", $status, "\r\nConnection: close\r\nContent-Type: ", $kind, "\r\n\r\n", $body)
    };
}

#[rstest]
#[case::web_page(answer!("200 OK", "text/html", "<h1>hello"), "is not a Prometheus, it gave 200 OK with text/html")]
#[case::nothing_there(answer!("404 Not Found", "text/plain", "no"), "is not a Prometheus, it gave 404")]
#[case::other_json(answer!("200 OK", "application/json", "[1]"), "JSON of another form")]
#[case::cut_short(answer!("200 OK", "application/json", "{\"status\":"), "broke off its answer (its JSON has no end)")]
#[case::broken_off(
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{\"status\":",
    "broke off its answer"
)]
#[case::broken_off_in_chunks(
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{\"status\":",
    "broke off its answer"
)]
#[case::success_of_a_failure(
    answer!("500 Internal Server Error", "application/json", r#"{"status":"success","data":{"result":[]}}"#),
    "fails with 500 Internal Server Error and gives no reason"
)]
#[case::failure_without_a_reason(
    answer!("200 OK", "application/json", r#"{"status":"error","data":{"result":[]}}"#),
    "gives no reason"
)]
#[case::too_many_requests(answer!("429 Too Many Requests", "text/plain", "slow down"), "is asked too often (429")]
#[case::too_many_for_long(
    "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 3600\r\n\r\n",
    "wants to be asked again in 3600 s (429 Too Many Requests), later than --timeout allows"
)]
#[case::unavailable_for_long(
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 99999999999999999999\r\n\r\n",
    "(503 Service Unavailable), later than --timeout allows"
)]
#[case::no_samples(
    answer!("200 OK", "application/json", r#"{"data":{"result":[{"metric":{"a":"1"},"values":{}}]}}"#),
    "JSON of another form"
)]
#[case::token(answer!("401 Unauthorized", "text/plain", ""), "pass --token-file")]
#[case::forbidden(answer!("403 Forbidden", "application/json", "{}"), "pass --token-file")]
#[case::proxy(answer!("502 Bad Gateway", "text/html", ""), "fails with 502")]
#[case::elsewhere(
    "HTTP/1.1 307 Moved\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "points to nowhere"
)]
#[case::old(
    answer!("200 OK", "application/json", r#"{"data":{"version":"2.24.0","goVersion":"go1.15"}}"#),
    "is Prometheus 2.24.0: update it to 2.33"
)]
#[case::ancient(
    answer!("200 OK", "application/json", r#"{"data":{"version":"1.8.2","goVersion":"go1.10"}}"#),
    "is Prometheus 1.8.2: update it to 2.33"
)]
#[case::gave_up(
    answer!("503 Service Unavailable", "application/json", r#"{"error":"query timed out in expression evaluation"}"#),
    "query timed out in expression evaluation; give it a longer --query.timeout"
)]
#[case::partial(
    answer!("200 OK", "application/json", r#"{"data":{"result":[]},"warnings":["store 2 is away"]}"#),
    "only part of the answer: store 2 is away"
)]
#[case::partial_cluster(
    answer!("200 OK", "application/json", r#"{"isPartial":true,"data":{"result":[]}}"#),
    "only part of the answer: a store did not answer"
)]
#[case::no_number(
    answer!("200 OK", "application/json", r#"{"data":{"result":[{"metric":{},"values":[[1,"one"]]}]}}"#),
    "a sample that is no number"
)]
#[case::not_http("220 mail.example ESMTP\r\n", "cannot reach")]
fn a_bad_answer_is_one_line(#[case] answer: &'static str, #[case] words: &str) {
    let url = server(answer);
    let said = connect(&url, PATIENCE);
    assert!(said.contains(words) && said.contains(&url) && !said.contains('\n'), "{said}");
}

/// A server that gives these answers in turn, the last one again and again, and the address that it has.
fn in_turn(answers: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (stream, at) in listener.incoming().zip(0..) {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            drop(stream.read(&mut request));
            let answer: &String = answers.get(at).or(answers.last()).unwrap();
            // Who has heard enough hangs up. What was not read yet of the request would cut the answer short.
            drop(stream.write_all(answer.as_bytes()));
            drop(stream.shutdown(Shutdown::Write));
            drop(io::copy(&mut stream, &mut io::sink()));
        }
    });
    url
}

#[rstest]
#[case::too_many("429 Too Many Requests")]
#[case::unavailable("503 Service Unavailable")]
fn a_server_that_asks_for_time_gets_it(#[case] status: &str) {
    let later =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n");
    let version = answer!("200 OK", "application/json", r#"{"data":{"version":"3.5.0","result":[]}}"#);
    let url = in_turn(vec![later.clone(), version.to_owned(), later, version.to_owned()]);
    Client::connect(Server::new(&url, None, None, PATIENCE).unwrap()).unwrap();
}

/// An answer with so many days of a series, and so many bytes in its JSON.
fn long(days: std::ops::Range<i64>, bytes: usize) -> String {
    let samples: Vec<_> = days.map(|day| format!("[{day},\"{day}\"]")).collect();
    let json = format!(
        r#"{{"warnings":["PromQL {}"],"data":{{"version":"3.5.0","result":[{{"metric":{{"sensor":"a"}},"values":[{}]}}]}}}}"#,
        "x".repeat(bytes),
        samples.join(",")
    );
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n{json}")
}

#[test]
fn what_is_too_long_is_asked_for_in_halves() {
    let too_long = usize::try_from(LONGEST).unwrap();
    let hello = long(0..1, 0);
    let url = in_turn(vec![hello.clone(), hello, long(0..4, too_long), long(0..2, 0), long(2..4, 0)]);
    let client = Client::connect(Server::new(&url, None, None, PATIENCE).unwrap()).unwrap();
    let series = client.range("x", (0, 3), 1).unwrap();
    let days: Vec<i64> = series.iter().flat_map(|series| &series.values).map(|(day, _)| *day).collect();
    assert_eq!(days, [0, 1, 2, 3]);
}

#[test]
fn what_is_too_long_for_a_day_is_refused() {
    let hello = long(0..1, 0);
    let url = in_turn(vec![hello.clone(), hello, long(0..1, usize::try_from(LONGEST).unwrap())]);
    let client = Client::connect(Server::new(&url, None, None, PATIENCE).unwrap()).unwrap();
    let said = client.range("x", (0, 3), 1).unwrap_err().to_string();
    assert!(said.contains("gives more than 32 MiB on a day of one sensor"), "{said}");
}

#[test]
fn a_server_that_hangs_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let said = connect(&url, Duration::from_secs(1));
    assert!(said.contains("did not answer within 1 s: pass a longer --timeout"), "{said}");
}

#[test]
fn nobody_there() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = connect(&format!("http://{free}"), PATIENCE);
    assert!(said.contains("cannot reach") && said.contains("refused"), "{said}");
}

#[test]
fn a_server_without_tls() {
    let url = server("HTTP/1.1 400 Bad Request\r\n\r\n").replace("http:", "https:");
    let said = connect(&url, PATIENCE);
    assert!(said.contains("cannot reach") && said.contains("--ca"), "{said}");
}

#[rstest]
#[case::thanos(answer!("200 OK", "application/json", r#"{"data":{"version":"0.35.1","goVersion":"go1.21","result":[]}}"#))]
#[case::unnamed(answer!("200 OK", "application/json", r#"{"data":{"version":"","goVersion":"go1.21","result":[]}}"#))]
#[case::no_numbers(answer!("200 OK", "application/json", r#"{"data":{"version":"main","goVersion":"go1.21","result":[]}}"#))]
#[case::oldest(answer!("200 OK", "application/json", r#"{"data":{"version":"2.33.0","goVersion":"go1.17","result":[]}}"#))]
#[case::mimir(
    answer!("200 OK", "application/json", r#"{"data":{"version":"2.10","goVersion":"go1.20","application":"Grafana Mimir","result":[]}}"#)
)]
#[case::whole_cluster(answer!("200 OK", "application/json", r#"{"isPartial":false,"data":{"version":"2.24.0","result":[]}}"#))]
fn who_answers_as_prometheus_does_will_do(#[case] answer: &'static str) {
    let server = Server::new(&server(answer), None, None, PATIENCE).unwrap();
    Client::connect(server).unwrap();
}

#[test]
fn a_whole_answer() {
    let url = server(answer!(
        "200 OK",
        "application/json; charset=utf-8",
        r#"{"status":"success","data":{"version":"3.5.0","goVersion":"go1.24","result":
            [{"metric":{"sensor":"a\"b","port":"23"},"values":[[60,"7"],[120,"NaN"],[180,"9007199254740991"]]}]},
            "warnings":["PromQL info: this looks odd"]}"#
    ));
    let client = Client::connect(Server::new(&url, None, None, PATIENCE).unwrap()).unwrap();
    let series = client.range("x", (60, 180), 60).unwrap();
    assert_eq!(series.len(), 1);
    assert_eq!((series[0].label("sensor"), series[0].label("none")), ("a\"b", ""));
    let [(60, seven), (120, nothing), (180, most)] = series[0].values[..] else { panic!("{series:?}") };
    assert!((seven - 7.0).abs() < f64::EPSILON && nothing.is_nan());
    assert!((most - 9_007_199_254_740_991.0).abs() < f64::EPSILON);
}

#[test]
fn files_that_do_not_serve() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    let said = Server::new("http://x", Some(empty.path()), None, PATIENCE).unwrap_err().to_string();
    assert!(said.contains("holds no token"), "{said}");
    let broken = tempfile::NamedTempFile::new().unwrap();
    fs::write(&broken, "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n").unwrap();
    for (file, words) in [(&empty, "holds no certificate"), (&broken, "is no PEM (")] {
        let said = Server::new("http://x", None, Some(file.path()), PATIENCE).unwrap_err().to_string();
        let name = file.path().display().to_string();
        assert!(said.starts_with(&name) && said.contains(words) && !said.contains('\n'), "{said}");
    }
}
