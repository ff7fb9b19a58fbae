//! The machine's disk: Debian as debootstrap makes it, with its own kernel, and a key to log in by.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::machine::NICS;
use crate::shell;

/// Debian's release.
const SUITE: &str = "bookworm";

/// What it has beside the packages without which it is none.
const PACKAGES: &str = "systemd-sysv,udev,dbus,openssh-server,iproute2,linux-image-cloud-amd64,initramfs-tools,\
                        procps,curl,ca-certificates";

/// A file of a disk, from its root on, and what is in it; `None`: it is not there, even if another disk had it.
pub type Written = (&'static str, Option<Vec<u8>>);

/// What a disk has beside that.
#[derive(Default)]
pub struct More {
    /// Packages.
    pub packages: &'static [&'static str],
    /// Files.
    pub files: Vec<Written>,
}

/// Fetching and installing them takes no longer.
const MAKING: Duration = Duration::from_mins(30);

/// What the machine starts from.
pub struct Disk {
    /// The disk's image.
    pub image: PathBuf,
    /// The kernel's.
    pub kernel: PathBuf,
    /// Its first file system.
    pub initrd: PathBuf,
    /// What one logs in by.
    pub key: PathBuf,
}

/// Makes a disk in a folder, of a tree that is fetched once.
///
/// # Errors
/// When Debian's packages cannot be had, or there is no room.
pub fn make(folder: &Path, more: &More) -> Result<Disk> {
    let root = folder.join(SUITE);
    let packages = [&[PACKAGES][..], more.packages].concat().join(",");
    let list = folder.join("debootstrap.list");
    let is_made = fs::read_to_string(&list).is_ok_and(|made| made == packages);
    if !is_made || !root.join("sbin/init").exists() || !root.join("etc/debian_version").exists() {
        println!("boot: making a Debian {SUITE} in {}: some minutes", root.display());
        let partial = folder.join("partial");
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
        let mut debootstrap = shell::as_root("debootstrap")?;
        debootstrap.args(["--variant=minbase", &format!("--include={packages}"), SUITE]).arg(&partial);
        shell::capture(&mut debootstrap, MAKING)?;
        let _ = fs::remove_dir_all(&root);
        fs::rename(&partial, &root).with_context(|| format!("cannot create {}", root.display()))?;
        fs::write(&list, packages).with_context(|| format!("cannot write {}", list.display()))?;
    }
    let (key, public) = key(folder, "key")?;
    configure(&root, &public)?;
    more.files.iter().try_for_each(|(path, content)| put(&root.join(path), content.as_deref()))?;
    let image = folder.join("disk.img");
    let _ = fs::remove_file(&image);
    let mut format = Command::new("mkfs.ext4");
    shell::capture(format.args(["-q", "-F", "-d"]).arg(&root).arg(&image).arg("2G"), MAKING)?;
    let boot = |begins: &str| -> Result<PathBuf> {
        let entries = fs::read_dir(root.join("boot"))?.filter_map(|entry| Some(entry.ok()?.path()));
        let is_it =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begins));
        entries.into_iter().find(is_it).with_context(|| format!("Debian has no /boot/{begins}…"))
    };
    Ok(Disk { image, kernel: boot("vmlinuz-")?, initrd: boot("initrd.img-")?, key })
}

/// A key to log in by, made once, and its public half.
///
/// # Errors
/// It cannot be made.
pub fn key(folder: &Path, name: &str) -> Result<(PathBuf, String)> {
    let key = folder.join(name);
    if !key.is_file() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut keygen = Command::new("ssh-keygen");
        shell::capture(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key), MAKING)?;
    }
    let public = fs::read_to_string(key.with_extension("pub"))
        .with_context(|| format!("{} has no public half: remove it", key.display()))?;
    Ok((key, public))
}

/// Writes a file, or removes it.
fn put(path: &Path, content: Option<&[u8]>) -> Result<()> {
    let Some(content) = content else {
        // It may not be there.
        let _ = fs::remove_file(path);
        return Ok(());
    };
    fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

/// Lets one log in, names the NICs by their addresses, and has the first ask for its own.
fn configure(root: &Path, key: &str) -> Result<()> {
    let write = |path: &str, text: &str| put(&root.join(path), Some(text.as_bytes()));
    write("root/.ssh/authorized_keys", key)?;
    fs::set_permissions(root.join("root/.ssh"), fs::Permissions::from_mode(0o700))?;
    write("etc/hostname", "boot\n")?;
    write("etc/fstab", "/dev/vda / ext4 defaults 0 0\n")?;
    for nic in &NICS {
        let (name, address) = (nic.name, nic.mac);
        write(
            &format!("etc/systemd/network/10-{name}.link"),
            &format!("[Match]\nMACAddress={address}\n\n[Link]\nName={name}\n"),
        )?;
        write(
            &format!("etc/systemd/network/10-{name}.network"),
            &format!("[Match]\nName={name}\n\n{}", nic.network),
        )?;
    }
    let wanted = root.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wanted)?;
    let online = root.join("etc/systemd/system/network-online.target.wants");
    fs::create_dir_all(&online)?;
    for (folder, unit) in
        [(&wanted, "systemd-networkd.service"), (&online, "systemd-networkd-wait-online.service")]
    {
        let link = folder.join(unit);
        if fs::symlink_metadata(&link).is_err() {
            symlink(format!("/lib/systemd/system/{unit}"), &link)?;
        }
    }
    Ok(())
}
