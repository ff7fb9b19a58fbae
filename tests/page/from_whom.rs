//! What pages should say of sources, by what the socket tells of them.

use anyhow::{Context as _, Result};
use sensor_common::country;
use sensor_common::noun::noun;
use serde_json::Value;

use super::moment::{Moment, UNKNOWN, count, first, grouped, moment, packets_of, row, share, text, time};

/// Packets of each country, and a map of them.
pub fn by_country(of: &Moment<'_>, observed: u64, arguments: &[&str]) -> Result<Vec<String>> {
    let parts = of.lines(&[&["sources", "--by", "country"], arguments].concat(), "part")?;
    let name = |part: &Value| Ok(format!("{} {}", text(&part["of"]), named(part)?));
    table("By country", "Country", &parts, observed, name)
}

fn named(part: &Value) -> Result<&'static str> {
    country::name(&text(&part["of"])).with_context(|| format!("{part} is no country"))
}

/// The map, coloured by packets or by sources: what a person hears of it, and what it is said to be.
fn map(of: &Moment<'_>, is_of_sources: bool) -> Result<Vec<String>> {
    let (by, other) = if is_of_sources { ("sources", "packets") } else { ("packets", "sources") };
    let mut parts = of.lines(&["sources", "--by", "country"], "part")?;
    // It has them by their letters.
    parts.sort_by_key(|part| text(&part["of"]));
    let value =
        |part: &Value| count(if is_of_sources { &part["sources"]["count"] } else { &part["packets"] });
    let all: u64 = parts.iter().map(value).sum();
    let mut told = vec![format!("[Map of the world: {by} by country]")];
    for part in &parts {
        told.push(format!("{}: {} ({})", named(part)?, grouped(value(part)), share(value(part), all)));
    }
    let what = by[..1].to_uppercase() + &by[1..];
    told.push(format!(
        "{what} by country. The stronger the colour, the more; small countries are in the table alone. Colour by {other}"
    ));
    Ok(told)
}

fn table(
    heading: &str,
    of: &str,
    parts: &[Value],
    observed: u64,
    name: impl Fn(&Value) -> Result<String>,
) -> Result<Vec<String>> {
    let mut told = vec![heading.to_owned(), format!("{of} | Bar | Packets | Share | Sources")];
    for part in parts {
        let packets = count(&part["packets"]);
        let sources = grouped(count(&part["sources"]["count"]));
        told.push(row(&[name(part)?, grouped(packets), share(packets, observed), sources]));
    }
    Ok(told)
}

/// Whose an address is.
fn whose(row: &Value) -> String {
    let name = ["scanner", "as_name"].into_iter().find_map(|key| row[key].as_str()).unwrap_or_default();
    format!("{} {name}", text(&row["country"]))
}

/// Who sent most, to what, with what.
pub fn heaviest(sources: &[Value]) -> Vec<String> {
    let mut told = vec!["Sources".to_owned(), "Source | Whose | To | Tool | Packets".to_owned()];
    told.extend(sources.iter().map(|source| {
        let (to, tools) = (first(&source["ports"], "slot", 3), first(&source["tools"], "name", 2));
        row(&[text(&source["source"]), whose(source), to, tools, grouped(count(&source["packets"]))])
    }));
    told
}

