//! Kernels as Debian packages, brought by apt and checked by its own signatures.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};

use crate::architecture::Architecture;
use crate::setup::apt;
use crate::setup::suite::Apt;
use crate::shell;

/// What the names of all images begin with.
const IMAGES: &str = "linux-image-";

/// What to do where apt brings none.
const REMEDY: &str = "no kernel can be brought: give one with --kernel FILE --modules DIR";

/// Finds the newest cloud kernel for this architecture whose version starts with `series` (every one does with "") in
/// `suites`, and returns the folder that its packages are unpacked in.
///
/// # Errors
/// When apt has none: what is missing.
pub fn bring(series: &str, suites: &[&str], architecture: Architecture) -> Result<PathBuf> {
    if shell::find("apt-get").is_none() {
        bail!("no apt here to bring a kernel: give one with --kernel FILE --modules DIR");
    }
    let ours = Apt::machine();
    let of = architecture.name();
    // The machine's apt knows packages of the machine's own kind.
    let foreign = architecture != Architecture::here()?;
    let mut found =
        if series.is_empty() || foreign { None } else { newest(&ours.names(IMAGES)?, series, of) };
    let apt = if found.is_some() { ours } else { Apt::private(suites, of).context(REMEDY)? };
    found = found.or(newest(&apt.names(IMAGES)?, series, of));
    let image = found
        .ok_or_else(|| anyhow!("apt has no linux-image-{series}*-cloud-{of} in {}", suites.join(" or ")))?;
    let version = apt.ask("apt-cache", &["policy", &image])?;
    let version =
        apt::parse_candidate(&version).ok_or_else(|| anyhow!("apt has no candidate for {image}"))?;
    let folder = shell::workspace().join("target/tools/kernels").join(format!("{image}_{version}"));
    if !folder.is_dir() {
        println!("vm: bringing {image} {version}");
        let depends = apt.ask("apt-cache", &["depends", "--important", &image])?;
        let packages: Vec<_> = [&*image].into_iter().chain(parts(&depends)).collect();
        apt.unpack(&packages, &folder).with_context(|| format!("cannot bring {image}"))?;
    }
    Ok(folder)
}

/// Of packages' names, the image with the highest version in the series, for processors of this kind.
fn newest(names: &[String], series: &str, of: &str) -> Option<String> {
    let versioned = |name: &&String| {
        let version = name.strip_prefix("linux-image-")?.strip_suffix(of)?.strip_suffix("-cloud-")?;
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
    #[case::newest_of_its_series("6.1", "amd64", Some("linux-image-6.1.0-50-cloud-amd64"))]
    #[case::not_a_longer_one("6.12", "amd64", Some("linux-image-6.12.117+deb13-cloud-amd64"))]
    #[case::of_all("", "amd64", Some("linux-image-7.3-cloud-amd64"))]
    #[case::none("5.4", "amd64", None)]
    #[case::of_its_kind("6.1", "arm64", Some("linux-image-6.1.0-47-cloud-arm64"))]
    fn the_newest_image_is_chosen(#[case] series: &str, #[case] of: &str, #[case] package: Option<&str>) {
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
            "linux-image-6.1.0-47-cloud-arm64",
            "linux-image-6.1.0-53-cloud-arm64-unsigned",
            "linux-image-cloud-amd64",
        ];
        let names = names.map(str::to_owned);
        assert_eq!(newest(&names, series, of).as_deref(), package);
    }

    #[test]
    fn an_image_may_consist_of_others() {
        let depends = "linux-image-7.3-cloud-amd64\n  PreDepends: linux-base\n |Depends: dracut\n  \
                       Depends: linux-base-7.3-cloud-amd64\n  Depends: linux-binary-7.3-cloud-amd64\n  \
                       Depends: linux-modules-7.3-cloud-amd64\n";
        assert_eq!(parts(depends), ["linux-binary-7.3-cloud-amd64", "linux-modules-7.3-cloud-amd64"]);
    }
}
