//! Notices as CSV in the columns of Shadowserver's `event4_honeypot_darknet`: an event a row, times in UTC.

use jiff::Unit;

use super::event::Event;
use crate::store::About;

/// The columns, in their order.
pub const COLUMNS: [&str; 31] = [
    "timestamp",
    "protocol",
    "src_ip",
    "src_port",
    "src_asn",
    "src_geo",
    "src_region",
    "src_city",
    "src_hostname",
    "src_naics",
    "src_sector",
    "device_vendor",
    "device_type",
    "device_model",
    "dst_ip",
    "dst_port",
    "dst_asn",
    "dst_geo",
    "dst_region",
    "dst_city",
    "dst_hostname",
    "dst_naics",
    "dst_sector",
    "public_source",
    "infection",
    "family",
    "tag",
    "application",
    "version",
    "event_id",
    "count",
];

/// The first line.
#[must_use]
pub fn head() -> String {
    row(COLUMNS.map(str::to_owned))
}

/// The line of an event. What is not known is empty.
#[must_use]
pub fn line(event: &Event) -> String {
    row(COLUMNS.map(|column| value(event, column).unwrap_or_default()))
}

fn value(event: &Event, column: &str) -> Option<String> {
    let packet = event.packet.as_ref();
    Some(match column {
        "timestamp" => {
            let first = event.first.round(Unit::Second).ok()?;
            first.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        // Of a victim, what its ports are of.
        "protocol" if event.about == About::Victim => {
            event.attacks.iter().flat_map(|attack| &attack.ports).next()?.rsplit_once('/')?.1.to_owned()
        }
        "protocol" => packet?.protocol.clone()?,
        "src_ip" => event.address.to_string(),
        "src_port" => packet?.source_port?.to_string(),
        "src_asn" => event.belongs.system?.to_string(),
        "src_geo" => event.belongs.country?.to_string(),
        "dst_ip" => packet?.destination?.to_string(),
        "dst_port" => packet?.destination_port?.to_string(),
        "infection" if event.is_mirai() => "mirai".to_owned(),
        "tag" => match event.about {
            About::Victim => "ddos".to_owned(),
            About::Source if event.is_mirai() => "mirai".to_owned(),
            About::Source if event.is_backscatter() => "backscatter".to_owned(),
            About::Source => event.tool()?.to_owned(),
        },
        "event_id" => event.id.clone(),
        "count" => event.packets.to_string(),
        _ => return None,
    })
}

/// As RFC 4180 has it, but for the end of the line.
fn row(cells: [String; COLUMNS.len()]) -> String {
    let cell = |cell: String| {
        if cell.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell
        }
    };
    cells.map(cell).join(",") + "\n"
}