/// Countries and networks, sources, victims, and who is to be told.
pub fn who(of: &Moment<'_>, is_map_of_sources: bool, notices: &[Value]) -> Result<Vec<String>> {
    let windows = of.lines(&["sources"], "window")?;
    let sum = |key: &str| windows.iter().map(|window| count(&window[key])).sum::<u64>();
    let observed = sum("observed");
    let sources = of.lines(&["sources"], "source")?;
    let scans = of.lines(&["scans"], "scan")?;
    let ongoing = scans.iter().filter(|scan| scan["ongoing"] == true).count() as u64;
    let about = of.sensor.map(|name| format!(": {name}")).unwrap_or_default();
    let mut told = vec![
        format!("From whom{about}"),
        format!(
            "{} {} since {}, told from {}, {} of those counted. {ongoing} {}",
            sources.len(),
            noun(sources.len() as u64, "source", "sources"),
            moment(time(&of.view["who"]["from"])?),
            packets_of(observed),
            share(observed, observed + sum("missed")),
            noun(ongoing, "scan goes on.", "scans go on.")
        ),
    ];
    told.extend(map(of, is_map_of_sources)?);
    told.extend(by_country(of, observed, &[])?);
    let systems = of.lines(&["sources", "--by", "as"], "part")?;
    let system = |part: &Value| Ok(format!("{} {}", text(&part["of"]), text(&part["as_name"])));
    told.extend(table("By network", "AS", &systems, observed, system)?);
    told.extend(heaviest(&sources));

    let victims = of.lines(&["victims"], "victim")?;
    let ongoing = victims.iter().filter(|victim| victim["ongoing"] == true).count();
    let by = noun(victims.len() as u64, "address, by its backscatter", "addresses, by their backscatter");
    told.extend([
        "Under denial of service".to_owned(),
        format!("{} {by}, of which {ongoing} just now", victims.len()),
    ]);
    if !victims.is_empty() {
        told.push("Victim | Whose | Ports | Last seen | Packets".to_owned());
    }
    for victim in victims.iter().rev() {
        let goes_on = if victim["ongoing"] == true { ", goes on" } else { "" };
        let (name, ports) = (text(&victim["victim"]), first(&victim["ports"], "", 3));
        let seen = moment(time(&victim["end"])?) + goes_on;
        told.push(row(&[name, whose(victim), ports, seen, grouped(count(&victim["packets"]))]));
    }
    let of_all = if of.sensor.is_some() { ", of all sensors" } else { "" };
    let are = noun(notices.len() as u64, "address of a constituency is", "addresses of constituencies are");
    told.extend([
        "Notices of today".to_owned(),
        format!("{} {are} to be told of{of_all}", notices.len()),
        "Address | Whose | As | Last seen | Sent | Packets".to_owned(),
    ]);
    let mut notices: Vec<&Value> = notices.iter().collect();
    notices.sort_by_key(|notice| std::cmp::Reverse(count(&notice["packets"])));
    for notice in notices {
        let [address, whose, about] = ["address", "constituency", "about"].map(|key| text(&notice[key]));
        let (seen, packets) = (moment(time(&notice["last"])?), grouped(count(&notice["packets"])));
        told.push(row(&[address, whose, about, seen, "no".to_owned(), packets]));
    }
    Ok(told)
}

/// A tool's SYNs to a port, and who sent them.
pub fn by_tool(of: &Moment<'_>, port: &str, tools: &[&str]) -> Result<Vec<String>> {
    let mut told = vec!["SYNs by tool".to_owned(), "Tool | Bar | Packets | Sources".to_owned()];
    for &tool in tools {
        let total = of.lines(&["sources", "--port", port, "--tool", tool], "total")?;
        let total = total.first().with_context(|| format!("no total of {tool}"))?;
        let [packets, sources] = [&total["packets"], &total["sources"]["count"]].map(count).map(grouped);
        told.push(row(&[tool.to_owned(), packets, sources]));
    }
    Ok(told)
}

/// What SYNs to a port had in common.
pub fn by_tuple(of: &Moment<'_>, port: &str) -> Result<Vec<String>> {
    let mut told = vec![
        "SYNs by what they have in common".to_owned(),
        "Window | Options | MSS | Scale | TTL from | Bar | Packets".to_owned(),
    ];
    let or_none =
        |value: &Value| value.as_u64().map_or_else(|| UNKNOWN.to_owned(), |value| value.to_string());
    for tuple in of.lines(&["tuples", "--port", port], "tuple")? {
        let options = Some(text(&tuple["options"])).filter(|options| !options.is_empty());
        let [mss, scale] = [&tuple["mss"], &tuple["scale"]].map(or_none);
        let (window, ttl) = (tuple["window"].to_string(), tuple["ttl"].to_string());
        let options = options.unwrap_or_else(|| UNKNOWN.to_owned());
        told.push(row(&[window, options, mss, scale, ttl, grouped(count(&tuple["packets"]))]));
    }
    Ok(told)
}
