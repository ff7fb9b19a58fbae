//! Rows as people read them, in columns.

use comfy_table::{ContentArrangement, Table, presets};

/// Rows of the same columns in one table. Columns in which nothing stands are left out.
pub(super) fn tables(rows: Vec<Vec<(&'static str, String)>>) -> String {
    let mut text = String::new();
    let mut rows = rows.into_iter().peekable();
    while let Some(first) = rows.next() {
        let names: Vec<_> = first.iter().map(|(name, _)| *name).collect();
        let mut same = vec![first];
        while let Some(row) = rows.next_if(|row| row.iter().map(|(name, _)| *name).eq(names.iter().copied()))
        {
            same.push(row);
        }
        let filled: Vec<_> = (0..names.len())
            .filter(|&at| same.iter().any(|row| row.get(at).is_some_and(|(_, text)| !text.is_empty())))
            .collect();
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(filled.iter().filter_map(|&at| names.get(at)));
        for row in &same {
            table.add_row(filled.iter().filter_map(|&at| row.get(at).map(|(_, text)| text)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        if !text.is_empty() {
            text.push('\n');
        }
        for line in table.lines() {
            text += line.trim_end();
            text.push('\n');
        }
    }
    text
}
