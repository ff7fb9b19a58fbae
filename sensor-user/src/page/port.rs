//! One port: its curves, and who sends to it.

use maud::{Markup, html};
use sensor_common::noun::noun;

use super::chart::{bar, curve};
use super::form::{UNKNOWN, at_least, distinct, moment, number};
use super::who::{heaviest, of_country, parts};
use crate::sources::answer::TupleRow;
use crate::view::port::{Curve, PortSources, PortView};

/// What stands above it.
pub(super) fn title(view: &PortView) -> String {
    let service = crate::view::Service::Port(view.port);
    let name = view.name().map(|name| format!(" ({name})")).unwrap_or_default();
    let sensor = view.sensor.as_ref().map(|sensor| format!(": {sensor}")).unwrap_or_default();
    format!("{service}{name}{sensor}")
}

/// All of it.
pub(super) fn body(view: &PortView) -> Markup {
    html! {
        p .rate {
            span .large data-fact="packets" { (number(view.packets)) } " " (noun(view.packets, "packet", "packets")) ", "
            span data-fact="bytes" { (number(view.bytes)) } " bytes since the counters were made"
        }
        div .columns-2 {
            (over_time("Packets a minute, in a day", view.day.as_ref(), view.no_past.as_ref()))
            (over_time("Packets an hour, in 30 days", view.month.as_ref(), view.no_past.as_ref()))
        }
        @if let Some(from) = &view.from { (sources(from)) } @else {
            p { "Nothing is known of sources: it is told from evidence, which [evidence] in the configuration keeps." }
        }
    }
}

fn over_time(heading: &str, of: Option<&Curve>, no_past: Option<&String>) -> Markup {
    html! {
        section .part {
            h2 { (heading) }
            @if let Some(of) = of {
                p .small {
                    @match of.steps.iter().flatten().max() {
                        Some(most) => {
                            "at most " (number(*most))
                            @if of.steps.contains(&None) { ", where it is known" }
                        }
                        None => "nothing is known yet",
                    }
                }
                (curve(&of.steps, "curve", heading))
                p .axis .small { span { (moment(of.from)) } " " span { (moment(of.to)) } }
            } @else if let Some(why) = no_past { p .small { "What is stored of it is not known: " (why) } }
            @else { p .small { "Nothing is stored of it yet: [store] or [evidence] in the configuration has it stored." } }
        }
    }
}

fn sources(from: &PortSources) -> Markup {
    let observed = from.total.as_ref().map(|total| total.packets).unwrap_or_default();
    html! {
        h2 { "From whom" }
        p .note {
            @if let Some(total) = &from.total {
                b data-fact="sources" { (distinct(total.sources, total.at_least)) }
                " " (noun(total.sources.count, "source", "sources")) " sent "
                b data-fact="observed" { (number(total.packets)) }
                " " (noun(total.packets, "packet that was", "packets that were")) " observed, in this hour and the last"
            }
        }
        div .tables {
            @if let Some(why) = &from.no_countries { p .note { "By country: " (why) } }
            @else { (parts("By country", "Country", &from.countries, observed, of_country)) }
            @if let Some(why) = &from.no_tools { p .note { "By tool: " (why) } } @else { (tools(from)) }
            @if let Some(rows) = &from.tuples { (tuples(rows)) }
            @if from.concealed { p .note { (super::who::CONCEALED) } } @else { (heaviest(&from.heaviest)) }
        }
    }
}

fn tools(from: &PortSources) -> Markup {
    let most = from.tools.iter().map(|(_, total)| total.packets).max().unwrap_or_default();
    html! {
        div .part {
            h3 { "SYNs by tool" }
            @if from.tools.is_empty() { p .small { "None yet" } } @else {
                table {
                    thead { tr {
                        th scope="col" { "Tool" } th scope="col" .wide { span .hidden { "Bar" } }
                        th scope="col" .n { "Packets" } th scope="col" .n { "Sources" }
                    } }
                    tbody {
                        @for (tool, total) in &from.tools {
                            tr data-tool=(tool) {
                                th scope="row" { (tool) }
                                td .wide { (bar(total.packets, most)) }
                                td .n data-fact="packets" { (number(total.packets)) }
                                td .n data-fact="sources" { (distinct(total.sources, total.at_least)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What SYNs had in common.
fn tuples(rows: &[TupleRow]) -> Markup {
    let most = rows.iter().map(|row| row.packets).max().unwrap_or_default();
    let or_none = |value: Option<u16>| value.map_or_else(|| UNKNOWN.to_owned(), |value| value.to_string());
    html! {
        div .part {
            h3 { "SYNs by what they have in common" }
            @if rows.is_empty() {
                p .small { "Nothing is followed that sent much of its SYNs here." }
            } @else {
                div .scroll tabindex="0" role="group" aria-label="SYNs by what they have in common" {
                    table {
                        thead { tr {
                            th scope="col" .n { "Window" } th scope="col" { "Options" } th scope="col" .n { "MSS" }
                            th scope="col" .n { "Scale" } th scope="col" .n { "TTL from" }
                            th scope="col" .wide { span .hidden { "Bar" } } th scope="col" .n { "Packets" }
                        } }
                        tbody {
                            @for row in rows {
                                tr data-tuple={ (row.window) " " (row.options) } {
                                    th scope="row" .n { (row.window) }
                                    td { @if row.options.is_empty() { (UNKNOWN) } @else { (row.options) } }
                                    td .n { (or_none(row.mss)) }
                                    td .n { (or_none(row.scale.map(u16::from))) }
                                    td .n { (row.ttl) }
                                    td .wide { (bar(row.packets, most)) }
                                    td .n data-fact="packets" { (at_least(row.packets, row.more > 0)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
