//! The document around the parts of a page, and what it is served with.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::asked::{Asked, What};
use super::{parts, port};
use crate::counters::SnapshotNumber;
use crate::status::AgentStatus;
use crate::view::View;
use crate::view::port::PortView;

/// Its style, served from a path of its own.
pub const STYLE: &str = include_str!("page.css");
/// Its script, likewise.
pub const SCRIPT: &str = include_str!("page.js");

/// Its picture in a browser's tab, likewise.
pub const ICON: &str = include_str!("page.svg");

/// What a browser may do with it: nothing but what comes from the same place, in no frame.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What else is served.
const ELSEWHERE: [(&str, &str); 4] = [
    ("metrics", "for Prometheus"),
    ("api/v1/slots", "every count, as JSON"),
    ("healthz", "the agent lives"),
    ("readyz", "packets are counted"),
];

/// The first page.
#[must_use]
pub fn front(view: &View, asked: &Asked) -> String {
    let parts = parts(view, asked);
    let part = |id: &str| -> PreEscaped<String> {
        let found = parts.iter().find(|(of, _)| *of == id);
        found.map(|(_, markup)| markup.clone()).unwrap_or_default()
    };
    let body = html! {
        (header(view, asked, &part("health")))
        main #main {
            (part("now"))
            div .columns { (part("ranking")) (part("who")) (part("last")) }
        }
        footer {
            (part("made"))
            nav aria-label="What else is served" {
                ul { @for (path, what) in ELSEWHERE { li { a href=(path) { "/" (path) } ": " (what) } } }
            }
        }
    };
    document(&title(view), asked, &body)
}

/// The page of a port.
#[must_use]
pub fn port_page(view: &PortView, asked: &Asked) -> String {
    let body = html! {
        header {
            p .crumbs { a href=(Asked { what: What::Front, ..asked.clone() }.link_from(asked)) { "All ports" } }
            h1 { (port::title(view)) }
        }
        main #main { (port::body(view)) }
        footer { (made(view.snapshot, view.time, None)) }
    };
    document(&port::title(view), asked, &body)
}

fn title(view: &View) -> String {
    match (&view.sensor, &view.sensors[..]) {
        (Some(name), _) => name.clone(),
        (None, [only]) => only.name.clone(),
        (None, []) => "sensor".to_owned(),
        (None, all) => format!("{} sensors", all.len()),
    }
}

fn header(view: &View, asked: &Asked, health: &Markup) -> Markup {
    html! {
        header {
            h1 { (title(view)) }
            (health)
            nav .tools aria-label="What is shown" {
                @if asked.sensor.is_some() {
                    a href=(Asked { sensor: None, ..asked.clone() }.link()) { "All sensors" }
                    " "
                }
                @if asked.wall {
                    a href=(Asked { wall: false, ..asked.clone() }.link()) { "For a desk" }
                } @else {
                    a href=(Asked { wall: true, ..asked.clone() }.link()) { "For a wall" }
                }
                // The script shows it: without one there is nothing to pause.
                button #pause type="button" hidden aria-pressed="false" title="Key: p" { "Pause" }
                span #state .small role="status" {}
            }
        }
    }
}

/// What a page is made of, when, and by which agent.
pub(super) fn made(snapshot: Option<SnapshotNumber>, time: Timestamp, agent: Option<&AgentStatus>) -> Markup {
    html! {
        p #made .note data-snapshot=[snapshot.map(|number| number.0)] {
            @if let Some(number) = snapshot { "Snapshot " (number.0) ", made " } @else { "Made " }
            (time.strftime("%Y-%m-%d %H:%M:%S").to_string()) " UTC"
            @if let Some(agent) = agent { " by sensor " (agent.version) ", which runs since " (agent.since) }
        }
    }
}

fn document(title: &str, asked: &Asked, body: &Markup) -> String {
    let root = asked.root();
    let live = asked.port().is_none().then(|| format!("live{}", asked.query()));
    html! {
        (DOCTYPE)
        html lang="en" .wall[asked.wall] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – sensor" }
                link rel="icon" type="image/svg+xml" href={ (root) "page.svg" };
                link rel="stylesheet" href={ (root) "page.css" };
                @if live.is_some() { script src={ (root) "page.js" } defer {} }
            }
            body data-live=[live] {
                a .skip href="#main" { "To the content" }
                (body)
            }
        }
        "\n"
    }
    .into_string()
}
