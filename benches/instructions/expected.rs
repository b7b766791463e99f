//! [`Expected`]: the committed figures.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use crate::operations::OPERATIONS;

/// Instructions of each operation, a line for each: `name = instructions`.
#[derive(Debug)]
pub(crate) struct Expected(BTreeMap<String, f64>);

impl Expected {
    pub(crate) fn read() -> Result<Self> {
        let text = fs::read_to_string(file()).with_context(|| format!("{} can be read", file().display()))?;
        let figure = |line: &str| {
            let (name, figure) = line.split_once('=')?;
            Some((name.trim().to_owned(), figure.trim().parse().ok()?))
        };
        let figures: Option<BTreeMap<_, _>> = text.lines().map(figure).collect();
        let figures = figures.context("a line of expected.txt is not `name = instructions`")?;
        for name in figures.keys() {
            let is_known = OPERATIONS.iter().any(|operation| operation.name == name);
            ensure!(is_known, "expected.txt has `{name}`, which is no operation: take the line out");
        }
        Ok(Self(figures))
    }

    pub(crate) fn of(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    pub(crate) fn set(&mut self, name: &str, figure: f64) {
        self.0.insert(name.to_owned(), figure.round());
    }

    pub(crate) fn write(&self) -> Result<()> {
        let lines: Vec<_> = self.0.iter().map(|(name, figure)| format!("{name} = {figure}\n")).collect();
        Ok(fs::write(file(), lines.concat())?)
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions/expected.txt")
}
