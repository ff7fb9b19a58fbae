//! Kernels as Debian packages, brought by apt and checked by its own signatures.
//!
//! A suite that the machine's apt does not know is reached at the mirror that it does know, through a
//! configuration of its own: the machine's stays as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, bail};

use crate::setup::apt;
use crate::shell;

/// Lists of a suite are a few megabytes, a kernel's packages some tens.
const LOADING: Duration = Duration::from_mins(20);
const ASKING: Duration = Duration::from_mins(1);

/// Lists older than this are refreshed.
const FRESH: Duration = Duration::from_hours(24);

/// Where Debian's package debian-archive-keyring has its keys, by release.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];

/// Finds the newest cloud kernel whose version starts with `series` (every one does with "") in `suites`, and
/// returns the folder that its packages are unpacked in.
///
/// # Errors
/// When apt has none: what is missing.
pub fn bring(series: &str, suites: &[&str]) -> Result<PathBuf> {
    if shell::find("apt-get").is_none() {
        bail!("no apt here to bring a kernel: give one with --kernel FILE --modules DIR");
    }
    let ours = Apt::machine();
    let mut found = if series.is_empty() { None } else { newest(&ours.names()?, series) };
    let apt = if found.is_some() { ours } else { Apt::private(suites)? };
    found = found.or(newest(&apt.names()?, series));
    let image = found
        .ok_or_else(|| anyhow!("apt has no linux-image-{series}*-cloud-amd64 in {}", suites.join(" or ")))?;
    let version = apt.ask("apt-cache", &["policy", &image])?;
    let version =
        apt::parse_candidate(&version).ok_or_else(|| anyhow!("apt has no candidate for {image}"))?;
    let folder = shell::workspace().join("target/tools/kernels").join(format!("{image}_{version}"));
    if !folder.is_dir() {
        println!("vm: bringing {image} {version}");
        apt.unpack(&image, &folder).with_context(|| format!("cannot bring {image}"))?;
    }
    Ok(folder)
}

/// apt under one configuration.
struct Apt {
    /// `None`: the machine's.
    configuration: Option<PathBuf>,
}

impl Apt {
    fn machine() -> Self {
        Self { configuration: None }
    }

    /// apt for these suites alone, at the machine's mirror, its lists refreshed if they are old.
    fn private(suites: &[&str]) -> Result<Self> {
        let folder = shell::workspace().join("target/tools/apt").join(suites.join("-"));
        for place in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(place))
                .with_context(|| format!("cannot create {}", folder.join(place).display()))?;
        }
        let mirror = mirror()?;
        let keyring = KEYRINGS.into_iter().find(|path| Path::new(path).is_file());
        let signed = keyring.map_or_else(String::new, |path| format!("[signed-by={path}] "));
        let sources: Vec<String> =
            suites.iter().map(|suite| format!("deb {signed}{mirror} {suite} main\n")).collect();
        let place = |name: &str| folder.join(name).display().to_string();
        let settings = format!(
            "Dir::Etc::SourceList \"{}\";\nDir::Etc::SourceParts \"-\";\nDir::Etc::Preferences \"-\";\n\
             Dir::Etc::PreferencesParts \"-\";\nDir::State::Lists \"{}\";\nDir::State::Status \"/dev/null\";\n\
             Dir::Cache \"{}\";\nAcquire::Languages \"none\";\nAcquire::Check-Valid-Until \"true\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\nAPT::Architecture \"amd64\";\n\
             APT::Architectures {{ \"amd64\"; }};\nAPT::Sandbox::User \"\";\n",
            place("sources.list"),
            place("lists"),
            place("cache")
        );
        fs::write(folder.join("sources.list"), sources.concat())?;
        fs::write(folder.join("apt.conf"), settings)?;
        let apt = Self { configuration: Some(folder.join("apt.conf")) };
        let stamp = folder.join("refreshed");
        if !is_fresh(&stamp) {
            println!("vm: refreshing apt's lists of {}", suites.join(" and "));
            match apt.ask("apt-get", &["--quiet", "--error-on=any", "update"]) {
                Ok(_) => fs::write(&stamp, "")?,
                Err(error) if stamp.is_file() => println!("vm: using older lists: {error:#}"),
                Err(error) => return Err(error),
            }
        }
        Ok(apt)
    }

    /// Names of all cloud kernels' packages.
    fn names(&self) -> Result<Vec<String>> {
        let names = self.ask("apt-cache", &["pkgnames", "linux-image-"])?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Unpacks an image and what it consists of, all or nothing.
    fn unpack(&self, image: &str, folder: &Path) -> Result<()> {
        let partial = folder.with_extension("partial");
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
        let depends = self.ask("apt-cache", &["depends", "--important", image])?;
        let mut packages = vec![image];
        packages.extend(parts(&depends));
        self.ask_in(&partial, "apt-get", &[&["download", "--quiet"], &packages[..]].concat())?;
        for entry in fs::read_dir(&partial)?.flatten() {
            shell::capture(Command::new("dpkg-deb").arg("-x").arg(entry.path()).arg(&partial), LOADING)?;
            fs::remove_file(entry.path())?;
        }
        fs::rename(&partial, folder).with_context(|| format!("cannot create {}", folder.display()))
    }

    fn ask(&self, program: &str, arguments: &[&str]) -> Result<String> {
        self.ask_in(shell::workspace(), program, arguments)
    }

    fn ask_in(&self, folder: &Path, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).env("LC_ALL", "C");
        command.envs(self.configuration.iter().map(|file| ("APT_CONFIG", file)));
        shell::capture(&mut command, LOADING)
    }
}

