//! [`Table`]: the medians of all rounds, as Markdown.

use std::time::Duration;

use crate::{
    process::Client,
    trial::{Figure, Unit},
};

/// The rows of the scenarios that are done.
pub(crate) struct Table(String);

impl Table {
    pub(crate) fn new() -> Self {
        Self(
            "| scenario | client | median | least to most | of the bare client | CPU per operation \
             | of the bare client | p50 | p99 | server busy |\n|---|---|---|---|---|---|---|---|---|---|\n"
                .to_owned(),
        )
    }

    /// Adds a line for each client of a scenario. What disturbs the machine disturbs all clients of one round alike,
    /// so ratios are taken within rounds.
    pub(crate) fn add(&mut self, scenario: &str, results: &[(Client, Vec<Figure>)]) {
        let first = results.first();
        for (client, figures) in results {
            let first = first.filter(|(first, _)| client != first).map(|(_, first)| first.as_slice());
            let line = format!("| {scenario} | {} | {} |", client.name(), cells(figures, first).join(" | "));
            println!("{line}");
            self.0.push_str(&line);
            self.0.push('\n');
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The lines above the first row.
    pub(crate) fn head(&self) -> &str {
        self.0.trim_end()
    }
}

/// All cells but the first two.
fn cells(figures: &[Figure], first: Option<&[Figure]>) -> [String; 8] {
    let values = || figures.iter().map(|figure| figure.value);
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let unit = figures.first().map_or(Unit::PerSecond, |figure| figure.unit);
    let cpu = |figure: &Figure| figure.cpu.map(microseconds);
    let latency =
        |percentile: usize| move |figure: &Figure| Some(microseconds(figure.latencies?[percentile]));
    [
        shown(median(values()), unit),
        format!("{} to {}", shown(least, unit), shown(most, unit)),
        ratio(figures, first, |figure| Some(figure.value))
            .map(|ratio| as_ratio(ratio, unit))
            .unwrap_or_default(),
        of_all(figures, cpu).map(in_microseconds).unwrap_or_default(),
        ratio(figures, first, cpu).map(|ratio| format!("{ratio:.2} x")).unwrap_or_default(),
        of_all(figures, latency(0)).map(in_microseconds).unwrap_or_default(),
        of_all(figures, latency(1)).map(in_microseconds).unwrap_or_default(),
        of_all(figures, |figure| figure.server_busy).map(in_percent).unwrap_or_default(),
    ]
}

/// The median of a part of all figures.
fn of_all(figures: &[Figure], part: impl Fn(&Figure) -> Option<f64>) -> Option<f64> {
    let parts: Option<Vec<_>> = figures.iter().map(part).collect();
    parts.map(|parts| median(parts.into_iter()))
}

/// The median of the ratios of a part to that of the first client in the same round.
fn ratio(figures: &[Figure], first: Option<&[Figure]>, part: impl Fn(&Figure) -> Option<f64>) -> Option<f64> {
    let pairs = figures.iter().zip(first?);
    let ratios: Option<Vec<_>> = pairs.map(|(figure, first)| Some(part(figure)? / part(first)?)).collect();
    ratios.map(|ratios| median(ratios.into_iter()))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond => format!("{}/s", grouped(value)),
        Unit::Milliseconds => format!("{} ms", grouped(value)),
        Unit::Kibibytes if value < 100.0 => format!("{value:.1} KiB"),
        Unit::Kibibytes => format!("{} KiB", grouped(value)),
    }
}

/// A whole number with a comma before every three digits.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn as_ratio(ratio: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond => in_percent(ratio),
        Unit::Milliseconds | Unit::Kibibytes => format!("{ratio:.2} x"),
    }
}

fn in_percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn in_microseconds(value: f64) -> String {
    if value < 10.0 { format!("{value:.2} µs") } else { format!("{} µs", grouped(value)) }
}
