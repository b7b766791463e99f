//! Panics on purpose, which nobody needs to read about.

use std::{
    panic::{panic_any, set_hook, take_hook},
    sync::Once,
};

/// What a panic on purpose carries.
struct Planned;

/// Panics without a word on standard error; other panics say what they always do.
pub(crate) fn panic() -> ! {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            if !info.payload().is::<Planned>() {
                usual(info);
            }
        }));
    });
    panic_any(Planned)
}
