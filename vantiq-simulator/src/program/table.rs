//! [`Table`]: cells in columns, for people.

use std::io::{self, Write};

use clap::builder::styling::Style;

/// Blanks between columns.
const GAP: usize = 2;

/// Rows of cells, each with a style of its own.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<Cell>>,
}

/// A text and how it looks.
pub(super) type Cell = (String, Style);

impl Table {
    pub(super) fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// Writes it; the last column is as wide as it is.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for row in &self.rows {
            // No blanks at the end.
            let row = &row[..row.iter().rposition(|(text, _)| !text.is_empty()).map_or(0, |last| last + 1)];
            let last = row.len().saturating_sub(1);
            for (column, (text, style)) in row.iter().enumerate() {
                let blanks = if column == last { 0 } else { self.width(column) + GAP - width(text) };
                write!(out, "{style}{text}{style:#}{:blanks$}", "")?;
            }
            writeln!(out)?;
        }
        out.flush()
    }

    fn width(&self, column: usize) -> usize {
        self.rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|(text, _)| width(text))
            .max()
            .unwrap_or_default()
    }
}

/// Good enough for names: wide characters are rare there.
fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::default();
        let row = |texts: [&str; 3]| texts.map(|text| (text.to_owned(), Style::new())).to_vec();
        table.push(row(["a", "bb", "c"]));
        table.push(row(["ää", "b", ""]));
        let mut out = Vec::new();
        table.write(&mut out).expect("a vector takes everything");
        assert_eq!(String::from_utf8(out).expect("it is text"), "a   bb  c\nää  b\n");
    }
}
