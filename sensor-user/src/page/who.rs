//! From whom: countries, autonomous systems, sources, victims.

use maud::{Markup, html};
use sensor_common::noun::noun;

use super::Asked;
use super::chart::bar;
use super::form::{UNKNOWN, distinct, moment, number, share};
use super::world;
use crate::sources::answer::{Belongs, PartRow, Row, VictimRow};
use crate::view::{View, Who};

/// Rows of a table.
const ROWS: usize = 20;
/// What is said in place of addresses.
pub(super) const CONCEALED: &str = "Addresses of sources and victims are shown where they may be seen: through the Unix \
    socket, which `ssh -L` brings to a browser, or on loopback where the configuration says so.";

/// What is known of sources.
pub(super) fn who(view: &View, asked: &Asked) -> Markup {
    html! {
        section #who aria-labelledby="who-heading" {
            h2 #who-heading {
                "From whom"
                @if let Some(sensor) = &view.sensor { ": " (sensor) }
            }
            @if let Some(who) = &view.who { (known(who, asked)) (notices(view)) } @else {
                p { "Nothing is known of sources: it is told from evidence, which [evidence] in the configuration keeps." }
            }
        }
    }
}

fn known(who: &Who, asked: &Asked) -> Markup {
    let observed = who.observed + who.missed;
    html! {
        p .note {
            @if let Some(total) = &who.total {
                b data-fact="sources" { (distinct(total.sources, total.at_least)) }
                " " (noun(total.sources.count, "source", "sources"))
            }
            @if let Some(from) = who.from { " since " (moment(from)) }
            ", told from " b data-fact="observed" { (number(who.observed)) } " " (noun(who.observed, "packet", "packets")) ", " (share(who.observed, observed))
            " of those counted"
            @if who.missed > 0 { ": every number of sources is a lower bound" }
            ". " b data-fact="scans" { (number(who.scans)) } " " (noun(who.scans, "scan goes on.", "scans go on."))
        }
        (countries(who, asked))
        div .tables {
            @if let Some(why) = &who.no_systems { p .note { "By network: " (why) } } @else { (parts("By network", "AS", &who.systems, who.observed, of_system)) }
            @if who.concealed {
                p .note { (CONCEALED) }
            } @else { (heaviest(&who.heaviest)) }
            (victims(who))
        }
    }
}

fn countries(who: &Who, asked: &Asked) -> Markup {
    let other = Asked { map_of_sources: !asked.map_of_sources, ..asked.clone() };
    html! {
        @if let Some(why) = &who.no_countries { p .note { "By country: " (why) } } @else {
            figure .map {
                (world::map(&who.countries, asked.map_of_sources))
                figcaption .note {
                    @if asked.map_of_sources { "Sources by country. " } @else { "Packets by country. " }
                    "The stronger the colour, the more; small countries are in the table alone. "
                    a href=(other.link()) { @if asked.map_of_sources { "Colour by packets" } @else { "Colour by sources" } }
                }
            }
            (parts("By country", "Country", &who.countries, who.observed, of_country))
        }
    }
}

pub(super) fn of_country(row: &PartRow) -> Markup {
    html! {
        (row.of)
        @if let Some(name) = world::name(&row.of) { " " span .name { (name) } }
    }
}

fn of_system(row: &PartRow) -> Markup {
    html! {
        (row.of)
        @if let Some(name) = &row.as_name { " " span .name { (name) } }
    }
}

