//! Which files and folders an agent reads and writes, by its configuration, and which it has been granted.
//!
//! A right is one to a folder, as it was found: lists and configurations are replaced by other files of the same name, and
//! evidence and the store are made of files that come and go.

use std::fs;
use std::path::{self, Path, PathBuf};

use crate::config::{Config, Input, Sources};
use crate::kernel::AttachOptions;
use crate::writable;

/// What every agent reads: the kernel's tables, which processors there are, SQLite's random numbers, what is pinned beside its
/// own pins, and who is of the group that may ask.
const SYSTEM: [&str; 6] =
    ["/proc", "/sys/devices/system/cpu", "/sys/kernel/btf", "/sys/fs/bpf", "/dev/urandom", "/etc/group"];

/// What may be done with a file or a folder, and with all that is below it; each has what is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Right {
    Read,
    Write,
}

/// A path that a configuration names, and what has to be granted for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub named: PathBuf,
    right: Right,
    to: Vec<PathBuf>,
}

impl Need {
    /// A file that is read, and may be replaced: its folder, and that of the file that it is a link to.
    pub(super) fn file(path: &Path) -> Self {
        let mut to = vec![folder(path)];
        to.extend(fs::canonicalize(path).ok().map(|real| folder(&real)));
        Self { named: path.to_owned(), right: Right::Read, to }
    }

    /// A folder that is written to, and made where it is missing.
    pub(super) fn folder(path: &Path) -> Self {
        Self { named: path.to_owned(), right: Right::Write, to: vec![there(path)] }
    }

    /// A file that is written, with others beside it.
    pub(super) fn written(path: &Path) -> Self {
        Self { named: path.to_owned(), ..Self::folder(&folder(path)) }
    }
}

/// What a configuration takes beside its sockets.
pub(super) fn needs(config: &Config, input: &Input, options: &AttachOptions) -> Vec<Need> {
    let Sources { countries, autonomous_systems, known_scanners, sketch_key_file, .. } = &config.sources;
    let notices = config.notices.as_ref();
    let template = notices.and_then(|notices| notices.template_file.as_ref());
    let read = [
        input.file.as_ref(),
        countries.as_ref(),
        autonomous_systems.as_ref(),
        known_scanners.as_ref(),
        sketch_key_file.as_ref(),
        template,
    ];
    let evidence = config.evidence.as_ref().map(|evidence| &evidence.path);
    let store = config.store.as_ref().map(|store| &store.path);
    let folders = [Some(&options.pins), evidence, store];
    let log = notices.and_then(|notices| notices.log.as_ref());
    let read = read.into_iter().flatten().map(|path| Need::file(path));
    let folders = folders.into_iter().flatten().map(|path| Need::folder(path));
    read.chain(folders).chain(log.map(|path| Need::written(path))).collect()
}

/// What its sockets take.
pub(super) fn sockets(config: &Config, options: &AttachOptions) -> [Need; 2] {
    [config.socket_path(&options.pins), config.page_path(&options.pins)].map(|path| Need::written(&path))
}

/// The usual folder of evidence and the store, where it is there: a reload may begin to keep them.
pub(super) fn usual(folder: &Path) -> Option<Need> {
    folder.is_dir().then(|| Need::folder(folder))
}

/// What an agent was granted when it started.
#[derive(Clone, Debug)]
pub(super) struct Granted {
    needs: Vec<Need>,
    grants: Vec<(PathBuf, Right)>,
}

impl Granted {
    /// All that is needed, and what every agent reads.
    pub(super) fn of(needs: Vec<Need>) -> Self {
        let system = SYSTEM.iter().map(|path| (real(Path::new(path)), Right::Read));
        let named = needs.iter().flat_map(|need| need.to.iter().map(|path| (real(path), need.right)));
        let grants = system.chain(named).collect();
        Self { needs, grants }
    }

    /// The files and folders that have this right and no more.
    pub(super) fn with(&self, right: Right) -> impl Iterator<Item = &Path> {
        self.grants.iter().filter(move |(_, granted)| *granted == right).map(|(path, _)| path.as_path())
    }

    /// Whether something is needed that was so at the start, or is below what was granted then.
    pub(super) fn covers(&self, need: &Need) -> bool {
        let was_named = |it: &Need| it.named == need.named && it.right >= need.right;
        let is_below = |path: &PathBuf| {
            let path = real(path);
            self.grants.iter().any(|(granted, right)| *right >= need.right && path.starts_with(granted))
        };
        self.needs.iter().any(was_named) || need.to.iter().all(is_below)
    }
}

