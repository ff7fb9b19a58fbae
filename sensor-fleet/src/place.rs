//! Where files that belong together go: all of them, or none.
//!
//! A report takes long to make and is soon written. So its place is tried before anything is read, by making the folder
//! beside it in which the files are written; when they are all there, that folder becomes the report's. Whoever reads
//! meanwhile has the report of before, or the new one, and never some files of each. Files in the folder that are none of a report's
//! stay there. Dashboards are written likewise.
//!
//! A folder cannot be exchanged while somebody is in it, this program's caller for one, nor where the folder around it
//! is somebody else's: then the files are written inside, and moved one after the other.

use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use anyhow::{Context, Result, bail};

/// A file by name, and what is in it.
pub type File = (&'static str, Vec<u8>);

/// A folder that files can be written to.
#[derive(Debug)]
pub struct Place {
    /// What the files are, as an error says it.
    what: &'static str,
    folder: PathBuf,
    unfinished: Unfinished,
    exchange: bool,
}

/// A folder that is removed with all that is in it, unless it was moved away.
#[derive(Debug)]
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Moved away, it is not there; otherwise it is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Place {
    /// Makes sure that files can be written to this folder, which need not be there; `what` they are is for errors.
    ///
    /// # Errors
    /// It is none, or nothing can be written there.
    pub fn try_out(folder: &Path, what: &'static str) -> Result<Self> {
        Self::find(folder, what).with_context(|| {
            format!("cannot write {what} to {}: choose another directory with --output", folder.display())
        })
    }

    fn find(folder: &Path, what: &'static str) -> Result<Self> {
        if folder.exists() && !folder.is_dir() {
            bail!("it is no directory");
        }
        let folder = absolute(folder)?;
        let (parent, name) = folder.parent().zip(folder.file_name()).context("it has no name")?;
        let name = format!(".{}.unfinished-{}", name.display(), process::id());
        let busy = folder.is_dir() && env::current_dir().is_ok_and(|here| here.starts_with(&folder));
        if !busy {
            let beside = parent.join(&name);
            match fs::create_dir(&beside) {
                Ok(()) => {
                    let unfinished = Unfinished(beside);
                    if let Ok(there) = fs::metadata(&folder) {
                        fs::set_permissions(&unfinished.0, there.permissions())?;
                    }
                    return Ok(Self { what, folder, unfinished, exchange: true });
                }
                Err(error) if !folder.is_dir() => return Err(error.into()),
                Err(_) => {}
            }
        }
        let inside = folder.join(&name);
        fs::create_dir(&inside)?;
        Ok(Self { what, folder, unfinished: Unfinished(inside), exchange: false })
    }

    /// Writes the files, and says where they are.
    ///
    /// # Errors
    /// One cannot be written, or a folder has its name; the place is as before then.
    pub fn write(self, files: &[File]) -> Result<Vec<PathBuf>> {
        for (name, bytes) in files {
            let path = self.folder.join(name);
            let written = if path.is_dir() {
                Err(io::Error::from(io::ErrorKind::IsADirectory))
            } else {
                fs::write(self.unfinished.0.join(name), bytes)
            };
            written.with_context(|| format!("cannot write {}: make room for it", path.display()))?;
        }
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        let moved = if self.exchange { self.exchange(&names) } else { self.move_each(&names) };
        moved.with_context(|| format!("cannot move {} to {}", self.what, self.folder.display()))?;
        Ok(names.into_iter().map(|name| self.folder.join(name)).collect())
    }

    /// Puts the whole folder into its place.
    fn exchange(&self, names: &[&str]) -> io::Result<()> {
        let new = &self.unfinished.0;
        if !self.folder.exists() {
            return fs::rename(new, &self.folder);
        }
        let old = new.with_extension(format!("{}-before", process::id()));
        if fs::rename(&self.folder, &old).is_err() {
            // A file system may begin there.
            return self.move_each(names);
        }
        if let Err(error) = fs::rename(new, &self.folder) {
            fs::rename(&old, &self.folder)?;
            return Err(error);
        }
        for entry in fs::read_dir(&old)? {
            let entry = entry?;
            if !names.iter().any(|name| entry.file_name() == *name) {
                fs::rename(entry.path(), self.folder.join(entry.file_name()))?;
            }
        }
        fs::remove_dir_all(&old)
    }

    fn move_each(&self, names: &[&str]) -> io::Result<()> {
        names.iter().try_for_each(|name| fs::rename(self.unfinished.0.join(name), self.folder.join(name)))
    }
}

/// The folder's own path, without symbolic links; what is around it is made.
fn absolute(folder: &Path) -> Result<PathBuf> {
    if folder.is_dir() {
        return Ok(fs::canonicalize(folder)?);
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    Ok(fs::canonicalize(parent)?.join(folder.file_name().context("it has no name")?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn report(text: &str) -> Vec<File> {
        vec![("report.html", text.into()), ("top.csv", text.into())]
    }

    #[test]
    fn nothing_is_in_its_place_before_all_is_there() {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("2023Q4");
        let place = Place::try_out(&folder, "a report").unwrap();
        assert!(!folder.exists());
        drop(place);
        assert_eq!(names(around.path()), Vec::<String>::new(), "nothing is left of it");
        let paths = Place::try_out(&folder, "a report").unwrap().write(&report("new")).unwrap();
        assert_eq!(paths, [folder.join("report.html"), folder.join("top.csv")]);
        assert_eq!(names(around.path()), ["2023Q4"]);
    }

    #[test]
    fn a_report_is_exchanged_and_what_else_is_there_stays() {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("latest");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
        fs::write(folder.join("report.html"), "old").unwrap();
        fs::write(folder.join("mine.txt"), "mine").unwrap();
        Place::try_out(&folder, "a report").unwrap().write(&report("new")).unwrap();
        assert_eq!(names(&folder), ["mine.txt", "report.html", "top.csv"]);
        assert_eq!(fs::read_to_string(folder.join("report.html")).unwrap(), "new");
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o750);
        assert_eq!(names(around.path()), ["latest"]);
    }

    #[test]
    fn what_fails_leaves_the_report_of_before() {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("latest");
        fs::create_dir_all(folder.join("top.csv")).unwrap();
        fs::write(folder.join("report.html"), "old").unwrap();
        Place::try_out(&folder, "a report").unwrap().write(&report("new")).unwrap_err();
        assert_eq!(fs::read_to_string(folder.join("report.html")).unwrap(), "old");
        assert_eq!(names(around.path()), ["latest"]);
    }

    #[test]
    fn a_place_that_cannot_be_is_found_out_at_once() {
        let around = tempfile::tempdir().unwrap();
        let file = around.path().join("taken");
        fs::write(&file, "").unwrap();
        for folder in [file.clone(), file.join("below"), PathBuf::from("/proc/report"), PathBuf::from("/")] {
            let error = format!("{:#}", Place::try_out(&folder, "a report").unwrap_err());
            assert!(error.contains(&folder.display().to_string()) && error.contains("--output"), "{error}");
        }
    }
}
