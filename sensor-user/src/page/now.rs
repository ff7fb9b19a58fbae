//! How it is just now: whether all is well, how fast packets come, and what becomes of them.

use std::collections::BTreeMap;

use maud::{Markup, html};
use sensor_common::noun::noun;

use super::Asked;
use super::chart::{bar, curve};
use super::form::{UNKNOWN, number, rate, share, time};
use crate::status::InterfaceStatus;
use crate::view::{Named, SensorView, View};

/// Whether all is well, in a line.
pub(super) fn health(view: &View) -> Markup {
    html! {
        p #health .health .well[view.trouble.is_none()] .trouble[view.trouble.is_some()] role="status" {
            @if let Some(trouble) = &view.trouble {
                strong { "Not well: " } (trouble)
            } @else if view.agent.observe {
                strong { "All is well: " } "counts, and lets everything pass (observe)"
            } @else {
                strong { "All is well: " } "counts and drops"
            }
        }
    }
}

/// Sensors, and what becomes of packets.
pub(super) fn now(view: &View, asked: &Asked) -> Markup {
    html! {
        section #now aria-labelledby="now-heading" {
            h2 #now-heading { "Now" }
            div .sensors {
                @for sensor in &view.sensors { (of_sensor(sensor, view.sensors.len() > 1, asked)) }
            }
            div .facts {
                @if view.is_counted() { (evidence(view)) (passed(&view.passed)) }
                (interfaces(&view.interfaces))
            }
            @if view.is_counted() {
                div .facts {
                    (named("SYNs by tool", "tools", &view.tools))
                    (named("TCP by flags", "tcp", &view.tcp))
                    (named("Backscatter", "backscatter", &view.backscatter))
                    @if !view.constituencies.is_empty() {
                        (named("From constituencies", "constituencies", &view.constituencies))
                    }
                }
            }
        }
    }
}

fn of_sensor(sensor: &SensorView, is_one_of_many: bool, asked: &Asked) -> Markup {
    let only = Asked { sensor: Some(sensor.name.clone()), ..asked.clone() };
    html! {
        article .sensor data-sensor=(sensor.name) {
            h3 {
                @if is_one_of_many { a href=(only.link()) { (sensor.name) } } @else { (sensor.name) }
                @if !sensor.region.is_empty() { " " span .region { (sensor.region) } }
            }
            p .rate { span .large { (rate(sensor.per_second)) } " packets/s" }
            (curve(&sensor.minutes, "spark", "Packets a minute in the last hour"))
            p .small {
                span data-fact="packets" { (number(sensor.packets)) } " " (noun(sensor.packets, "packet", "packets")) ", "
                span data-fact="bytes" { (number(sensor.bytes)) } " bytes"
            }
        }
    }
}

fn evidence(view: &View) -> Markup {
    let evidence = &view.evidence;
    let kept = evidence.path.is_some() || evidence.packets > 0;
    html! {
        div .fact data-fact="evidence" {
            h3 { "Evidence" }
            @if kept {
                p { span .large { (share(evidence.kept, evidence.packets)) } " kept" }
                p .small {
                    span data-fact="kept" { (number(evidence.kept)) } " of "
                    span data-fact="packets" { (number(evidence.packets)) } " " (noun(evidence.packets, "packet", "packets"))
                    @if evidence.path.is_none() { ", before; none is kept now" }
                }
                (reasons(evidence.skipped.iter().chain(&evidence.lost)))
            } @else { p { "None is kept: what is known of sources needs [evidence] in the configuration." } }
        }
    }
}

fn passed(passed: &BTreeMap<String, u64>) -> Markup {
    let all: u64 = passed.values().sum();
    html! {
        div .fact data-fact="passed" {
            h3 { "Let through" }
            p { span .large { (number(all)) } " " (noun(all, "packet", "packets")) }
            (reasons(passed.iter()))
        }
    }
}

/// The reasons that there were.
fn reasons<'a>(reasons: impl Iterator<Item = (&'a String, &'a u64)>) -> Markup {
    html! {
        ul .reasons {
            @for (reason, packets) in reasons.filter(|(_, packets)| **packets > 0) {
                li { (reason) " " b data-reason=(reason) { (number(*packets)) } }
            }
        }
    }
}

fn interfaces(interfaces: &[InterfaceStatus]) -> Markup {
    html! {
        div .fact data-fact="interfaces" {
            h3 { "Interfaces" }
            ul {
                @for interface in interfaces {
                    li .bad[interface.trouble.is_some()] {
                        b { (interface.name) } ": "
                        @if let Some(trouble) = &interface.trouble { (trouble) } @else {
                            "attached, " (interface.mode.as_deref().unwrap_or(UNKNOWN))
                            @if !interface.egress { ", does not see what is sent" }
                        }
                    }
                }
            }
        }
    }
}

/// Packets by name, with bars.
fn named(heading: &str, what: &str, rows: &[Named]) -> Markup {
    let most = rows.iter().map(|row| row.packets).max().unwrap_or_default();
    html! {
        div .fact data-fact=(what) {
            h3 { (heading) }
            @if most == 0 { p .small { "None yet" } } @else {
                table .bars {
                    tbody {
                        @for row in rows.iter().filter(|row| row.packets > 0) {
                            tr { th scope="row" { (row.name) } td { (bar(row.packets, most)) } td .n { (number(row.packets)) } }
                        }
                    }
                }
            }
        }
    }
}

/// The packets that were seen last.
pub(super) fn last(view: &View) -> Markup {
    html! {
        section #last aria-labelledby="last-heading" {
            h2 #last-heading { "Last packets" }
            @if view.last.is_empty() { p .small { "None is known: evidence tells of them." } } @else {
                div .scroll tabindex="0" role="group" aria-labelledby="last-heading" {
                    table .packets {
                        thead { tr {
                            th scope="col" { "UTC" } th scope="col" { "To" } th scope="col" { "Country" } th scope="col" { "Tool" }
                            @if view.last.iter().any(|packet| packet.source.is_some()) { th scope="col" { "Source" } }
                            @if view.sensors.len() > 1 { th scope="col" { "Sensor" } }
                        } }
                        tbody {
                            @for packet in &view.last {
                                tr {
                                    td { (time(packet.time)) }
                                    td { (packet.slot) }
                                    td { @if let Some(country) = packet.country { (country) } @else { (UNKNOWN) } }
                                    td { (packet.tool.as_deref().unwrap_or(UNKNOWN)) }
                                    @if let Some(source) = &packet.source { td .address { (source) } }
                                    @if view.sensors.len() > 1 { td { (packet.sensor) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
