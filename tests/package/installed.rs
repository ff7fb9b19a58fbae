//! Packages on a copy of this host: its file system below an overlay, with a network and pins of its own.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use sensor_harness::cli::{self, Said};
use sensor_harness::wire::Wire;

/// Makes the copy, and runs what stands in `$2` there: `$0` is an empty folder, `$1` becomes `/mnt`.
const COPY: &str = r#"
set -e
mount -t tmpfs tmpfs "$0"
mkdir "$0/upper" "$0/work" "$0/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" "$0/root"
cd "$0/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t bpf bpf sys/fs/bpf
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount --bind "$1" mnt
exec chroot . sh -ec "$2"
"#;

/// Whether the sensor is attached, and whether it is at the next boot, for scripts; `!` would end none.
const FUNCTIONS: &str = "
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
attached() { ip link show sensor0 | grep -q xdp; }
detached() { if attached; then echo \"sensor0 has a program\"; exit 1; fi; }
enabled() { ls /etc/systemd/system/*.wants/sensor.service >/dev/null 2>&1; }
disabled() { if enabled; then echo \"the unit is enabled\"; exit 1; fi; }
gone() { for path in \"$@\"; do test ! -e \"$path\" || { echo \"$path is left\"; exit 1; }; done; }
";

fn on_a_copy(wire: &Wire, packages: &Path, script: &str) -> Result<Said> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]).args(["sh", "-c", COPY]);
    command.arg(folder.path()).arg(packages).arg(format!("{FUNCTIONS}{script}"));
    cli::run(&wire.near.namespace, &mut command)
}

/// Installed with the older, upgraded to the newer, removed, purged; an agent attaches in between.
pub fn comes_and_goes(older: &Path, newer: &Path) -> Result<()> {
    let wire = Wire::new()?;
    let packages = tempfile::tempdir()?;
    std::fs::copy(older, packages.path().join("older.deb"))?;
    std::fs::copy(newer, packages.path().join("newer.deb"))?;
    let script = "
        dpkg --install /mnt/older.deb
        detached
        disabled
        systemctl --quiet enable sensor.service
        enabled
        getent passwd sensor >/dev/null && getent group sensor >/dev/null
        echo '# mine' >> /etc/sensor/sensor.toml.example
        mkdir -p /var/lib/sensor && touch /var/lib/sensor/sensor.db
        sensor run --interface sensor0 --listen 127.0.0.1:0 2>/run/log & agent=$!
        until attached; do kill -0 $agent || { cat /run/log; exit 1; }; sleep 0.1; done
        kill -TERM $agent && wait $agent
        attached
        dpkg --install --force-confdef --force-confold /mnt/newer.deb
        attached
        enabled
        grep -q mine /etc/sensor/sensor.toml.example
        dpkg --remove sensor
        detached
        disabled
        gone /usr/bin/sensor /sys/fs/bpf/sensor/v*
        test -e /var/lib/sensor/sensor.db
        dpkg --purge sensor
        gone /etc/sensor /var/lib/sensor /sys/fs/bpf/sensor /run/sensor /lib/systemd/system/sensor.service
        echo done";
    let said = on_a_copy(&wire, packages.path(), script)?;
    ensure!(said.code == 0 && said.stdout.trim_end().ends_with("done"), "{said:?}");
    ensure!(said.stdout.matches("sensor is installed. Nothing is attached yet.").count() == 1, "{said:?}");
    ensure!(said.stdout.contains("detached from sensor0"), "{said:?}");
    ensure!(!wire.near.has_xdp()?, "something is attached");
    Ok(())
}

/// `systemd-analyze verify` on the unit as it is installed.
pub fn verifies(deb: &Path) -> Result<()> {
    let wire = Wire::new()?;
    let packages = tempfile::tempdir()?;
    std::fs::copy(deb, packages.path().join("sensor.deb"))?;
    let script = "
        dpkg --install /mnt/sensor.deb >/dev/null 2>&1
        systemd-analyze verify --man=no /usr/lib/systemd/system/sensor.service
        systemd-sysusers --dry-run /usr/lib/sysusers.d/sensor.conf
        systemd-tmpfiles --create /usr/lib/tmpfiles.d/sensor.conf
        stat --format %a:%U /var/lib/sensor";
    let said = on_a_copy(&wire, packages.path(), script)?;
    assert_eq!((said.code, &*said.stderr, said.stdout.trim()), (0, "", "750:sensor"));
    Ok(())
}

/// Removed by a root without any capability for networks or BPF.
pub fn goes_unprivileged(deb: &Path) -> Result<()> {
    let wire = Wire::new()?;
    let packages = tempfile::tempdir()?;
    std::fs::copy(deb, packages.path().join("sensor.deb"))?;
    let script = "
        drop=-net_admin,-bpf,-perfmon,-sys_admin
        setpriv --bounding-set=$drop --inh-caps=$drop dpkg --install /mnt/sensor.deb
        setpriv --bounding-set=$drop --inh-caps=$drop dpkg --purge sensor
        gone /usr/bin/sensor";
    let said = on_a_copy(&wire, packages.path(), script)?;
    ensure!(said.code == 0 && said.stdout.contains("no sensor is attached here"), "{said:?}");
    Ok(())
}
