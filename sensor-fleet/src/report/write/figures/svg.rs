//! Says in an SVG what it shows, for those who don't see it.

use crate::report::write::html::escape;

/// The SVG with a title and a description, taken for one picture, and scaled by its page.
pub fn described(svg: &str, title: &str, description: &str) -> String {
    let Some((open, rest)) = svg.split_once('>') else { return svg.to_owned() };
    format!(
        "{open} role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n<desc>{description}</desc>{rest}",
        title = escape(title),
        description = escape(description)
    )
}
