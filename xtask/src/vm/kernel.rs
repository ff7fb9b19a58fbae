//! The kernels that the tests run on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::archive;

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

impl Kernel {
    /// The kernel of this name, brought if it is not there.
    ///
    /// # Errors
    /// When there is no such name, or it cannot be had.
    pub fn named(name: &str) -> Result<Self> {
        let known = KNOWN.iter().find(|(known, ..)| *known == name);
        let (_, series, suites) = known.ok_or_else(|| {
            anyhow!(
                "no kernel is called {name}: there are {}, or --kernel FILE --modules DIR",
                names().join(", ")
            )
        })?;
        let folder = archive::bring(series, suites)?;
        let modules = only(&folder, &["lib/modules", "usr/lib/modules"], |_| true)?;
        let image = only(&folder, &["boot"], |file| file.starts_with("vmlinuz"))
            .or_else(|_| only(&modules, &[""], |file| file == "vmlinuz"))?;
        Ok(Self { name: name.to_owned(), image, modules })
    }

    /// A kernel of the user's own.
    ///
    /// # Errors
    /// When the image is no file or the modules no folder.
    pub fn given(image: &Path, modules: &Path) -> Result<Self> {
        if !image.is_file() {
            bail!("{} is no file", image.display());
        }
        if !modules.is_dir() {
            bail!("{} is no folder", modules.display());
        }
        // Its modules' folder is named after the kernel's release.
        let name = modules
            .file_name()
            .map_or_else(|| "given".to_owned(), |name| name.to_string_lossy().into_owned());
        Ok(Self { name, image: image.to_path_buf(), modules: modules.to_path_buf() })
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
