//! Figures as PNG.
//!
//! The font comes with the program: a server has none, and a figure without text says nothing. It is `DejaVu` Sans, whose
//! licence is in `LICENSE-DEJAVU`. Japanese letters are the system's Noto Sans CJK: it is larger than the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use resvg::{tiny_skia, usvg};

use crate::report::language::Language;

/// Pixels for each unit of the figure: sharp on a screen with small pixels, and on paper.
const SCALE: f32 = 2.0;
/// The font that the program carries.
const CARRIED: &str = "DejaVu Sans";
/// The family with Japanese letters, and what names of its files begin with.
const JAPANESE: (&str, &str) = ("Noto Sans CJK JP", "NotoSansCJK");
/// Where systems have fonts.
const FOLDERS: [&str; 3] =
    ["/usr/share/fonts", "/usr/local/share/fonts", "/run/current-system/sw/share/X11/fonts"];
/// Folders within folders of fonts.
const DEEP: usize = 4;

/// The letters of figures.
pub struct Fonts {
    options: usvg::Options<'static>,
}

impl Fonts {
    /// Those of a language.
    ///
    /// # Errors
    /// The system has no font with Japanese letters: which package brings one.
    pub fn of(language: Language) -> Result<Self> {
        Self::within(language, &FOLDERS.map(Path::new))
    }

    fn within(language: Language, folders: &[&Path]) -> Result<Self> {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        let family = match language {
            Language::English => CARRIED,
            Language::Japanese => {
                let file = folders.iter().find_map(|folder| font(folder, DEEP)).context(
                    "no font of the system has Japanese letters: install fonts-noto-cjk, or leave --language ja out",
                )?;
                let font = fs::read(&file).with_context(|| {
                    format!("cannot read {}: install fonts-noto-cjk anew", file.display())
                })?;
                fonts.load_font_data(font);
                JAPANESE.0
            }
        };
        fonts.set_sans_serif_family(family);
        let options = usvg::Options {
            fontdb: Arc::new(fonts),
            font_family: family.to_owned(),
            ..usvg::Options::default()
        };
        Ok(Self { options })
    }

    /// An SVG, drawn.
    ///
    /// # Errors
    /// If it isn't SVG, or too large.
    pub fn render(&self, svg: &str) -> Result<Vec<u8>> {
        let tree = usvg::Tree::from_str(svg, &self.options).context("it is no SVG")?;
        let size = tree.size().to_int_size().scale_by(SCALE).context("it has no size")?;
        let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height()).context("it has no size")?;
        resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
        pixels.encode_png().context("it cannot be packed")
    }
}

/// A file with Japanese letters in a folder or below it, of usual weight if there is a choice.
fn font(folder: &Path, deep: usize) -> Option<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let is_font = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(JAPANESE.1) && (name.ends_with(".ttc") || name.ends_with(".otf"))
    };
    let fonts = || paths.iter().filter(is_font);
    let regular = fonts().find(|path| path.to_string_lossy().contains("Regular")).or_else(|| fonts().next());
    regular.cloned().or_else(|| {
        let below = deep.checked_sub(1)?;
        paths.iter().filter(|path| path.is_dir()).find_map(|path| font(path, below))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_japanese_letters_a_package_is_named() {
        let empty = tempfile::tempdir().unwrap();
        let refused = Fonts::within(Language::Japanese, &[empty.path()]).err().unwrap().to_string();
        assert!(refused.contains("install fonts-noto-cjk") && !refused.contains('\n'), "{refused}");
        assert!(Fonts::within(Language::English, &[empty.path()]).is_ok());
    }

    #[test]
    fn a_font_is_found_in_folders() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("opentype/noto");
        fs::create_dir_all(&below).unwrap();
        for name in ["NotoSansCJK-Bold.ttc", "NotoSansCJK-Regular.ttc", "NotoSans-Regular.ttf"] {
            fs::write(below.join(name), "").unwrap();
        }
        assert_eq!(font(dir.path(), DEEP), Some(below.join("NotoSansCJK-Regular.ttc")));
        assert_eq!(font(dir.path(), 1), None);
    }
}
