//! The report's page in a real browser: Debian's Chromium, without a window and without a network.
//!
//! The page is put into a frame as wide as a desktop's or a telephone's screen (a window without a screen cannot be as
//! narrow), and a script around it measures what a reader would see.

#[path = "."]
mod report {
    pub use sensor_fleet::report::{history, language, model, period, spread};

    #[path = "../sensor-fleet/src/report/fixture.rs"]
    pub mod fixture;
}

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use jiff::civil::date;
use sensor_fleet::report::language::Language;
use sensor_fleet::report::publish::{PublishOptions, publishable};
use sensor_fleet::report::write::write;
use sensor_fleet::simulation::options::{Options, Sources};
use sensor_fleet::vocabulary;
use sensor_harness::needs;
use sensor_harness::prometheus;
use sensor_harness::report::WrittenReport;
use sensor_harness::skip::{self, Missing};
use sensor_tests::served::Served;
use serde_json::{Value, json};

use report::{fixture, model::Report};

/// Widths of screens.
const WIDTHS: [u32; 2] = [1280, 390];

/// Opens the page in a frame and measures it. `report` is its HTML, `width` and `height` are those of the frame.
const MEASURE: &str = r#"
const frame = document.createElement("iframe");
frame.style = `border: 0; width: ${width}px; height: ${height}px`;
frame.onload = () => setTimeout(() => {
  const page = frame.contentDocument, view = frame.contentWindow;
  const visible = [...page.querySelectorAll("figure svg")].filter((svg) => svg.checkVisibility());
  const inside = (inner, outer) => inner.left >= outer.left - 1 && inner.right <= outer.right + 1
    && inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
  const stray = [...page.querySelectorAll("body *")].filter((element) => !element.closest(".scroll table, svg")
    && element.getBoundingClientRect().right > page.documentElement.clientWidth + 1);
  const small = (svg) => [...svg.querySelectorAll("text")].map((text) =>
    parseFloat(text.getAttribute("font-size")) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width);
  const result = {
    width: page.documentElement.clientWidth,
    scroll: page.documentElement.scrollWidth,
    height: page.documentElement.scrollHeight,
    stray: stray.map((element) => element.tagName + "." + element.className),
    figures: visible.map((svg) => svg.getBoundingClientRect().width * svg.getBoundingClientRect().height),
    shapes: visible.map((svg) => svg.querySelectorAll("polyline, rect").length),
    cut: visible.flatMap((svg) => [...svg.querySelectorAll("text")]
      .filter((text) => !inside(text.getBoundingClientRect(), svg.getBoundingClientRect()))
      .map((text) => text.textContent.trim())),
    letters: Math.min(...visible.flatMap(small)),
    tables: [...page.querySelectorAll("table")].map((table) => table.rows.length),
    asked_for: view.performance.getEntriesByType("resource").length,
    loaded: [...page.querySelectorAll("img")].filter((image) => image.naturalWidth > 0).length,
    paper: getComputedStyle(page.body).backgroundColor,
    ink: getComputedStyle(page.body).color,
  };
  const shown = document.createElement("pre");
  shown.textContent = JSON.stringify(result);
  document.body.append(shown);
}, 300);
frame.srcdoc = report;
document.body.append(frame);
"#;

/// Whether a page is shown light or dark.
#[derive(Clone, Copy, Debug)]
enum Scheme {
    Dark = 0,
    Light = 1,
}

impl Scheme {
    /// The colours of paper and ink.
    const fn colours(self) -> [&'static str; 2] {
        match self {
            Self::Dark => ["rgb(20, 23, 26)", "rgb(232, 234, 237)"],
            Self::Light => ["rgb(255, 255, 255)", "rgb(27, 31, 36)"],
        }
    }
}

/// Every width, light and dark.
fn screens() -> impl Iterator<Item = (u32, Scheme)> {
    WIDTHS.into_iter().flat_map(|width| [Scheme::Light, Scheme::Dark].map(|scheme| (width, scheme)))
}

/// What a reader would see of a page on a screen.
fn measured(html: &str, width: u32, scheme: Scheme) -> Result<Value> {
    let dir = tempfile::tempdir()?;
    let page = framed(html, width, 900)?;
    let dom = chromium(dir.path(), &page, scheme, ["--window-size=1400,1000", "--dump-dom"])?;
    ensure!(!dom.is_empty(), "Chromium shows nothing: {}", fs::read_to_string(dir.path().join("log"))?);
    let shown = dom.split_once("<pre>").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (shown, _) = shown.with_context(|| format!("nothing was measured: {dom}"))?;
    let json = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    Ok(serde_json::from_str(&json)?)
}

