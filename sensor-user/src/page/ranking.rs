//! What most packets were sent to, with what there is to compare.

use std::cmp::Reverse;

use maud::{Markup, html};
use sensor_common::noun::noun;

use super::Asked;
use super::asked::What;
use super::chart::bar;
use super::form::{UNKNOWN, at_least, change, moment, number, share};
use crate::view::{ServiceView, View};

/// Rows.
const ROWS: usize = 20;

/// The ranking.
pub(super) fn ranking(view: &View, asked: &Asked) -> Markup {
    let mut rows: Vec<&ServiceView> = view.services.iter().collect();
    let knows_scanners = rows.iter().any(|row| row.without_known_scanners().is_some());
    if asked.without_known_scanners {
        rows.sort_by_key(|row| Reverse(row.without_known_scanners().unwrap_or(row.packets)));
    }
    rows.truncate(ROWS);
    let shown = |row: &ServiceView| match row.without_known_scanners() {
        Some(packets) if asked.without_known_scanners => packets,
        _ => row.packets,
    };
    let most = rows.iter().map(|row| shown(row)).max().unwrap_or_default();
    html! {
        section #ranking aria-labelledby="ranking-heading" {
            h2 #ranking-heading {
                "What most packets were sent to"
                @if let Some(sensor) = &view.sensor { ": " (sensor) }
            }
            @if view.is_counted() { p .note {
                b data-fact="total" { (number(view.packets)) }
                " " (noun(view.packets, "packet", "packets")) " since the counters were made"
                @if let Some(hour) = view.hours.first() {
                    "; hour: the last full one, from " (moment(*hour)) ", against the same of the day and of the week before"
                }
                @if knows_scanners {
                    ". " a href=(Asked { without_known_scanners: !asked.without_known_scanners, ..asked.clone() }.link()) {
                        @if asked.without_known_scanners { "Rank with known scanners" } @else { "Rank without known scanners" }
                    }
                }
            } }
            @if !view.is_counted() {
                p { "The counters cannot be read just now: what is wrong stands above." }
            } @else if rows.is_empty() { p { "Nothing was counted yet." } } @else {
                div .scroll tabindex="0" role="group" aria-labelledby="ranking-heading" {
                    table .ranking {
                        thead { tr {
                            th scope="col" .n { "#" }
                            th scope="col" { "Port" }
                            th scope="col" .wide { span .hidden { "Bar" } }
                            th scope="col" .n { "Packets" }
                            th scope="col" .n { "Share" }
                            @if knows_scanners { th scope="col" .n { "≈ Not known scanners" } }
                            th scope="col" .n { "Hour" }
                            th scope="col" .n { "Day before" }
                            th scope="col" .n { "Week before" }
                            th scope="col" .n { "Sources" }
                        } }
                        tbody {
                            @for (place, row) in rows.iter().enumerate() { (line(place + 1, row, (shown(row), most), knows_scanners, view, asked)) }
                        }
                    }
                }
            }
            @if !view.sensors.is_empty() { (table_1(view)) }
        }
    }
}

fn line(
    place: usize,
    row: &ServiceView,
    (shown, most): (u64, u64),
    knows_scanners: bool,
    view: &View,
    asked: &Asked,
) -> Markup {
    let port = row.slot.as_deref().and_then(|slot| slot.parse().ok());
    let hour = |at: usize| row.hours.get(at).copied().flatten();
    html! {
        tr data-service=(row.service) {
            td .n { (place) }
            th scope="row" {
                @if let Some(port) = port {
                    a href=(Asked { what: What::Port(port), ..asked.clone() }.link()) { (row.service) }
                } @else { (row.service) }
                @if let Some(name) = &row.name { " " span .name { (name) } }
            }
            td .wide { (bar(shown, most)) }
            td .n data-fact="packets" { (number(row.packets)) }
            td .n data-fact="share" { (share(row.packets, view.packets)) }
            @if knows_scanners {
                td .n data-fact="without" { (row.without_known_scanners().map_or_else(|| UNKNOWN.to_owned(), number)) }
            }
            td .n data-fact="hour" { (hour(0).map_or_else(|| UNKNOWN.to_owned(), number)) }
            td .n data-fact="day" { (change(hour(0), hour(1))) }
            td .n data-fact="week" { (change(hour(0), hour(2))) }
            td .n data-fact="sources" { (row.from.map_or_else(|| UNKNOWN.to_owned(), |from| at_least(from.sources, from.at_least))) }
        }
    }
}

/// A row of TSUBAME's Table 1 for each sensor, to copy: its ten services, ICMP as one.
fn table_1(view: &View) -> Markup {
    let shown =
        view.sensors.iter().filter(|sensor| view.sensor.as_ref().is_none_or(|name| *name == sensor.name));
    html! {
        details .table-1 {
            summary { "Top 10 of each sensor, as a row to copy" }
            pre tabindex="0" {
                "sensor,region,1,2,3,4,5,6,7,8,9,10\n"
                @for sensor in shown {
                    (field(&sensor.name)) "," (field(&sensor.region))
                    @for service in &sensor.top { "," (service) }
                    @for _ in sensor.top.len()..10 { "," }
                    "\n"
                }
            }
        }
    }
}

/// A field of CSV (RFC 4180).
fn field(text: &str) -> String {
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
