//! Files that are damaged: an error, or what can be read, and never a panic.

use std::fs;

use super::*;
use crate::{
    StoreErrorKind,
    delivery::store::durable::{
        Store,
        record::carve,
        trials::{self, Found, damage, used},
    },
};

#[test]
fn a_damaged_file_is_an_error_and_no_panic() {
    let (mut opened, mut refused) = (0, 0);
    cases("damaged files", 300, |seed| match trials::damaged(seed) {
        Found::Opened { .. } => opened += 1,
        Found::Damaged => refused += 1,
    });
    assert!(opened > 0 && refused > 0, "{opened} were opened, {refused} were errors");
}

#[test]
fn a_failure_of_power_loses_nothing_that_was_written() {
    let mut written = 0;
    cases("power failures", 300, |seed| written += trials::power_failure(seed));
    assert!(written > 300, "{written} written");
}

/// On a real file: `refuse` is an error that names it, `memory` sets it aside and goes on with what can be
/// read.
#[test]
fn a_damaged_file_is_refused_or_set_aside() {
    cases("damaged files on the disk", 20, |seed| {
        let rng = &mut StdRng::seed_from_u64(seed);
        let folder = Folder::new();
        let path = folder.file();
        let (mut bytes, ..) = used(rng);
        damage(&mut bytes, rng);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &bytes).unwrap();
        // Opening repairs what can be repaired, so the error comes first or never.
        let refused = Store::open(&settings(&path)).err();
        if let Some(error) = &refused {
            assert_eq!(error.kind(), StoreErrorKind::Damaged);
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
        let aside = path.with_file_name("outbox.damaged-1");
        assert!(!aside.exists());
        if refused.is_some() {
            let (file, found) = super::super::open(&Place::new(StoreSettings {
                on_error: OutboxOnError::Memory,
                ..settings(&path)
            }))
            .unwrap();
            assert_eq!(found, carve(&fs::read(&aside).unwrap()));
            assert_eq!(file.unwrap().load().unwrap(), found);
        }
    });
}