/// What a reader would see of a page that fits a screen and can be read there, light or dark.
fn fitting(what: &str, html: &str, (width, scheme): (u32, Scheme)) -> Result<Value> {
    let seen = measured(html, width, scheme)?;
    let what = format!("{what} at {width} pixels, {scheme:?}: {seen}");
    let number = |key: &str| seen[key].as_f64().with_context(|| format!("no {key} of {what}"));
    ensure!(number("scroll")? <= number("width")?, "{what} overflows");
    ensure!(number("width")? > f64::from(width) - 20.0, "{what} is not so wide");
    ensure!(seen["stray"] == json!([]), "{what} has parts beyond its edge");
    ensure!(numbers(&seen["figures"]).iter().all(|area| *area > 50_000.0), "{what} has figures without area");
    ensure!(numbers(&seen["shapes"]).iter().all(|shapes| *shapes > 0.0), "{what} has empty figures");
    ensure!(seen["cut"] == json!([]), "{what} has text cut off");
    ensure!(number("letters")? > 10.0, "{what} has letters too small to read");
    ensure!(seen["asked_for"] == 0, "{what} asks for something");
    let [paper, ink] = scheme.colours();
    ensure!(seen["paper"] == paper && seen["ink"] == ink, "{what} has other colours");
    Ok(seen)
}

/// Keeps a picture of a whole page, as PNG, if somebody wants to look: `SENSOR_PICTURES` names a folder.
fn keep_picture(name: &str, html: &str, (width, scheme): (u32, Scheme), seen: &Value) -> Result<()> {
    let Some(folder) = std::env::var_os("SENSOR_PICTURES") else { return Ok(()) };
    let height = u32::try_from(seen["height"].as_u64().context("no height")?)?;
    let dir = tempfile::tempdir()?;
    let picture = dir.path().join("picture.png");
    let (size, to) =
        (format!("--window-size={width},{height}"), format!("--screenshot={}", picture.display()));
    let page = framed(html, width, height)?;
    chromium(dir.path(), &page, scheme, [size.as_str(), to.as_str(), "--hide-scrollbars"])?;
    let log = || fs::read_to_string(dir.path().join("log")).unwrap_or_default();
    fs::copy(&picture, Path::new(&folder).join(format!("{name}.png"))).with_context(log)?;
    Ok(())
}

/// A page that has another in a frame, and measures it.
fn framed(html: &str, width: u32, height: u32) -> Result<String> {
    // A tag in the text would end the script.
    let report = serde_json::to_string(html)?.replace('<', "\\u003c");
    let given = format!("const width = {width}, height = {height}, report = {report};");
    Ok(format!(
        "<!DOCTYPE html><meta charset=\"utf-8\"><body style=\"margin: 0\"><script>{given}{MEASURE}</script>"
    ))
}

/// What Chromium prints of a page. It has no network, and ends with all that it started.
fn chromium<const N: usize>(dir: &Path, page: &str, scheme: Scheme, arguments: [&str; N]) -> Result<String> {
    let [file, out, log] = ["frame.html", "out", "log"].map(|name| dir.join(name));
    fs::write(&file, page)?;
    let mut child = Command::new("unshare")
        .args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "chromium"])
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        // Else its processes share memory in /dev/shm, which in a container has 64 MB: too little for a long page.
        .arg("--disable-dev-shm-usage")
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(format!("--blink-settings=preferredColorScheme={}", scheme as u8))
        .arg("--virtual-time-budget=10000")
        .args(arguments)
        .arg(format!("file://{}", file.display()))
        .env("HOME", dir)
        .stdin(Stdio::null())
        .stdout(File::create(&out)?)
        .stderr(File::create(&log)?)
        .spawn()?;
    let end = Instant::now() + Duration::from_mins(2);
    while child.try_wait()?.is_none() {
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            bail!("Chromium takes more than two minutes: {}", fs::read_to_string(&log)?);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(fs::read_to_string(&out)?)
}

/// Whether the browser is there and may be locked in.
fn browser() -> Result<(), Missing> {
    skip::root()?;
    let there =
        Command::new("chromium").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    match there {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Missing::new("no chromium: run `cargo xtask setup`")),
    }
}

/// The page of a report.
fn html(report: &Report) -> Result<String> {
    let dir = tempfile::tempdir()?;
    write(report, dir.path())?;
    Ok(fs::read_to_string(dir.path().join("report.html"))?)
}

