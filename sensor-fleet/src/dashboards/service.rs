//! What services are called: `23/tcp` is shown as `23/TCP Telnet`.
//!
//! The queries make a label `service`, written as in the agent's configuration. Names are put on it where it is
//! shown: in tables by value mappings, in legends by overrides.

use sensor_common::port::Port;
use serde_json::{Map, Value, json};

use crate::vocabulary::names;

/// Value mappings of a column that holds services.
pub fn mappings() -> Value {
    mappings_of(names::all())
}

/// Overrides of a panel whose series are services: what their legends say.
pub fn overrides() -> Vec<Value> {
    overrides_of(names::all())
}

fn mappings_of(names: &[(Port, &str)]) -> Value {
    let texts: Map<String, Value> = names
        .iter()
        .enumerate()
        .map(|(index, (port, name))| {
            (port.to_string(), json!({ "index": index, "text": shown(*port, name) }))
        })
        .collect();
    let after = texts.len();
    let pattern = |at: usize, pattern: &str, text: &str| json!({ "type": "regex", "options": { "pattern": pattern, "result": { "index": after + at, "text": text } } });
    json!([
        { "type": "value", "options": texts },
        pattern(0, "/^(\\d+)\\/tcp$/", "$1/TCP"),
        pattern(1, "/^(\\d+)\\/udp$/", "$1/UDP"),
        pattern(2, "/^icmp$/", "ICMP"),
        pattern(3, "/^icmpv6$/", "ICMPv6"),
    ])
}

fn overrides_of(names: &[(Port, &str)]) -> Vec<Value> {
    let display = |matcher: Value, name: &str| json!({ "matcher": matcher, "properties": [{ "id": "displayName", "value": name }] });
    let pattern = |it: &str| json!({ "id": "byRegexp", "options": it });
    let mut rules = vec![
        display(pattern("/^\\d+\\/tcp$/"), "${__field.labels.port}/TCP"),
        display(pattern("/^\\d+\\/udp$/"), "${__field.labels.port}/UDP"),
        display(pattern("/^icmp$/"), "ICMP"),
        display(pattern("/^icmpv6$/"), "ICMPv6"),
    ];
    rules.extend(names.iter().map(|(port, name)| {
        display(json!({ "id": "byName", "options": port.to_string() }), &shown(*port, name))
    }));
    rules
}

fn shown(port: Port, name: &str) -> String {
    format!("{} {name}", port.to_string().to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_put_behind_the_number() {
        let names = names::parse("port,protocol,name\n23,tcp,Telnet\n").expect("it is a table");
        let mappings = mappings_of(&names);
        assert_eq!(mappings[0]["options"]["23/tcp"]["text"], "23/TCP Telnet");
        assert_eq!(mappings[0]["options"].as_object().map(Map::len), Some(1));
        assert_eq!(overrides_of(&names).len(), 5);
    }
}
