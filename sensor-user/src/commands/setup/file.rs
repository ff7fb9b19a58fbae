//! The configuration file: written whole or not at all, and never over another that nobody wants replaced.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use jiff::Timestamp;

use crate::socket;
use crate::typed::word;

/// Root writes it, and the agent's group reads it.
const MODE: u32 = 0o640;

/// The place of the file.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    replaces: bool,
}

impl Place {
    /// The place, if the file may be written there. The path becomes one from the root, as the unit names it.
    ///
    /// # Errors
    /// There is one already, and it is not to be replaced; or something else is there.
    pub fn new(path: &Path, replace: bool) -> Result<Self> {
        let path = std::path::absolute(path)
            .with_context(|| format!("{} names no file: name another with --config", path.display()))?;
        let shown = path.display();
        let replaces = match fs::symlink_metadata(&path) {
            Ok(found) if !found.is_file() => bail!("{shown} is no file: name another with --config"),
            Ok(_) if !replace => bail!(
                "{shown} is there already: look at it with `sensor check --config {shown}`, or pass --replace, which keeps \
                 it beside the new one"
            ),
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot look at {shown}: name another with --config"));
            }
        };
        Ok(Self { path, replaces })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A text that is to be written there.
#[derive(Debug)]
pub(super) struct Change<'a> {
    place: &'a Place,
    text: String,
    /// Where the file that is there is kept, if there is one.
    kept: Option<PathBuf>,
}

impl<'a> Change<'a> {
    /// Of this text.
    pub fn new(place: &'a Place, text: String) -> Self {
        let kept = place.replaces.then(|| {
            let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
            let mut name = place.path.clone().into_os_string();
            name.push(format!(".{now}"));
            name.into()
        });
        Self { place, text, kept }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// The commands that write it, as they are to be typed.
    pub fn commands(&self) -> String {
        let path = typed(self.path());
        let keep =
            self.kept.as_ref().map(|kept| format!("+ mv {path} {}\n", typed(kept))).unwrap_or_default();
        let group = if group().is_some() { format!("--group {} ", socket::GROUP) } else { String::new() };
        format!("{keep}+ install -D {group}--mode {MODE:o} /dev/stdin {path} <<'END'\n{}END\n", self.text)
    }

    /// The command that undoes it, likewise.
    pub fn undo(&self) -> String {
        let path = typed(self.path());
        self.kept.as_ref().map_or_else(|| format!("rm {path}"), |kept| format!("mv {} {path}", typed(kept)))
    }

    /// Writes it.
    ///
    /// # Errors
    /// It cannot be written, or somebody else has put one there meanwhile; nothing is changed then.
    pub fn write(&self) -> Result<()> {
        let shown = self.path().display();
        self.put().map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                anyhow!(
                    "{shown} was written by somebody else meanwhile: look at it, and run `sensor setup` again"
                )
            }
            _ => anyhow!("cannot write {shown}: {error}: make room, or name another with --config"),
        })
    }

    fn put(&self) -> io::Result<()> {
        let path = self.path();
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        let written = write_whole(&new, &self.text).and_then(|()| match &self.kept {
            Some(kept) => fs::hard_link(path, kept).and_then(|()| fs::rename(&new, path)),
            // Fails where a file is, unlike renaming.
            None => fs::hard_link(&new, path),
        });
        // After a rename it is gone already.
        let _ = fs::remove_file(&new);
        written
    }
}

fn typed(path: &Path) -> String {
    word(&path.to_string_lossy()).into_owned()
}

fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    // One that an earlier attempt has left.
    if let Err(error) = fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    if let Some(group) = group() {
        chown(path, None, Some(group))?;
    }
    file.set_permissions(fs::Permissions::from_mode(MODE))?;
    file.sync_all()
}

/// The number of the agent's group, if the host has it.
fn group() -> Option<u32> {
    socket::group().ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("etc/sensor.toml");
        let place = Place::new(&path, false).unwrap();
        Change::new(&place, "a\n".to_owned()).write().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        // As if somebody had written it since.
        let error = Change::new(&place, "b\n".to_owned()).write().unwrap_err().to_string();
        assert!(error.contains("meanwhile"), "{error}");
        let error = Place::new(&path, false).unwrap_err().to_string();
        assert!(error.contains("--replace") && !error.contains('\n'), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_replaced_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sensor.toml");
        fs::write(&path, "old").unwrap();
        let place = Place::new(&path, true).unwrap();
        let change = Change::new(&place, "new".to_owned());
        change.write().unwrap();
        let kept = change.kept.clone().unwrap();
        assert_eq!([&kept, &path].map(|path| fs::read_to_string(path).unwrap()), ["old", "new"]);
        assert_eq!(change.undo(), format!("mv {} {}", kept.display(), path.display()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        for replace in [false, true] {
            let error = Place::new(folder.path(), replace).unwrap_err().to_string();
            assert!(error.contains("is no file"), "{error}");
        }
    }
}
