//! What a person reads of a page.

/// The text of a page or of a part of it: a line for each heading, paragraph and row, whose cells are apart by ` | `. A picture is
/// what is said of it in brackets, and the titles of its parts; one that is hidden from readers is nothing.
pub fn lines(html: &str) -> Vec<String> {
    let mut text = String::new();
    let mut is_picture = false;
    for piece in html.split('<') {
        // Whatever a page shows has no `<` or `>` of its own: they are escaped.
        let (tag, shown) = piece.split_once('>').unwrap_or(("", piece));
        match tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap_or_default() {
            "svg" if tag.starts_with('/') => is_picture = false,
            "svg" => {
                is_picture = true;
                let label = tag.split_once("aria-label=\"").and_then(|(_, label)| label.split_once('"'));
                text.extend(label.map(|(label, _)| format!("\n[{label}]")));
            }
            "title" => text.push('\n'),
            _ if is_picture => continue,
            "th" | "td" => text.push('|'),
            "a" | "b" | "i" | "span" | "strong" => {}
            _ => text.push('\n'),
        }
        text.push_str(shown);
    }
    text.lines().map(line).filter(|line| !line.is_empty()).collect()
}

fn line(text: &str) -> String {
    let cells = text.split('|').map(str::trim).filter(|cell| !cell.is_empty());
    let mut line = cells.collect::<Vec<_>>().join(" | ");
    for (escaped, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")] {
        line = line.replace(escaped, character);
    }
    line
}

#[test]
fn a_page_is_read_as_lines() {
    let html = "<h1>A &lt;i&gt;</h1><p><b>1</b> of <span class=\"n\">2</span></p><table><tr><th>a</th><td></td>\
        <td>3</td></tr></table><svg aria-label=\"to 9\"><path d=\"M1\"><title>B &amp; C: 4</title></path></svg>\
        <svg aria-hidden=\"true\"><rect width=\"5\"/></svg><pre>6,7\n8</pre>";
    assert_eq!(lines(html), ["A <i>", "1 of 2", "a | 3", "[to 9]", "B & C: 4", "6,7", "8"]);
}
