//! The tables.

use std::fmt::Write;

use super::{Measured, Tally};

/// One figure of a tally.
type Figure = fn(&Tally) -> f64;

/// A table's title, which rows it has, and what it shows of each.
type Shown = (&'static str, fn(&Measured) -> bool, Figure);

const SHOWN: [Shown; 3] = [
    ("Hits of 100 requests", |_| true, |tally| percent(tally.hits, tally.requests)),
    (
        "Bytes served from the cache, of 100 bytes",
        |row| !row.is_of_one_size,
        |tally| percent(tally.hit_bytes, tally.bytes),
    ),
    ("Writes of the index for 100 hits", |_| true, |tally| percent(tally.writes, tally.hits)),
];

/// The tables, in Markdown: means over the sizes of the cache first, then every size.
pub(super) fn tables(measured: &[Measured]) -> String {
    let mut out = String::new();
    for (title, has, figure) in SHOWN {
        let rows: Vec<Row> =
            measured.iter().filter(|row| has(row)).map(|row| of(row, figure)).collect();
        let mut means: Vec<Row> = Vec::new();
        for one in rows.chunk_by(|a, b| a.trace == b.trace) {
            means.extend(mean(one, |row| row.trace.to_owned()));
        }
        means.extend(mean(&means, |_| "mean".to_owned()));
        table(&mut out, title, measured, &means);
    }
    for (title, has, figure) in SHOWN {
        let rows: Vec<Row> =
            measured.iter().filter(|row| has(row)).map(|row| of(row, figure)).collect();
        table(&mut out, title, measured, &rows);
    }
    out
}

/// One line of a table.
#[derive(Debug)]
struct Row {
    trace: String,
    cache: String,
    figures: Vec<f64>,
}

fn of(measured: &Measured, figure: Figure) -> Row {
    Row {
        trace: measured.trace.to_owned(),
        cache: format!("{}.{}%", measured.per_mille / 10, measured.per_mille % 10),
        figures: measured.tallies.iter().map(|(_, tally)| figure(tally)).collect(),
    }
}

/// The mean of these lines; `None` of none.
fn mean(rows: &[Row], name: impl Fn(&Row) -> String) -> Option<Row> {
    let first = rows.first()?;
    let mut figures = vec![0.0; first.figures.len()];
    for row in rows {
        figures.iter_mut().zip(&row.figures).for_each(|(sum, figure)| *sum += figure);
    }
    let n_rows = f64::from(u32::try_from(rows.len()).ok()?);
    figures.iter_mut().for_each(|sum| *sum /= n_rows);
    Some(Row { trace: name(first), cache: "all".to_owned(), figures })
}

fn table(out: &mut String, title: &str, measured: &[Measured], rows: &[Row]) {
    let Some(first) = measured.first().filter(|_| !rows.is_empty()) else { return };
    let _ = write!(out, "{title}\n\n| requests | cache |");
    for (name, _) in &first.tallies {
        let _ = write!(out, " {name} |");
    }
    let _ = writeln!(out, "\n| --- | --: |{}", " --: |".repeat(first.tallies.len()));
    for row in rows {
        let _ = write!(out, "| {} | {} |", row.trace, row.cache);
        for figure in &row.figures {
            let _ = write!(out, " {figure:.1} |");
        }
        out.push('\n');
    }
    out.push('\n');
}

#[allow(clippy::cast_precision_loss, reason = "counts of requests, for people")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}
