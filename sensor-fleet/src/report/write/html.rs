//! The page: one file that fetches nothing, runs nothing, and can be read by everybody.

use std::fmt::Write as _;

use super::figures::Figure;
use super::page::{Block, Cell, Table};
use super::spark;
use crate::output::is_harmful;
use crate::report::words::{Form, caption, heading};
use crate::vocabulary::names;

/// How it looks, light and dark, wide and narrow, and on paper.
pub(super) const STYLE: &str = include_str!("style.css");

/// Lets a browser load and run nothing, whatever the page may say.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// Text as it may stand between tags and in quotes. Characters that no page may have,
/// or that would turn the direction of what follows, are left out.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(letter),
            letter if is_harmful(letter) => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// The page.
pub fn page(form: Form, title: &str, blocks: &[Block<'_>]) -> String {
    let title = escape(title);
    let mut body = String::new();
    let mut open = false;
    for (at, block) in blocks.iter().enumerate() {
        if let Block::Heading(heading) = block {
            if open {
                body.push_str("</section>\n");
            }
            open = true;
            put(&mut body, format_args!("<section aria-labelledby=\"part-{at}\">\n<h2 id=\"part-{at}\">"));
            put(&mut body, format_args!("{}</h2>\n", escape(heading)));
        } else {
            part(form, &mut body, block);
        }
    }
    if open {
        body.push_str("</section>\n");
    }
    let language = form.language.tag();
    format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\" />\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\" />\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n\
         <meta name=\"color-scheme\" content=\"light dark\" />\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n\
         </body>\n</html>\n"
    )
}

/// Writing to a string cannot fail.
fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = page.write_fmt(text);
}

fn part(form: Form, page: &mut String, block: &Block<'_>) {
    match block {
        Block::Heading(_) => {}
        Block::Text(text) => put(page, format_args!("<p>{}</p>\n", escape(text))),
        Block::Small(text) => put(page, format_args!("<p class=\"small\">{}</p>\n", escape(text))),
        Block::Summary(text) => put(page, format_args!("<p class=\"summary\">{}</p>\n", escape(text))),
        Block::Warning(text) => {
            let heading = heading::warning(form);
            put(page, format_args!("<p class=\"warning\"><strong>{heading}</strong> {}</p>\n", escape(text)));
        }
        Block::List(sentences) => {
            page.push_str("<ul>\n");
            for sentence in sentences {
                put(page, format_args!("<li>{}</li>\n", escape(sentence)));
            }
            page.push_str("</ul>\n");
        }
        Block::Table(content) => table(page, content),
        Block::Figure(content) => figure(form, page, content),
    }
}

fn figure(form: Form, page: &mut String, figure: &Figure) {
    page.push_str("<figure>\n");
    for (class, svg) in [("wide", &figure.wide), ("narrow", &figure.narrow)] {
        put(page, format_args!("<div class=\"{class}\">\n{svg}</div>\n"));
    }
    let end = form.say(". ", "。");
    let also = caption::also(form, figure.png, figure.svg);
    put(page, format_args!("<figcaption>{}{end}{also}</figcaption>\n", escape(&figure.title)));
    page.push_str("</figure>\n");
}

fn table(page: &mut String, table: &Table) {
    let class = if table.dense { " class=\"dense\"" } else { "" };
    let caption = escape(&table.caption);
    // What scrolls must be reachable by keyboard, and then say what it is.
    put(
        page,
        format_args!("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\n"),
    );
    put(page, format_args!("<table{class}>\n<caption><span>{caption}</span></caption>\n<thead><tr>"));
    for column in &table.columns {
        let class = if column.numeric { " class=\"number\"" } else { "" };
        put(page, format_args!("<th scope=\"col\"{class}>{}</th>", escape(&column.heading)));
    }
    page.push_str("</tr></thead>\n");
    for group in &table.groups {
        page.push_str("<tbody>\n");
        if let Some(heading) = &group.heading {
            let columns = table.columns.len();
            put(
                page,
                format_args!(
                    "<tr><th scope=\"rowgroup\" colspan=\"{columns}\">{}</th></tr>\n",
                    escape(heading)
                ),
            );
        }
        for row in &group.rows {
            page.push_str("<tr>");
            for (at, (cell, column)) in row.iter().zip(&table.columns).enumerate() {
                let class = if column.numeric { " class=\"number\"" } else { "" };
                let class = if matches!(cell, Cell::Short(_, true)) { " class=\"alone\"" } else { class };
                let text = shown(cell);
                if at == 0 {
                    put(page, format_args!("<th scope=\"row\"{class}>{text}</th>"));
                } else {
                    put(page, format_args!("<td{class}>{text}</td>"));
                }
            }
            page.push_str("</tr>\n");
        }
        page.push_str("</tbody>\n");
    }
    page.push_str("</table>\n</div>\n");
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => escape(text),
        Cell::Short(service, _) => format!("<span class=\"port\">{}</span>", escape(&service.to_string())),
        Cell::Days(days, begin) => spark::svg(days, *begin),
        Cell::Service(service) => {
            let port = format!("<span class=\"port\">{}</span>", escape(&service.to_string()));
            match names::name(service) {
                Some(name) => format!("{port} <span class=\"name\">({})</span>", escape(name)),
                None => port,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::tag("<script>", "&lt;script&gt;")]
    #[case::attribute("\" onload='x'", "&quot; onload=&#39;x&#39;")]
    #[case::entity("&amp;", "&amp;amp;")]
    #[case::control("a\u{0}b\u{1b}c", "abc")]
    #[case::turned("a\u{202e}b", "ab")]
    #[case::unicode("東京", "東京")]
    fn text_is_no_markup(#[case] text: &str, #[case] escaped: &str) {
        assert_eq!(escape(text), escaped);
    }
}
