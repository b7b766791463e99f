//! A connector and its server in a simulated network, in which everything is decided by a seed: partitions, holds,
//! crashes, and whatever the server may do.
//!
//! `SEED=7 SCENE=12` plays that scene of a run alone, and prints what happened in it. A build with
//! `RUSTFLAGS="--cfg tokio_unstable"` decides by the seed, too, which of several things that are ready together
//! tokio's `select!` takes first; then the same scene has the same history each time.

mod figures;
mod handler;
mod history;
mod judge;
mod plan;
mod scene;
mod server;

use std::{
    env,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use figures::Figures;
use history::Moment;
use plan::Plan;

use crate::run::Run;

/// Scenes that are played at the same time.
const THREADS: usize = 2;
/// One scene of so many is played twice, to see whether it is the same.
const TWICE: u64 = 100;

/// What all scenes amount to.
#[derive(Debug, Default)]
struct Total {
    figures: Figures,
    again: u64,
    violation: Option<(u64, String)>,
}

pub(crate) fn keep_promises(run: &Run) -> String {
    if let Ok(scene) = env::var("SCENE") {
        return alone(run, scene.parse().expect("SCENE is a whole number"));
    }
    let (scenes, next, total) = (run.count(50_000), AtomicU64::new(0), Mutex::<Total>::default());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| play_until(run, scenes, &next, &total));
        }
    });
    let Total { figures, again, violation } = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((scene, what)) = violation {
        panic!("scene {scene}, again with `SEED={} SCENE={scene}`: {what}", run.seed);
    }
    let Figures { links, notifications, acknowledged, refused, unknown, duplicates, .. } = figures;
    let Figures { queries, answered, publishes, handled, arrived, sent, .. } = figures;
    let again = if again > 0 { format!("; {again} played again, all the same") } else { String::new() };
    format!(
        "{scenes} seeds, no violation; {links} links, {notifications} notifications ({acknowledged} acknowledged, {arrived} arrived, {sent} sent, {refused} refused, {unknown} unknown at a stop, {duplicates} duplicates), {answered} of {queries} queries answered, {handled} of {publishes} publishes handled{again}"
    )
}

/// Plays scenes until there are none left, or one breaks a promise.
fn play_until(run: &Run, scenes: u64, next: &AtomicU64, total: &Mutex<Total>) {
    loop {
        let scene = next.fetch_add(1, Ordering::Relaxed);
        if scene >= scenes {
            return;
        }
        let plan = plan(run, scene);
        let played = scene::play(&plan).and_then(|history| {
            let again = is_again(&plan, scene, &history)?;
            judge::judge(&plan, &history).map(|figures| (figures, again))
        });
        let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
        match played {
            Ok((figures, again)) => {
                total.figures.add(&figures);
                total.again += u64::from(again);
            }
            Err(what) => {
                if total.violation.as_ref().is_none_or(|(first, _)| scene < *first) {
                    total.violation = Some((scene, what));
                }
                next.store(scenes, Ordering::Relaxed);
            }
        }
    }
}

/// Plays some scenes twice, where all is decided by their seeds. Returns whether this one was.
fn is_again(plan: &Plan, scene: u64, history: &[Moment]) -> Result<bool, String> {
    if !cfg!(tokio_unstable) || !scene.is_multiple_of(TWICE) {
        return Ok(false);
    }
    if scene::play(plan)? == history { Ok(true) } else { Err("not the same when played again".into()) }
}

fn plan(run: &Run, scene: u64) -> Plan {
    // Neighbours share nothing: the generator spreads its seed.
    Plan::draw(run.seed.wrapping_mul(1_000_003).wrapping_add(scene))
}

/// Plays one scene, and says what happened in it.
fn alone(run: &Run, scene: u64) -> String {
    let plan = plan(run, scene);
    println!("{plan:#?}");
    let history = scene::play(&plan).unwrap_or_else(|error| panic!("scene {scene}: {error}"));
    for (at, event) in &history {
        println!("{:>9.3} s {event:?}", at.as_secs_f64());
    }
    let figures = judge::judge(&plan, &history).unwrap_or_else(|what| panic!("scene {scene}: {what}"));
    format!("{figures:?}")
}
