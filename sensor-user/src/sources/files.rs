//! The files that `[sources]` names, looked at before an agent is started: it goes on without those that are bad.

use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

use anyhow::Error;

use super::lists;
use super::sketch::SketchKey;
use crate::config::Sources;

/// What is wrong with the files, each in a line.
#[must_use]
pub fn file_troubles(settings: &Sources) -> Vec<String> {
    let lists =
        lists::prove(settings).into_iter().map(|error| format!("{error:#}; it would be done without"));
    lists.chain(settings.sketch_key_file.as_deref().and_then(of_key)).collect()
}

fn of_key(path: &Path) -> Option<String> {
    let error = SketchKey::read(path).err()?;
    let path = path.display();
    // Nobody but the agent's user may read a key: to others that it cannot be read says nothing of it.
    if is_denied(&error) {
        return Some(format!(
            "whether there is a key in {path}, this user may not see: check as the agent's user"
        ));
    }
    Some(format!("sketch_key_file: {error:#}; until then no window would have a sketch"))
}

fn is_denied(error: &Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<IoError>())
        .any(|cause| cause.kind() == ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use rstest::rstest;

    use super::*;
    use crate::key_file::tests::KEY;

    #[rstest]
    #[case::good(Some((KEY, 0o600)), None)]
    #[case::others_read_it(Some((KEY, 0o644)), Some("others can read the key"))]
    #[case::none_in_it(Some(("0123", 0o600)), Some("is no key of 64 hexadecimal digits"))]
    #[case::absent(None, Some("no key in"))]
    fn a_bad_key_is_told(#[case] file: Option<(&str, u32)>, #[case] words: Option<&str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        if let Some((text, mode)) = file {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let settings = Sources { sketch_key_file: Some(path), ..Sources::default() };
        match (&file_troubles(&settings)[..], words) {
            ([], None) => {}
            ([told], Some(words)) => assert!(told.contains(words) && told.contains("no window"), "{told}"),
            (told, _) => panic!("{told:?}"),
        }
    }

    #[test]
    fn a_bad_list_is_told_by_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            Some(path)
        };
        let settings = Sources {
            countries: file("countries", "none"),
            autonomous_systems: Some(folder.path().join("absent")),
            known_scanners: file("scanners", "prefix,organisation\n203.0.113.0/24,Example\n"),
            ..Sources::default()
        };
        let told = file_troubles(&settings);
        let [countries, systems] = &told[..] else { panic!("{told:?}") };
        assert!(countries.starts_with("countries: ") && countries.contains("no MMDB file"), "{countries}");
        assert!(systems.starts_with("autonomous_systems: ") && systems.contains("absent"), "{systems}");
    }
}
