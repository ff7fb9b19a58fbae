//! What is to be configured, and the file that says so.

use std::fmt;
use std::path::Path;

use anyhow::{Result, anyhow};

use crate::config::{Config, Port, Prefix, Transport};
use crate::obstacle::WrongUse;

/// Everybody.
const EVERYBODY: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// What is to be configured.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// At least one.
    pub interfaces: Vec<String>,
    /// The sensor's name.
    pub name: String,
    /// Its region, if it is to have one.
    pub region: Option<String>,
    /// What is counted and dropped.
    pub monitored: Vec<Prefix>,
    /// From where one may log in; nobody may if it is empty.
    pub from: Vec<Prefix>,
    /// The TCP ports that one logs in at.
    pub login_ports: Vec<u16>,
    /// What stays open to everybody.
    pub open: Vec<Port>,
}

impl Plan {
    /// As the agent will have it from the file at this path.
    ///
    /// # Errors
    /// It is no configuration: too many prefixes, or some that overlap, for example.
    pub fn config(&self, path: &Path) -> Result<Config> {
        Config::of_text(path, &self.to_string()).map_err(|error| {
            let first = error.lines().first().map_or("", String::as_str);
            anyhow!(WrongUse(format!("what would be written is no configuration: {first}")))
        })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Written by `sensor setup`: more keys are in sensor.toml.example, all of them in docs/configuration.md."
        )?;
        writeln!(f, "interfaces = {}\n", texts(&self.interfaces))?;
        writeln!(f, "[[sensor]]\nname = {}", text(&self.name))?;
        if let Some(region) = &self.region {
            writeln!(f, "region = {}", text(region))?;
        }
        writeln!(f, "# What is sent there is counted and dropped.\nprefixes = {}", texts(&self.monitored))?;
        if !self.from.is_empty() {
            writeln!(f, "\n# From where one may log in.\n[[allow]]\nfrom = {}", texts(&self.from))?;
            writeln!(f, "tcp = {:?}\nicmp_echo = true", self.login_ports)?;
        }
        if !self.open.is_empty() {
            writeln!(f, "\n# What stays open to everybody.\n[[allow]]\nfrom = {}", texts(&EVERYBODY))?;
            for (key, transport) in [("tcp", Transport::Tcp), ("udp", Transport::Udp)] {
                let ports = self.open.iter().filter(|port| port.transport == transport);
                let ports: Vec<_> = ports.map(|port| port.number).collect();
                if !ports.is_empty() {
                    writeln!(f, "{key} = {ports:?}")?;
                }
            }
        }
        Ok(())
    }
}

/// A text as TOML has it, on one line.
fn text(value: impl fmt::Display) -> toml::Value {
    toml::Value::String(value.to_string())
}

fn texts<T: fmt::Display>(values: &[T]) -> toml::Value {
    toml::Value::Array(values.iter().map(text).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::sensor_name;

    fn plan() -> Plan {
        Plan {
            interfaces: vec!["eth0".to_owned()],
            name: "japan-1".to_owned(),
            region: Some("japan".to_owned()),
            monitored: vec!["198.51.100.7".parse().unwrap()],
            from: vec!["203.0.113.9".parse().unwrap(), "2001:db8:9::/64".parse().unwrap()],
            login_ports: vec![22, 2_222],
            open: vec![Port::tcp(443), Port::udp(53)],
        }
    }

    #[test]
    fn the_file_says_what_is_planned() {
        let config = plan().config(Path::new("f")).unwrap();
        assert_eq!(config.interfaces, ["eth0"]);
        let sensor = &config.sensors[0];
        assert_eq!(
            (&*sensor.name, &*sensor.region, &sensor.prefixes),
            ("japan-1", "japan", &plan().monitored)
        );
        let [login, open] = &config.allow[..] else { panic!("{:?}", config.allow) };
        assert_eq!((&login.from, &login.tcp, login.icmp_echo), (&plan().from, &vec![22, 2_222], true));
        assert_eq!((&open.tcp, &open.udp, open.icmp_echo), (&vec![443], &vec![53], false));
        assert_eq!(open.from.len(), 2);
    }

    #[test]
    fn what_is_left_out_has_no_rule() {
        let config =
            Plan { from: vec![], open: vec![], region: None, ..plan() }.config(Path::new("f")).unwrap();
        assert_eq!((config.allow, &*config.sensors[0].region), (vec![], ""));
    }

    #[test]
    fn what_is_no_configuration_is_said_in_one_line() {
        let overlapping = vec!["198.51.100.7".parse().unwrap(), "198.51.100.0/24".parse().unwrap()];
        let error = Plan { monitored: overlapping, ..plan() }.config(Path::new("/f")).unwrap_err();
        let said = format!("{error:#}");
        assert!(WrongUse::is_behind(&error) && said.contains("/f:8: ") && !said.contains('\n'), "{said}");
    }

    proptest! {
        /// No name can say more than itself.
        #[test]
        fn a_name_is_read_as_it_is_written(name in "\\PC{1,64}") {
            if let Ok(name) = sensor_name(&name) {
                let config = Plan { name: name.clone(), ..plan() }.config(Path::new("f"));
                prop_assert_eq!(&config.unwrap().sensors[0].name, &name);
            }
        }
    }
}
