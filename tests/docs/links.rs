//! Links lead somewhere, and every page can be reached.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use sensor_harness::workspace;

use crate::page::{Page, Piece, pages};

/// The path that a relative link names, from the workspace's folder, and the anchor.
fn target(from: &Page, link: &str) -> Option<(PathBuf, Option<String>)> {
    if link.contains("://") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() {
        from.path.clone()
    } else {
        plain(&from.path.parent().unwrap_or(Path::new("")).join(path))
    };
    Some((target, anchor.map(str::to_owned)))
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            component => plain.push(component),
        }
    }
    plain
}

fn links(page: &Page) -> impl Iterator<Item = &str> {
    page.pieces.iter().filter_map(|piece| match piece {
        Piece::Link(link) => Some(link.as_str()),
        _ => None,
    })
}

#[test]
fn links_lead_somewhere() -> Result<()> {
    let pages = pages()?;
    let (mut astray, mut tried) = (Vec::new(), 0);
    for page in &pages {
        for link in links(page) {
            let Some((path, anchor)) = target(page, link) else { continue };
            tried += 1;
            let leads = match anchor {
                None => workspace().join(&path).exists(),
                Some(anchor) => {
                    pages.iter().any(|other| other.path == path && other.anchors.contains(&anchor))
                }
            };
            if !leads {
                astray.push(format!("{}: {link}", page.name()));
            }
        }
    }
    assert!(astray.is_empty(), "{astray:#?}");
    assert!(tried > 50, "only {tried} links were found");
    Ok(())
}

#[test]
fn every_page_is_reached_from_the_first() -> Result<()> {
    let pages = pages()?;
    let mut reached = BTreeSet::from([PathBuf::from("README.md")]);
    loop {
        let known = pages.iter().filter(|page| reached.contains(&page.path));
        let next: BTreeSet<_> = known
            .flat_map(|page| links(page).filter_map(|link| target(page, link)))
            .map(|(path, _)| path)
            .filter(|path| path.starts_with("docs") || path.parent() == Some(Path::new("")))
            .collect();
        let before = reached.len();
        reached.extend(next);
        if reached.len() == before {
            break;
        }
    }
    let pages = pages.into_iter().map(|page| page.path).filter(|path| !path.starts_with("fleet"));
    let missed: Vec<_> = pages.filter(|path| !reached.contains(path)).collect();
    assert!(missed.is_empty(), "{missed:?}");
    Ok(())
}
