//! Binds server and clients to cores of their own, where the system can.

/// The cores of server and client: the first two of those that the process may use.
#[cfg(target_os = "linux")]
pub(crate) fn choose() -> Option<(usize, usize)> {
    use rustix::thread::{CpuSet, sched_getaffinity};

    let allowed = sched_getaffinity(None).ok()?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    Some((cores.next()?, cores.next()?))
}

/// Binds the present thread, and all that it will start.
#[cfg(target_os = "linux")]
pub(crate) fn bind(core: usize) {
    use rustix::thread::{CpuSet, sched_setaffinity};

    let mut only = CpuSet::new();
    only.set(core);
    if let Err(error) = sched_setaffinity(None, &only) {
        eprintln!("not bound to core {core}: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) const fn choose() -> Option<(usize, usize)> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(crate) const fn bind(_: usize) {}
