//! A rescue that does not come to its end: what can be read is never out of reach of the next start.

use std::fs;

use super::*;
use crate::{
    StoreErrorKind,
    delivery::store::durable::{
        pending::Pending,
        place::{new_path, set_aside, write_new},
        record::Record,
    },
};

/// A damaged file with one record that can be read.
fn damaged(folder: &Folder) -> StoreSettings {
    let path = folder.file();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, [&[7; 64][..], &record(5, "precious").encode()].concat()).unwrap();
    StoreSettings { on_error: OutboxOnError::Memory, ..settings(&path) }
}

fn record(number: u64, text: &'static str) -> Record {
    Record {
        number,
        oldest: number,
        source: "a".into(),
        frame: text.into(),
        request_id: None,
        expires_at: None,
    }
}

/// What the next start finds.
fn found(settings: &StoreSettings) -> Vec<Bytes> {
    let (file, records) = super::super::open(&Place::new(settings.clone())).unwrap();
    assert_eq!(file.unwrap().load().unwrap(), records);
    records.into_values().map(|record| record.frame).collect()
}

#[test]
fn a_damaged_file_stays_until_what_was_rescued_is_written() {
    let folder = Folder::new();
    let settings = damaged(&folder);
    let before = fs::read(folder.file()).unwrap();
    // The new file cannot be written.
    fs::create_dir(new_path(&folder.file())).unwrap();
    let (file, records) = super::super::open(&Place::new(settings.clone())).unwrap();
    assert!(file.is_err() && records.is_empty());
    assert_eq!(fs::read(folder.file()).unwrap(), before);
    fs::remove_dir(new_path(&folder.file())).unwrap();
    assert_eq!(found(&settings), ["precious"]);
    assert_eq!(fs::read(folder.file().with_file_name("outbox.damaged-1")).unwrap(), before);
}

/// It held all that before, so the bound is for what comes next.
#[test]
fn more_than_the_file_may_hold_is_rescued() {
    let folder = Folder::new();
    let settings = StoreSettings { max_bytes: 4 << 20, ..damaged(&folder) };
    let records =
        (0..600).map(|number| Record { oldest: 0, frame: vec![0; 10_000].into(), ..record(number, "") });
    let bytes: Vec<u8> = records.flat_map(|record| record.encode()).collect();
    fs::write(folder.file(), [&[7; 64][..], &bytes].concat()).unwrap();
    let (file, records) = super::super::open(&Place::new(settings)).unwrap();
    assert_eq!(records.len(), 600);
    let mut next = Pending::default();
    next.insert(record(600, "next"));
    assert_eq!(file.unwrap().commit(&next).unwrap_err().kind, StoreErrorKind::CapReached);
}

#[test]
fn what_was_rescued_is_found_wherever_the_process_ends() {
    for step in 0..4 {
        let folder = Folder::new();
        let settings = damaged(&folder);
        let file = match step {
            0 => None,
            // Begun, by another attempt, and with what had been removed by now.
            1 => {
                let mut older = Pending::default();
                older.insert(record(4, "removed"));
                fs::rename(folder.file(), folder.0.join("damaged")).unwrap();
                let file = Place::new(settings.clone()).open().unwrap();
                file.commit(&older).unwrap();
                fs::rename(folder.file(), new_path(&folder.file())).unwrap();
                fs::rename(folder.0.join("damaged"), folder.file()).unwrap();
                Some(file)
            }
            _ => Some(write_new(&settings, &Pending::default()).unwrap().0),
        };
        if step == 3 {
            set_aside(&folder.file()).unwrap();
        }
        drop(file);
        assert_eq!(found(&settings), ["precious"], "step {step}");
        assert_eq!(found(&settings), ["precious"], "step {step}, at the start after that");
        assert!(!new_path(&folder.file()).exists());
    }
}