fn is_fresh(stamp: &Path) -> bool {
    let changed = fs::metadata(stamp).and_then(|found| found.modified());
    changed.is_ok_and(|then| SystemTime::now().duration_since(then).is_ok_and(|age| age < FRESH))
}

/// The address of the Debian mirror that the machine's apt uses.
fn mirror() -> Result<String> {
    let ask = || {
        let mut command = Command::new("apt-get");
        command.args(["indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Created-By: Packages"]);
        let listed = shell::capture(&mut command, ASKING).ok()?;
        listed.lines().find_map(|line| line.strip_prefix("Debian Debian ")).map(str::to_owned)
    };
    apt::refreshed_until(ask).ok_or_else(|| {
        anyhow!(
            "apt here has no Debian mirror to bring a kernel from: give one with --kernel FILE --modules DIR"
        )
    })
}

/// Of packages' names, the image with the highest version in the series.
fn newest(names: &[String], series: &str) -> Option<String> {
    let versioned = |name: &&String| {
        let version = name.strip_prefix("linux-image-")?.strip_suffix("-cloud-amd64")?;
        let of_series = version.strip_prefix(series)?;
        let starts = version.starts_with(|first: char| first.is_ascii_digit());
        // 6.1 is not 6.12.
        let ends = series.is_empty() || !of_series.starts_with(|next: char| next.is_ascii_digit());
        (starts && ends).then(|| numbers(version))
    };
    let ours = names.iter().filter(|name| versioned(name).is_some());
    ours.max_by_key(versioned).cloned()
}

/// The numbers in a version, in their order.
fn numbers(version: &str) -> Vec<u32> {
    version.split(|char: char| !char.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// The packages that an image consists of: since 7.x it only names them.
fn parts(depends: &str) -> Vec<&str> {
    let named = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    named.filter(|name| name.starts_with("linux-binary-") || name.starts_with("linux-modules-")).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::newest_of_its_series("6.1", Some("linux-image-6.1.0-50-cloud-amd64"))]
    #[case::not_a_longer_one("6.12", Some("linux-image-6.12.117+deb13-cloud-amd64"))]
    #[case::of_all("", Some("linux-image-7.3-cloud-amd64"))]
    #[case::none("5.4", None)]
    fn the_newest_image_is_chosen(#[case] series: &str, #[case] package: Option<&str>) {
        let names = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-50-cloud-amd64",
            "linux-image-6.1.0-51-cloud-amd64-unsigned",
            "linux-image-6.12.117+deb13-cloud-amd64",
            "linux-image-6.12.99+deb13-cloud-amd64",
            "linux-image-7.2.13+deb14-cloud-amd64",
            "linux-image-7.3-cloud-amd64",
            "linux-image-7.3-cloud-amd64-dbg",
            "linux-image-7.4-amd64",
            "linux-image-cloud-amd64",
        ];
        let names = names.map(str::to_owned);
        assert_eq!(newest(&names, series).as_deref(), package);
    }

    #[test]
    fn an_image_may_consist_of_others() {
        let depends = "linux-image-7.3-cloud-amd64\n  PreDepends: linux-base\n |Depends: dracut\n  \
                       Depends: linux-base-7.3-cloud-amd64\n  Depends: linux-binary-7.3-cloud-amd64\n  \
                       Depends: linux-modules-7.3-cloud-amd64\n";
        assert_eq!(parts(depends), ["linux-binary-7.3-cloud-amd64", "linux-modules-7.3-cloud-amd64"]);
    }
}
