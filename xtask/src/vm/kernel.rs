//! The kernels that the tests run on.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::archive;
use crate::architecture::Architecture;

/// Kernels by the name they are asked for, with their series and Debian's suites that have it: the oldest that
/// the sensor runs on, those of the stable releases since, and the newest there is.
const KNOWN: [(&str, &str, &[&str]); 4] = [
    ("5.10", "5.10", &["bullseye"]),
    ("6.1", "6.1", &["bookworm"]),
    ("6.12", "6.12", &["trixie"]),
    ("newest", "", &["sid", "experimental"]),
];

/// A kernel, and where its modules are.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What to call it.
    pub name: String,
    /// The bootable image.
    pub image: PathBuf,
    /// The folder with its modules.
    pub modules: PathBuf,
}

/// The names of the kernels that are tested unless told otherwise.
pub fn names() -> Vec<String> {
    KNOWN.iter().map(|(name, ..)| (*name).to_owned()).collect()
}

/// What a kernel is called: of the usual architecture by its name alone.
pub fn label(name: &str, architecture: Architecture) -> String {
    match architecture {
        Architecture::Amd64 => name.to_owned(),
        Architecture::Arm64 => format!("{name}-{}", architecture.name()),
    }
}

impl Kernel {
    /// The kernel of this name, brought if it is not there.
    ///
    /// # Errors
    /// When there is no such name, or it cannot be had.
    pub fn named(name: &str, architecture: Architecture) -> Result<Self> {
        let known = KNOWN.iter().find(|(known, ..)| *known == name);
        let (_, series, suites) = known.ok_or_else(|| {
            anyhow!(
                "no kernel is called {name}: there are {}, or --kernel FILE --modules DIR",
                names().join(", ")
            )
        })?;
        let folder = archive::bring(series, suites, architecture)?;
        let modules = only(&folder, &["lib/modules", "usr/lib/modules"], |_| true)?;
        let image = only(&folder, &["boot"], |file| file.starts_with("vmlinuz"))
            .or_else(|_| only(&modules, &[""], |file| file == "vmlinuz"))?;
        check(&image, architecture)?;
        Ok(Self { name: label(name, architecture), image, modules })
    }

    /// A kernel of the user's own.
    ///
    /// # Errors
    /// When the image is no file or the modules no folder, or QEMU cannot start it.
    pub fn given(image: &Path, modules: &Path, architecture: Architecture) -> Result<Self> {
        if !image.is_file() {
            bail!("{} is no file", image.display());
        }
        if !modules.is_dir() {
            bail!("{} is no folder", modules.display());
        }
        check(image, architecture)?;
        // Its modules' folder is named after the kernel's release.
        let name = modules
            .file_name()
            .map_or_else(|| "given".to_owned(), |name| name.to_string_lossy().into_owned());
        Ok(Self { name, image: image.to_path_buf(), modules: modules.to_path_buf() })
    }
}

/// That QEMU can start an image. That of another kind of processor it would start, and nothing would be heard of it.
fn check(image: &Path, architecture: Architecture) -> Result<()> {
    let mut header = Vec::new();
    let read = File::open(image).and_then(|file| file.take(HEADER).read_to_end(&mut header));
    read.with_context(|| format!("cannot read {}", image.display()))?;
    ensure!(
        starts(&header, architecture),
        "{} is no image for {} that QEMU starts: give one that UEFI need not unpack",
        image.display(),
        architecture.name()
    );
    Ok(())
}

/// How much of an image [`starts`] looks at.
const HEADER: u64 = 64;

/// Whether an image begins as `Documentation/arch/arm64/booting.rst` says, or is such a one compressed by gzip; QEMU itself
/// looks at one for x86-64.
fn starts(header: &[u8], architecture: Architecture) -> bool {
    match architecture {
        Architecture::Amd64 => true,
        Architecture::Arm64 => {
            header.get(56..60) == Some(&b"ARM\x64"[..]) || header.starts_with(&[0x1f, 0x8b])
        }
    }
}

/// The only entry of these folders that fits.
fn only(root: &Path, folders: &[&str], fits: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let entries =
        folders.iter().filter_map(|folder| fs::read_dir(root.join(folder)).ok()).flatten().flatten();
    let mut fitting = entries.filter(|entry| fits(&entry.file_name().to_string_lossy()));
    let places = || format!("{} in {}", folders.join(" or "), root.display());
    let found = fitting.next().with_context(|| format!("nothing fits below {}", places()))?;
    match fitting.next() {
        None => Ok(found.path()),
        Some(_) => bail!("more than one fits below {}", places()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::image(&[&b"MZ@\xfa"[..], &[0; 52], b"ARM\x64@\0\0\0"].concat(), true)]
    #[case::compressed(b"\x1f\x8b\x08", true)]
    #[case::unpacked_by_uefi(&[&b"MZ\0\0zimg"[..], &[0; 48], b"\xcd\x23\x82\x81"].concat(), false)]
    #[case::empty(b"", false)]
    fn an_image_for_arm_is_told_by_its_header(#[case] header: &[u8], #[case] is_one: bool) {
        assert_eq!(starts(header, Architecture::Arm64), is_one);
    }
}
