//! Packet filters' rules, set by their own programs.

use anyhow::{Context as _, Result, ensure};
use sensor_harness::namespace::Namespace;
use sensor_harness::wire::Interface;

/// Rules that drop every packet of an interface, in force until they are dropped.
pub struct Rules {
    namespace: Namespace,
    filter: Filter,
}

/// Which rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// nftables at the interface's ingress: one counter.
    Nft,
    /// nftables at the interface's ingress: a set that has a counter for each TCP port.
    NftPorts,
    /// iptables, as early as it can; its rules count anyway.
    Iptables,
}

impl Rules {
    /// Sets them.
    ///
    /// # Errors
    /// The filter's program is not installed, or the kernel lacks its part.
    pub fn set(interface: &Interface, filter: Filter) -> Result<Self> {
        // Made before the rules are: what is there of them goes, even if not all of them can be set.
        let rules = Self { namespace: interface.namespace.clone(), filter };
        for command in filter.begin(&interface.name) {
            rules.run(&command)?;
        }
        Ok(rules)
    }

    /// How many packets they have counted since they were set; of a set, since it was made.
    ///
    /// # Errors
    /// The filter's program does not say.
    pub fn counted(&self) -> Result<u64> {
        let (command, before) = match self.filter {
            Filter::Nft => ("nft list chain netdev bench c", "counter packets "),
            Filter::NftPorts => ("nft list set netdev bench ports", "counter packets "),
            Filter::Iptables => ("iptables -w -t raw -v -S PREROUTING", " -c "),
        };
        let shown = self.run(command)?;
        ensure!(shown.contains(before), "`{command}` shows no counter: {}", shown.trim());
        let numbers = shown.split(before).skip(1).map(|rest| {
            let number = rest.split(|character: char| !character.is_ascii_digit()).next();
            number.and_then(|number| number.parse::<u64>().ok()).context("a counter is no number")
        });
        numbers.sum()
    }

    fn run(&self, command: &str) -> Result<String> {
        let (program, arguments) = command.split_once(' ').context("a command has arguments")?;
        self.namespace.command(program, arguments)
    }
}

impl Filter {
    fn begin(self, interface: &str) -> Vec<String> {
        let hook = format!("{{ type filter hook ingress device {interface} priority 0 ; }}");
        let commands: &[&str] = match self {
            Self::Nft => &[
                "nft add table netdev bench",
                &format!("nft add chain netdev bench c {hook}"),
                "nft add rule netdev bench c counter drop",
            ],
            Self::NftPorts => &[
                "nft add table netdev bench",
                "nft add set netdev bench ports { type inet_service ; size 65536 ; flags dynamic ; counter ; }",
                &format!("nft add chain netdev bench c {hook}"),
                "nft add rule netdev bench c ip protocol tcp update @ports { tcp dport } drop",
            ],
            Self::Iptables => &["iptables -w -t raw -A PREROUTING -j DROP"],
        };
        commands.iter().map(|&command| command.to_owned()).collect()
    }

    /// The set of ports stays: filling it is not what is measured.
    const fn end(self) -> &'static [&'static str] {
        match self {
            Self::Nft | Self::NftPorts => {
                &["nft flush chain netdev bench c", "nft delete chain netdev bench c"]
            }
            Self::Iptables => &["iptables -w -t raw -D PREROUTING -j DROP"],
        }
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        for command in self.filter.end() {
            // The namespace ends with the benchmark, whatever is left in it.
            drop(self.run(command));
        }
    }
}
