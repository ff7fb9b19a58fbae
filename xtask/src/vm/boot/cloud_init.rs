//! A machine that sets itself up by the user-data, at its first boot.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::host::Host;
use super::{disk, examples};
use crate::shell;

const USER_DATA: &str = "packaging/examples/cloud-init/user-data";

/// Where the package is on the machine's disk, which reaches no server.
const PACKAGE: &str = "var/local/sensor.deb";

/// Whom Debian's images let in, by the keys that the cloud hands over.
const USER: &str = "debian";

/// Summing up a file takes no longer.
const SUMMING: Duration = Duration::from_mins(1);

/// Boots a machine with it, confirms, and looks at what has become of the machine.
///
/// # Errors
/// The step that did not go as it should.
pub fn go(folder: &Path, package: &Path) -> Result<()> {
    let example = shell::workspace().join(USER_DATA);
    let text = fs::read_to_string(&example).with_context(|| format!("cannot read {}", example.display()))?;
    let sum = shell::capture(Command::new("sha256sum").arg(package), SUMMING)?;
    let sum = sum.split(' ').next().unwrap_or_default();
    let place = format!("file:///{PACKAGE}");
    let user_data = set(
        &text,
        &[
            ("PACKAGE", place.as_str()),
            ("SHA256", sum),
            ("INTERFACES", "\"admin0 sensor0\""),
            ("MONITOR", "\"10.0.2.15/32 198.51.100.7/32 198.51.100.8/32\""),
            ("ALLOW", "10.0.2.0/24"),
            ("NAME", "boot"),
            ("REGION", "laboratory"),
        ],
    )?;
    let package = fs::read(package).with_context(|| format!("cannot read {}", package.display()))?;
    // Another than root's own, which cloud-init would keep root from using.
    let (key, public) = disk::key(folder, "user")?;
    let seed = format!("instance-id: boot\nlocal-hostname: boot\npublic-keys:\n  - {public}");
    let settings = "datasource_list: [ NoCloud ]\nnetwork: {config: disabled}\n";
    let mut journey = examples::start(
        folder,
        "cloud-init",
        vec![
            ("etc/cloud/cloud-init.disabled", None),
            ("etc/cloud/cloud.cfg.d/99_boot.cfg", Some(settings.into())),
            ("var/lib/cloud/seed/nocloud/meta-data", Some(seed.into())),
            ("var/lib/cloud/seed/nocloud/user-data", Some(user_data.into())),
            (PACKAGE, Some(package)),
        ],
    )?;
    let host = &journey.machine.host.clone();
    host.copy(&example, "/root/user-data")?;
    let said = host.ask("cloud-init schema --config-file /root/user-data 2>&1")?;
    ensure!(said.contains("Valid"), "{said}");

    let attached = host.until("ip link show sensor0 | grep -q xdp && ip link show admin0 | grep -q xdp");
    attached.with_context(|| {
        host.ask("tail -n 30 /var/log/cloud-init-output.log; journalctl --no-pager -n 30 -u sensor-setup")
            .unwrap_or_default()
    })?;
    host.ask("! systemctl is-enabled sensor && ! test -e /etc/sensor/sensor.toml")?;
    journey.say("cloud-init attached it, and waits for somebody to confirm");
    let user = Host { user: USER, key, ..host.clone() };
    let said = user.ask("sudo sensor confirm")?;
    ensure!(said.contains("confirmed"), "{said}");
    host.until("systemctl is-active sensor && systemctl is-enabled sensor")?;
    host.ask("grep --quiet laboratory /etc/sensor/sensor.toml")?;
    journey.say("confirmed over a new connection of the image's own user, and systemd runs it");
    examples::counts_for_good(&mut journey)
}

/// A text in which these variables of a shell have other values. Each must be there, once.
fn set(text: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (name, value) in values {
        let begin = format!("{name}=");
        let mut found = lines.iter_mut().filter(|line| line.trim_start().starts_with(&begin));
        let (first, more) = (found.next(), found.next());
        let line = first.filter(|_| more.is_none());
        let line = line.with_context(|| format!("{USER_DATA} does not set {name} once"))?;
        let indent = line.len() - line.trim_start().len();
        *line = format!("{}{begin}{value}", &line[..indent]);
    }
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn variables_get_values() -> Result<()> {
        let text = "a:\n    NAME=x\n    # NAME\n    REGION=y\n";
        assert_eq!(set(text, &[("NAME", "\"b c\"")])?, "a:\n    NAME=\"b c\"\n    # NAME\n    REGION=y\n");
        Ok(())
    }

    #[rstest]
    #[case::missing("REGION=y\n")]
    #[case::twice("NAME=x\nNAME=y\n")]
    fn a_variable_is_there_once(#[case] text: &str) {
        assert!(set(text, &[("NAME", "z")]).is_err());
    }
}
