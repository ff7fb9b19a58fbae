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
use sensor_fleet::report::language::Language;
use sensor_fleet::report::publish::{PublishOptions, publishable};
use sensor_fleet::report::write::write;
use sensor_fleet::vocabulary;
use sensor_harness::needs;
use sensor_harness::skip::{self, Missing};
use serde_json::Value;

use report::{fixture, model::Report};

/// Widths of screens.
const WIDTHS: [u32; 2] = [1280, 390];

/// Opens the page in a frame and measures it. `report` is its HTML, `width` that of the frame.
const MEASURE: &str = r#"
const frame = document.createElement("iframe");
frame.style = `border: 0; width: ${width}px; height: 900px`;
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
#[derive(Clone, Copy)]
enum Scheme {
    Dark = 0,
    Light = 1,
}

/// What a reader would see of a page on a screen.
fn measured(html: &str, width: u32, scheme: Scheme) -> Result<Value> {
    let dir = tempfile::tempdir()?;
    let page = dir.path().join("frame.html");
    // A tag in the text would end the script.
    let report = serde_json::to_string(html)?.replace('<', "\\u003c");
    let text = format!(
        "<!DOCTYPE html><meta charset=\"utf-8\"><body><script>const width = {width}, report = {report};{MEASURE}</script>"
    );
    fs::write(&page, text)?;
    let dom = chromium(dir.path(), &page, scheme)?;
    let shown = dom.split_once("<pre>").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (shown, _) = shown.with_context(|| format!("nothing was measured: {dom}"))?;
    let json = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    Ok(serde_json::from_str(&json)?)
}

/// What Chromium makes of a page, as HTML. It has no network, and ends with all that it started.
fn chromium(dir: &Path, page: &Path, scheme: Scheme) -> Result<String> {
    let (out, log) = (dir.join("dom"), dir.join("log"));
    let mut child = Command::new("unshare")
        .args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "chromium"])
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        // Else its processes share memory in /dev/shm, which in a container has 64 MB: too little for a long page.
        .arg("--disable-dev-shm-usage")
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(format!("--blink-settings=preferredColorScheme={}", scheme as u8))
        .args(["--window-size=1400,1000", "--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("file://{}", page.display()))
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
    let dom = fs::read_to_string(&out)?;
    ensure!(!dom.is_empty(), "Chromium shows nothing: {}", fs::read_to_string(&log)?);
    Ok(dom)
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
        ("a quarter", fixture::report(), 4_usize, 20),
        ("Japanese", in_japanese(), 4, 20),
        (
            "what may be published",
            publishable(&fixture::report(), &fixture::spread(&fixture::report()), &PublishOptions::default())
                .unwrap(),
            4,
            17,
        ),
        ("long names", long, 4, 20),
        ("a thousand sensors", fixture::fleet(1_000), 4, 20),
        ("nothing", fixture::nothing(), 3, 0),
    ];
    for (what, report, figures, tables) in reports {
        let html = html(&report).unwrap();
        for width in WIDTHS {
            let seen = measured(&html, width, Scheme::Light).unwrap();
            let what = format!("{what} at {width} pixels: {seen}");
            assert!(seen["scroll"].as_f64().unwrap() <= seen["width"].as_f64().unwrap(), "{what} overflows");
            assert!(seen["width"].as_f64().unwrap() > f64::from(width) - 20.0, "{what} is not so wide");
            assert_eq!(seen["stray"].as_array().unwrap().len(), 0, "{what} has parts beyond its edge");
            assert_eq!(numbers(&seen["figures"]).len(), figures, "{what} lacks figures");
            assert!(
                numbers(&seen["figures"]).iter().all(|area| *area > 50_000.0),
                "{what} has figures without area"
            );
            assert!(numbers(&seen["shapes"]).iter().all(|shapes| *shapes > 0.0), "{what} has empty figures");
            assert_eq!(seen["cut"].as_array().unwrap().len(), 0, "{what} has text cut off");
            assert!(seen["letters"].as_f64().unwrap() > 10.0, "{what} has letters too small to read");
            assert_eq!(seen["tables"].as_array().unwrap().len(), tables, "{what} lacks tables");
            assert_eq!(seen["asked_for"], 0, "{what} asks for something");
        }
    }
    Ok(())
}

#[test]
fn the_page_is_dark_for_who_wants_that() -> Result<()> {
    needs!(browser());
    let html = html(&fixture::report()).unwrap();
    for (scheme, paper, ink) in [
        (Scheme::Light, "rgb(255, 255, 255)", "rgb(27, 31, 36)"),
        (Scheme::Dark, "rgb(20, 23, 26)", "rgb(232, 234, 237)"),
    ] {
        let seen = measured(&html, 1280, scheme).unwrap();
        assert_eq!((seen["paper"].as_str(), seen["ink"].as_str()), (Some(paper), Some(ink)));
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
