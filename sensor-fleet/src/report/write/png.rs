//! Figures as PNG.
//!
//! The font comes with the program: a server has none, and a figure without text says nothing. It is `DejaVu` Sans, whose
//! licence is in `LICENSE-DEJAVU`.

use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};
use resvg::{tiny_skia, usvg};

/// Pixels for each unit of the figure: sharp on a screen with small pixels, and on paper.
const SCALE: f32 = 2.0;

static OPTIONS: LazyLock<usvg::Options<'_>> = LazyLock::new(|| {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    usvg::Options {
        fontdb: Arc::new(fonts),
        font_family: "DejaVu Sans".to_owned(),
        ..usvg::Options::default()
    }
});

/// An SVG, drawn.
///
/// # Errors
/// If it isn't SVG, or too large.
pub fn render(svg: &str) -> Result<Vec<u8>> {
    let tree = usvg::Tree::from_str(svg, &OPTIONS).context("it is no SVG")?;
    let size = tree.size().to_int_size().scale_by(SCALE).context("it has no size")?;
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height()).context("it has no size")?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().context("it cannot be packed")
}
