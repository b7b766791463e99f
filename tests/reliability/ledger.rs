//! The ledger against a small independent model of the server.

use vantiq_connector::internals::ledger_model;

use crate::run::Run;

pub(crate) fn agrees_with_its_model(run: &Run) -> String {
    let schedules = run.count(1_000_000);
    let figures = ledger_model::check(run.seed, schedules).unwrap_or_else(|violation| panic!("{violation}"));
    let ledger_model::Figures { sent, rejected, put_back, .. } = figures;
    format!("{schedules} schedules, 0 violations ({sent} sent, {rejected} refused, {put_back} sent again)")
}
