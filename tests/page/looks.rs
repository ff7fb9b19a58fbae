//! How the page looks, on every screen, with and without a script, to everybody.

use std::iter;

use anyhow::{Context as _, Result, ensure};
use sensor_harness::frame::frame;
use sensor_harness::needs;
use sensor_harness::pace::until;

use super::browser::{self, Browser, Look};
use super::{Scene, syn};

const URL: &str = "http://127.0.0.1:19817/";
const DESK: Look = Look { width: 1280, scheme: "light", media: "screen", script: true };

/// A sensor with something in every part of its page.
fn busy() -> Result<Scene> {
    let scene = Scene::new("[page]\naddresses_on_loopback = true\n")?;
    let mut frames = Vec::new();
    for port in 0..40 {
        frames.extend((0..=port).map(|packet| syn(usize::from(packet % 3), 1_000 + 37 * port)));
    }
    frames.extend((0..60).map(|_| syn(0, 23)));
    frames.extend(
        (0..50).map(|_| frame().ipv4().from([192, 0, 2, 7]).to([198, 51, 100, 7]).icmp(8, 0).bytes()),
    );
    frames.push(frame().ipv4().from([192, 0, 2, 7]).to([198, 51, 100, 7]).tcp(80).rst().bytes());
    scene.send(&frames)?;
    scene.settled(frames.len() as u64)?;
    Ok(scene)
}

#[test]
fn it_fits_every_screen_and_keeps_nobody_from_reading() -> Result<()> {
    needs!(browser::installed());
    let scene = busy()?;
    let mut browser = Browser::start(&scene.wire.near.namespace)?;
    let pages = [
        ("", true),
        ("?screen=wall", true),
        ("?without=known-scanners&map=sources", true),
        ("port/23/tcp", false),
    ];
    for (path, is_front) in pages {
        for width in [390, 1280, 2560] {
            for scheme in ["light", "dark"] {
                let what = format!("{path} at {width}, {scheme}");
                browser.open(&format!("{URL}{path}"), Look { width, scheme, ..DESK })?;
                let seen = browser.measured().with_context(|| what.clone())?;
                let [shown, scroll] = ["width", "scroll"].map(|key| seen[key].as_f64().unwrap_or_default());
                ensure!(shown > f64::from(width) - 20.0 && scroll <= shown, "{what} overflows: {seen}");
                assert_eq!(
                    seen["stray"].as_array().map(Vec::len),
                    Some(0),
                    "{what} has parts beyond its edge: {seen}"
                );
                let curves = seen["curves"].as_array().context("no curves")?;
                ensure!(
                    curves.len() == 2 && curves.iter().all(|width| width.as_f64() > Some(100.0)),
                    "{what}: {seen}"
                );
                if is_front {
                    assert_eq!((&seen["rows"], &seen["map"]), (&20.into(), &3.into()), "{what}: {seen}");
                }
                assert_eq!(seen["bold"], 0, "{what}: a name is more than text");
                let paper = if scheme == "dark" { "rgb(20, 23, 26)" } else { "rgb(255, 255, 255)" };
                assert_eq!(seen["paper"], paper, "{what}");
                assert_eq!(browser.violations()?, Vec::<String>::new(), "{what}");
                assert_eq!(browser.console(), Vec::<String>::new(), "{what}");
                for asked in browser.asked_for() {
                    ensure!(asked.starts_with(URL), "{what} asks for {asked}");
                }
                let words = path.split(|it: char| !it.is_ascii_alphanumeric()).filter(|it| !it.is_empty());
                let name: Vec<_> = iter::once("page").chain(words).collect();
                browser.picture(&format!("{}-{width}-{scheme}", name.join("-")))?;
            }
        }
    }
    browser.open(URL, Look { width: 800, media: "print", ..DESK })?;
    let seen = browser.measured()?;
    ensure!(seen["scroll"].as_f64() <= seen["width"].as_f64(), "printed it overflows: {seen}");
    browser.picture("print")
}

/// Without a script the same is there.
#[test]
fn it_is_whole_without_a_script() -> Result<()> {
    needs!(browser::installed());
    let scene = busy()?;
    let mut browser = Browser::start(&scene.wire.near.namespace)?;
    browser.open(URL, Look { script: false, ..DESK })?;
    let seen = browser.measured()?;
    let text = seen["text"].as_str().unwrap_or_default();
    for said in [
        "a <i>b</i>",
        "23/TCP Telnet",
        "ICMP",
        "JP Japan",
        "<b>Example</b> Net",
        "203.0.113.9",
        "All is well",
    ] {
        ensure!(text.contains(said), "not {said:?}: {text}");
    }
    assert_eq!((&seen["rows"], &seen["map"]), (&20.into(), &3.into()));
    ensure!(!text.contains("Pause"), "there is nothing to pause");
    let live = browser.asked_for().into_iter().any(|asked| asked.contains("live"));
    ensure!(!live, "it listens without a script");
    Ok(())
}

/// With one, what is new is there within seconds, unless it is paused; and what has the focus keeps it.
#[test]
fn it_is_renewed_until_it_is_paused() -> Result<()> {
    needs!(browser::installed());
    let scene = busy()?;
    let mut browser = Browser::start(&scene.wire.near.namespace)?;
    browser.open(URL, DESK)?;
    let total = "document.querySelector('[data-fact=total]').textContent";
    let before = browser.evaluated(total)?;
    browser.evaluated("document.querySelector('#ranking a[href*=port]').focus(), 0")?;
    scene.send(&[syn(0, 1_000)])?;
    until(|| Ok(browser.evaluated(total)? != before), || "nothing is renewed".to_owned())?;
    let focused = browser.evaluated("document.activeElement.getAttribute('href')")?;
    ensure!(focused.as_str().is_some_and(|href| href.contains("port/")), "the focus is lost: {focused}");
    assert_eq!(browser.console(), Vec::<String>::new());

    let press = "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'p', bubbles: true})), 0";
    browser.evaluated(press)?;
    let paused = browser.evaluated("document.getElementById('made').textContent")?;
    scene.send(&[syn(0, 1_000)])?;
    // Whoever listens beside it is told.
    let told = scene.view(r#"{"version":1,"ask":"view"}"#)?["snapshot"].as_u64();
    until(
        || {
            Ok(scene.view(r#"{"version":1,"ask":"view"}"#)?["snapshot"].as_u64()
                > told.map(|told| told + 3_000_000))
        },
        || "nothing goes on".to_owned(),
    )?;
    assert_eq!(browser.evaluated("document.getElementById('made').textContent")?, paused, "it is not paused");
    browser.evaluated(press)?;
    until(
        || Ok(browser.evaluated("document.getElementById('made').textContent")? != paused),
        || "it does not go on".to_owned(),
    )
}