/// A quarter, in Japanese.
fn in_japanese() -> Report {
    Report { language: Language::Japanese, ..fixture::report() }
}

/// The numbers of a list.
fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

#[test]
fn the_page_fits_its_screen_and_has_its_figures() -> Result<()> {
    needs!(browser());
    let mut long = fixture::report();
    long.sensors[0].name = "n".repeat(64);
    long.sensors[0].region = "r".repeat(64);
    long.period.name = "2023-10-01 to 2023-12-31".to_owned();
    long.notes.push("x".repeat(300));
    let reports = [
        ("a quarter", fixture::report(), 4_usize, 21),
        ("Japanese", in_japanese(), 4, 21),
        (
            "what may be published",
            publishable(&fixture::report(), &fixture::spread(&fixture::report()), &PublishOptions::default())
                .unwrap(),
            4,
            17,
        ),
        ("long names", long, 4, 21),
        ("a thousand sensors", fixture::fleet(1_000), 4, 21),
        ("nothing", fixture::nothing(), 3, 0),
    ];
    for (what, report, figures, tables) in reports {
        let html = html(&report)?;
        for screen in screens() {
            let seen = fitting(what, &html, screen)?;
            assert_eq!(numbers(&seen["figures"]).len(), figures, "{what} lacks figures: {seen}");
            assert_eq!(seen["tables"].as_array().map(Vec::len), Some(tables), "{what} lacks tables: {seen}");
        }
    }
    Ok(())
}

/// With numbers, names and events that nobody chose for it.
#[test]
fn the_page_of_a_simulated_fleet_fits_its_screen() -> Result<()> {
    needs!(browser());
    needs!(prometheus::installed());
    let options = Options { sources: Sources::All, ports: 20, ..Options::months(6, 6, date(2024, 1, 1))? };
    let Served { server, namespace, .. } = Served::new(&options, false)?;
    for language in ["en", "ja"] {
        let asked = format!("--quarter 2023Q4 --home japan --language {language}");
        let html = WrittenReport::write(&namespace, &server, &asked)?.file("report.html")?;
        for (width, scheme) in screens() {
            let seen = fitting(language, &html, (width, scheme))?;
            assert_eq!(numbers(&seen["figures"]).len(), 4, "{language} lacks figures: {seen}");
            let rows = numbers(&seen["tables"]);
            let full = rows.iter().filter(|rows| **rows > 1.0).count();
            assert!(full > 15 && full == rows.len(), "{language} lacks tables: {seen}");
            let name = format!("report-{language}-{width}-{scheme:?}").to_lowercase();
            keep_picture(&name, &html, (width, scheme), &seen)?;
        }
    }
    Ok(())
}

/// What the tests above would find in pages that are wrong.
#[test]
fn a_wrong_page_is_found_out() -> Result<()> {
    needs!(browser());
    let html = html(&fixture::report()).unwrap();
    let wide = html.replace("<h1>", "<div style=\"width: 2000px\">wide</div><h1>");
    let seen = measured(&wide, 1280, Scheme::Light).unwrap();
    assert!(seen["scroll"].as_f64().unwrap() > seen["width"].as_f64().unwrap(), "{seen}");
    assert!(!seen["stray"].as_array().unwrap().is_empty(), "{seen}");

    let seen =
        measured(&html.replace("text-anchor=\"start\"", "text-anchor=\"end\""), 1280, Scheme::Light).unwrap();
    assert!(!seen["cut"].as_array().unwrap().is_empty(), "{seen}");

    let remote = html.replace("<h1>", "<img src=\"http://192.0.2.1/beacon.png\" alt=\"\" /><h1>");
    let seen = measured(&remote, 1280, Scheme::Light).unwrap();
    assert_eq!(seen["asked_for"], 1, "{seen}");

    // A picture that is there, beside the frame's page: the browser would show it.
    let dir = tempfile::tempdir().unwrap();
    write(&fixture::report(), dir.path()).unwrap();
    let picture = format!("<img src=\"file://{}/monthly.png\" alt=\"\" /><h1>", dir.path().display());
    let asking = html.replace("<h1>", &picture);
    let seen =
        measured(&asking.replace("Content-Security-Policy", "X-Nothing"), 1280, Scheme::Light).unwrap();
    assert_eq!(seen["loaded"], 1, "{seen}");
    let seen = measured(&asking, 1280, Scheme::Light).unwrap();
    assert_eq!(seen["loaded"], 0, "the page's policy lets a picture in: {seen}");
    Ok(())
}