/// A table of parts.
pub(super) fn parts(
    heading: &str,
    of: &str,
    rows: &[PartRow],
    observed: u64,
    show: fn(&PartRow) -> Markup,
) -> Markup {
    let most = rows.iter().map(|row| row.packets).max().unwrap_or_default();
    html! {
        div .part {
            h3 { (heading) }
            @if rows.is_empty() { p .small { "None yet" } } @else {
                div .scroll tabindex="0" role="group" aria-label=(heading) {
                    table {
                        thead { tr {
                            th scope="col" { (of) } th scope="col" .wide { span .hidden { "Bar" } }
                            th scope="col" .n { "Packets" } th scope="col" .n { "Share" } th scope="col" .n { "Sources" }
                        } }
                        tbody {
                            @for row in rows.iter().take(ROWS) {
                                tr data-part=(row.of) {
                                    th scope="row" { (show(row)) }
                                    td .wide { (bar(row.packets, most)) }
                                    td .n data-fact="packets" { (number(row.packets)) }
                                    td .n { (share(row.packets, observed)) }
                                    td .n data-fact="sources" { (distinct(row.sources, row.at_least)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn belongs(belongs: &Belongs) -> Markup {
    html! {
        @if let Some(country) = belongs.country { (country) } @else { (UNKNOWN) }
        @if let Some(scanner) = &belongs.scanner { " " span .name { (scanner) } }
        @else if let Some(name) = &belongs.as_name { " " span .name { (name) } }
        @else if let Some(system) = belongs.system { " " span .name { "AS" (system) } }
    }
}

/// Who sent most.
pub(super) fn heaviest(rows: &[Row]) -> Markup {
    html! {
        div .part {
            h3 { "Sources" }
            @if rows.is_empty() { p .small { "None yet" } } @else {
                div .scroll tabindex="0" role="group" aria-label="Sources" {
                    table {
                        thead { tr {
                            th scope="col" { "Source" } th scope="col" { "Whose" } th scope="col" { "To" }
                            th scope="col" { "Tool" } th scope="col" .n { "Packets" }
                        } }
                        tbody {
                            @for row in rows.iter().take(ROWS) {
                                tr data-source=(row.source) {
                                    th scope="row" .address { (row.source) }
                                    td { (belongs(&row.belongs)) }
                                    td { @for (at, to) in row.did.iter().flat_map(|did| &did.ports).take(3).enumerate() { @if at > 0 { ", " } (to.slot) } }
                                    td { @for (at, tool) in row.did.iter().flat_map(|did| &did.tools).take(2).enumerate() { @if at > 0 { ", " } (tool.name) } }
                                    td .n data-fact="packets" { (number(row.packets)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What is to be told to those who are responsible, today.
fn notices(view: &View) -> Markup {
    html! {
        @if !view.constituencies.is_empty() || view.notices_seen.is_some_and(|seen| seen > 0) {
            div .part {
                h3 { "Notices of today" }
                p .small {
                    @match (view.notices_seen, &view.no_past) {
                        (Some(seen), _) => {
                            b data-fact="notices" { (number(seen)) }
                            " " (noun(seen, "address of a constituency is to be told of", "addresses of constituencies are to be told of"))
                            @if view.sensor.is_some() { ", of all sensors" }
                        }
                        (None, Some(why)) => { "How many addresses are to be told of is not known: " (why) }
                        (None, None) => { "Without a store there are no notices" }
                    }
                }
                @if !view.notices.is_empty() {
                    div .scroll tabindex="0" role="group" aria-label="Notices of today" {
                        table {
                            thead { tr {
                                th scope="col" { "Address" } th scope="col" { "Whose" } th scope="col" { "As" }
                                th scope="col" { "Last seen" } th scope="col" { "Sent" } th scope="col" .n { "Packets" }
                            } }
                            tbody {
                                @for notice in &view.notices {
                                    tr data-notice={ (notice.about) " " (notice.address) } {
                                        th scope="row" .address { (notice.address) }
                                        td { (notice.constituency) }
                                        td { (notice.about) }
                                        td { (moment(notice.last)) }
                                        td { @if notice.sent { "yes" } @else { "no" } }
                                        td .n data-fact="packets" { (number(notice.packets)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn victims(who: &Who) -> Markup {
    html! {
        div .part {
            h3 { "Under denial of service" }
            p .small {
                b data-fact="victims" { (number(who.victims_seen)) }
                " " (noun(who.victims_seen, "address, by its backscatter", "addresses, by their backscatter")) ", of which "
                b data-fact="victims-ongoing" { (number(who.victims_ongoing)) } " just now"
            }
            @if !who.victims.is_empty() {
                div .scroll tabindex="0" role="group" aria-label="Under denial of service" {
                    table {
                        thead { tr {
                            th scope="col" { "Victim" } th scope="col" { "Whose" } th scope="col" { "Ports" }
                            th scope="col" { "Last seen" } th scope="col" .n { "Packets" }
                        } }
                        tbody { @for row in &who.victims { (victim(row)) } }
                    }
                }
            }
        }
    }
}

fn victim(row: &VictimRow) -> Markup {
    let victim = &row.victim;
    html! {
        tr data-victim=(victim.victim) {
            th scope="row" .address { (victim.victim) }
            td { (belongs(&row.belongs)) }
            td { @for (at, port) in victim.ports.iter().take(3).enumerate() { @if at > 0 { ", " } (port) } }
            td { (moment(victim.end)) @if victim.ongoing { ", goes on" } }
            td .n data-fact="packets" { (number(victim.packets)) }
        }
    }
}