/// The folder of a file; of one in `/`, the file alone.
fn folder(path: &Path) -> PathBuf {
    let path = path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match path.parent() {
        Some(folder) if folder.parent().is_some() => folder.to_owned(),
        _ => path,
    }
}

/// A folder or, where it is missing and this user may make it, the one that it would be made in.
fn there(path: &Path) -> PathBuf {
    let path = path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if path.exists() || writable::refused(&path).is_some() {
        return path;
    }
    // Of `/` nobody is to have all.
    let there = path.ancestors().find(|folder| folder.exists() && folder.parent().is_some());
    there.map_or_else(|| path.clone(), Path::to_owned)
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|folder| {
        let (real, rest) = (fs::canonicalize(folder).ok()?, path.strip_prefix(folder).ok()?);
        // With nothing joined, a file would be called as a folder is.
        Some(if rest.as_os_str().is_empty() { real } else { real.join(rest) })
    });
    there.unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::file("/etc/sensor/sensor.toml", "/etc/sensor")]
    #[case::of_the_root("/sensor.toml", "/sensor.toml")]
    fn a_file_takes_its_folder(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(folder(Path::new(path)), Path::new(expected));
    }

    #[test]
    fn what_a_configuration_names_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["file", "lists", "evidence", "store", "log", "pins", "run"] {
            fs::create_dir(at(name)).unwrap();
        }
        let text = "interfaces = [\"eth0\"]\n[[sensor]]\nname = \"a\"\n[evidence]\npath = \"AT/evidence\"\n\
                    [store]\npath = \"AT/store\"\n[sources]\ncountries = \"AT/lists/c.mmdb\"\n\
                    known_scanners = \"AT/lists/k.csv\"\n[socket]\npath = \"AT/run/s.sock\"\n\
                    [page]\npath = \"AT/run/p.sock\"\n[notices]\nlog = \"AT/log/n\"\n\
                    [[constituency]]\nname = \"b\"\nprefixes = [\"203.0.113.0/24\"]\n";
        let text = text.replace("AT", &folder.path().display().to_string());
        let config = Config::of_text(Path::new("f"), &text).unwrap();
        let input = Input { file: Some(at("file/sensor.toml")), ..Input::default() };
        let options = AttachOptions { pins: at("pins"), ..AttachOptions::default() };
        let all = needs(&config, &input, &options).into_iter().chain(sockets(&config, &options));
        let found: Vec<_> = all.map(|need| (need.right, need.to)).collect();
        let expected = [
            (Right::Read, "file"),
            (Right::Read, "lists"),
            (Right::Read, "lists"),
            (Right::Write, "pins"),
            (Right::Write, "evidence"),
            (Right::Write, "store"),
            (Right::Write, "log"),
            (Right::Write, "run"),
            (Right::Write, "run"),
        ];
        assert_eq!(found, expected.map(|(right, name)| (right, vec![at(name)])));
    }

    #[test]
    fn the_usual_folder_is_granted_where_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let granted = Granted::of(usual(folder.path()).into_iter().collect());
        for need in [Need::folder(folder.path()), Need::folder(&folder.path().join("evidence"))] {
            assert!(granted.covers(&need), "{need:?}");
        }
        assert_eq!(usual(&folder.path().join("missing")), None);
    }

    #[test]
    fn what_is_below_a_grant_is_covered() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["lists", "kept", "elsewhere"] {
            fs::create_dir(at(name)).unwrap();
        }
        fs::write(at("elsewhere/real.csv"), "").unwrap();
        symlink(at("elsewhere/real.csv"), at("lists/link.csv")).unwrap();
        // Nobody can make a folder below a file.
        let never = at("elsewhere/real.csv/never");
        let granted = Granted::of(vec![
            Need::file(&at("lists/a.csv")),
            Need::folder(&at("kept")),
            Need::folder(&never),
        ]);
        for (need, covered) in [
            (Need::file(&at("lists/b.csv")), true),
            (Need::file(&at("lists/below/c.csv")), true),
            (Need::file(&at("kept/c.csv")), true),
            (Need::file(Path::new("/proc/version")), true),
            (Need::folder(&at("kept/a/b")), true),
            (Need::folder(&never), true),
            (Need::file(&at("elsewhere/real.csv")), false),
            (Need::file(&at("lists/link.csv")), false),
            (Need::folder(&at("elsewhere")), false),
            (Need::folder(&at("lists")), false),
            (Need::written(&at("lists/log")), false),
        ] {
            assert_eq!(granted.covers(&need), covered, "{need:?}");
        }
        let linked = Granted::of(vec![Need::file(&at("lists/link.csv"))]);
        assert!(
            linked.covers(&Need::file(&at("elsewhere/real.csv"))),
            "the file behind a link is granted too"
        );
    }
}
