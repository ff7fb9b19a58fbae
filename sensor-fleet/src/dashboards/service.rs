//! What services are called: `23/tcp` is shown as `23/TCP Telnet`.
//!
//! The queries make a label `service`, written as in the agent's configuration. Names are put on it where it is
//! shown: in tables by value mappings, in legends by overrides.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

/// Names by service, such as `Telnet` by `23/tcp`.
#[derive(Debug)]
pub struct Names(Vec<(String, String)>);

impl Names {
    /// Those of `fleet/services.csv`: `port,protocol,name`.
    ///
    /// # Errors
    /// If a line isn't that.
    pub fn all() -> Result<Self> {
        Self::parse(include_str!("../../../fleet/services.csv"))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut found = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || line.starts_with("port,") {
                continue;
            }
            let mut cells = line.splitn(3, ',');
            let (Some(port), Some(protocol), Some(name)) = (cells.next(), cells.next(), cells.next()) else {
                anyhow::bail!("line {}: not port,protocol,name: {line}", at + 1);
            };
            ensure!(port.parse::<u16>().is_ok(), "line {}: not a port: {port}", at + 1);
            found.push((
                format!("{port}/{}", protocol.to_ascii_lowercase()),
                name.trim_matches('"').to_owned(),
            ));
        }
        Ok(Self(found))
    }

    /// Value mappings of a column that holds services.
    pub fn mappings(&self) -> Value {
        let named: serde_json::Map<String, Value> = self
            .0
            .iter()
            .enumerate()
            .map(|(index, (service, name))| {
                (service.clone(), json!({ "index": index, "text": shown(service, name) }))
            })
            .collect();
        let after = named.len();
        let pattern = |at: usize, pattern: &str, text: &str| json!({ "type": "regex", "options": { "pattern": pattern, "result": { "index": after + at, "text": text } } });
        json!([
            { "type": "value", "options": named },
            pattern(0, "/^(\\d+)\\/tcp$/", "$1/TCP"),
            pattern(1, "/^(\\d+)\\/udp$/", "$1/UDP"),
            pattern(2, "/^icmp$/", "ICMP"),
            pattern(3, "/^icmpv6$/", "ICMPv6"),
        ])
    }

    /// Overrides of a panel whose series are services: what their legends say.
    pub fn overrides(&self) -> Vec<Value> {
        let display = |matcher: Value, name: &str| json!({ "matcher": matcher, "properties": [{ "id": "displayName", "value": name }] });
        let pattern = |it: &str| json!({ "id": "byRegexp", "options": it });
        let mut rules = vec![
            display(pattern("/^\\d+\\/tcp$/"), "${__field.labels.port}/TCP"),
            display(pattern("/^\\d+\\/udp$/"), "${__field.labels.port}/UDP"),
            display(pattern("/^icmp$/"), "ICMP"),
            display(pattern("/^icmpv6$/"), "ICMPv6"),
        ];
        rules.extend(self.0.iter().map(|(service, name)| {
            display(json!({ "id": "byName", "options": service }), &shown(service, name))
        }));
        rules
    }
}

fn shown(service: &str, name: &str) -> String {
    format!("{} {name}", service.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_put_behind_the_number() {
        let names = Names::parse("port,protocol,name\n23,tcp,Telnet\n").expect("it is a table");
        let mappings = names.mappings();
        assert_eq!(mappings[0]["options"]["23/tcp"]["text"], "23/TCP Telnet");
        assert_eq!(mappings[0]["options"].as_object().map(serde_json::Map::len), Some(1));
        assert_eq!(names.overrides().len(), 5);
    }

    #[test]
    fn a_line_that_is_no_service_is_named() {
        let error = Names::parse("port,protocol,name\ntelnet,tcp,Telnet\n").expect_err("telnet is no port");
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
