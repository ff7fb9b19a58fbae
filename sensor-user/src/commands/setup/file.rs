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

/// A text that is to be there. Until it is [put in place](Change::put_in_place) it is in a file of its own beside that one,
/// where no unit finds it.
#[derive(Debug)]
pub(super) struct Change<'a> {
    place: &'a Place,
    text: String,
    unconfirmed: PathBuf,
    /// Where the file that is there is kept, if there is one.
    kept: Option<PathBuf>,
}

impl<'a> Change<'a> {
    /// Of this text.
    pub fn new(place: &'a Place, text: String) -> Self {
        let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let kept = place.replaces.then(|| beside(&place.path, &now.to_string()));
        Self { place, text, unconfirmed: beside(&place.path, "unconfirmed"), kept }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// The path of the file that it is written to at first.
    pub fn unconfirmed(&self) -> &Path {
        &self.unconfirmed
    }

    /// The command that writes it, as it is to be typed.
    pub fn write_command(&self) -> String {
        let group = if group().is_some() { format!("--group {} ", socket::GROUP) } else { String::new() };
        let path = typed(&self.unconfirmed);
        format!("+ install -D {group}--mode {MODE:o} /dev/stdin {path} <<'END'\n{}END", self.text)
    }

    /// The command that undoes that.
    pub fn unwrite_command(&self) -> String {
        format!("rm {}", typed(&self.unconfirmed))
    }

    /// Writes it.
    ///
    /// # Errors
    /// It cannot be written: nothing is there then.
    pub fn write(&self) -> Result<()> {
        let path = &self.unconfirmed;
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).and_then(|()| write_whole(path, &self.text)).map_err(|error| {
            // A part of it is of no use.
            let _ = fs::remove_file(path);
            anyhow!("cannot write {}: {error}: make room, or name another with --config", path.display())
        })
    }

    /// The commands that put it in its place.
    pub fn place_commands(&self) -> Vec<String> {
        let path = typed(self.path());
        let keep = self.kept.as_ref().map(|kept| format!("mv {path} {}", typed(kept)));
        keep.into_iter().chain([format!("mv {} {path}", typed(&self.unconfirmed))]).collect()
    }

    /// The command that undoes those, and the writing.
    pub fn undo_command(&self) -> String {
        let path = typed(self.path());
        self.kept.as_ref().map_or_else(|| format!("rm {path}"), |kept| format!("mv {} {path}", typed(kept)))
    }

    /// Puts it in its place. At no moment there is less than one of the two.
    ///
    /// # Errors
    /// It cannot be put there, or somebody else has put one there meanwhile; nothing is changed then.
    pub fn put_in_place(&self) -> Result<()> {
        let (from, to) = (&self.unconfirmed, self.path());
        let put = match &self.kept {
            Some(kept) => fs::hard_link(to, kept).and_then(|()| fs::rename(from, to)),
            // Fails where a file is, unlike renaming.
            None => fs::hard_link(from, to).and_then(|()| fs::remove_file(from)),
        };
        put.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => anyhow!(
                "{} was written by somebody else meanwhile, and what is confirmed is in {}: look at both, and put the \
                 right one there",
                to.display(),
                from.display()
            ),
            _ => anyhow!(
                "cannot put {} in the place of {}: {error}: make room, and put it there",
                from.display(),
                to.display()
            ),
        })
    }
}

/// The path of a file beside another.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
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
    fn a_file_is_put_in_place_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("etc/sensor.toml");
        let place = Place::new(&path, false).unwrap();
        let change = Change::new(&place, "a\n".to_owned());
        change.write().unwrap();
        assert!(!path.exists(), "it is confirmed by nobody");
        assert_eq!(fs::metadata(change.unconfirmed()).unwrap().permissions().mode() & 0o777, MODE);
        change.put_in_place().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        // As if somebody had written it since.
        let other = Change::new(&place, "b\n".to_owned());
        other.write().unwrap();
        let error = other.put_in_place().unwrap_err().to_string();
        assert!(error.contains("meanwhile") && !error.contains('\n'), "{error}");
        let error = Place::new(&path, false).unwrap_err().to_string();
        assert!(error.contains("--replace") && !error.contains('\n'), "{error}");
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!([read(&path), read(other.unconfirmed())], ["a\n", "b\n"]);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_replaced_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sensor.toml");
        fs::write(&path, "old").unwrap();
        let place = Place::new(&path, true).unwrap();
        // What an earlier attempt has left is nobody's.
        for text in ["left", "new"] {
            let change = Change::new(&place, text.to_owned());
            change.write().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "old");
            assert_eq!(change.unwrite_command(), format!("rm {}.unconfirmed", path.display()));
        }
        let change = Change::new(&place, "new".to_owned());
        change.put_in_place().unwrap();
        let kept = change.kept.clone().unwrap();
        assert_eq!([&kept, &path].map(|path| fs::read_to_string(path).unwrap()), ["old", "new"]);
        assert_eq!(change.undo_command(), format!("mv {} {}", kept.display(), path.display()));
        assert_eq!(change.place_commands().len(), 2);
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
