//! What is accepted, kept, refused and found again.

use std::{fs, sync::Arc};

use tokio::time::Instant;

use super::*;
use crate::{
    Delivery, DeliveryError, NotifyError, OverflowPolicy, StoreErrorKind,
    delivery::{
        Left, Outbox,
        store::{
            Unwritten,
            durable::{Store, trials::Disk},
        },
    },
};

pub(super) fn outbox(store: &Store, source: &str) -> Arc<Outbox> {
    store.keep(Outbox::new(OverflowPolicy::Block, 100_000, 64 << 20), source)
}

pub(super) fn waiting(outbox: &Outbox) -> Vec<Bytes> {
    std::iter::from_fn(|| outbox.pop()).map(|entry| entry.draft.frame.clone()).collect()
}

pub(super) fn on(disk: &Disk, settings: StoreSettings) -> Store {
    let disk = disk.clone();
    Store::at(Place::on(settings, move || Box::new(disk.clone()))).unwrap()
}

pub(super) async fn push(outbox: &Arc<Outbox>, text: &'static str) -> crate::Receipt {
    outbox.push(draft(text)).await.unwrap().0
}

#[tokio::test]
async fn what_has_no_outcome_is_found_again_in_order_and_in_front() {
    let folder = Folder::new();
    for sync in [OutboxSync::Always, OutboxSync::Interval, OutboxSync::Never] {
        let settings = StoreSettings { sync, ..settings(&folder.file()) };
        let store = Store::open(&settings).unwrap();
        let (a, b) = (outbox(&store, "a"), outbox(&store, "b"));
        let within = Instant::now() + Duration::from_hours(1);
        let receipts = [push(&a, "1").await, push(&a, "2").await, push(&a, "3").await];
        a.push(Draft { request_id: Some(7), expires_at: Some(within), ..draft("4") }).await.unwrap();
        push(&b, "5").await;
        // Sent and acknowledged, sent and unknown, never sent.
        a.pop().unwrap().resolve(Ok(Delivery::Acknowledged));
        a.pop().unwrap().resolve(Err(DeliveryError::Unknown));
        assert_eq!(a.abandon(), Left { abandoned: 0, kept: 2 });
        store.close().await;
        assert!(matches!(a.push(draft("6")).await, Err(NotifyError::Closed)), "the file is closed");
        let [first, second, third] = receipts;
        assert_eq!(first.await, Ok(Delivery::Acknowledged));
        assert_eq!((second.await, third.await), (Err(DeliveryError::Unknown), Err(DeliveryError::Unknown)));

        let store = Store::open(&settings).unwrap();
        assert!(store.first_request_id() > 7);
        let a = outbox(&store, "a");
        push(&a, "7").await;
        let entries: Vec<_> = std::iter::from_fn(|| a.pop()).collect();
        let frames: Vec<_> = entries.iter().map(|entry| entry.draft.frame.clone()).collect();
        assert_eq!(frames, ["2", "3", "4", "7"], "{sync:?}");
        let fourth = &entries[2].draft;
        assert_eq!(fourth.request_id, Some(7));
        let expires_at = fourth.expires_at.unwrap();
        let apart = expires_at.max(within) - expires_at.min(within);
        assert!(apart < Duration::from_mins(1), "{apart:?}");
        for entry in entries {
            entry.resolve(Ok(Delivery::Arrived));
        }
        store.close().await;

        let store = Store::open(&settings).unwrap();
        assert_eq!(waiting(&outbox(&store, "a")), Vec::<Bytes>::new());
        let b = outbox(&store, "b");
        b.pop().expect("nobody served it").resolve(Err(DeliveryError::Expired));
        store.close().await;
    }
}

#[tokio::test]
async fn the_order_is_that_of_the_calls() {
    let folder = Folder::new();
    let settings = settings(&folder.file());
    let store = Store::open(&settings).unwrap();
    let a = outbox(&store, "a");
    let texts: Vec<_> = (0..1_000).map(|n: u32| Bytes::from(n.to_string())).collect();
    let (last, others) = texts.split_last().unwrap();
    for text in others {
        a.offer(draft(text.clone())).unwrap();
    }
    a.push(draft(last.clone())).await.unwrap();
    assert_eq!(waiting(&a), texts);
    store.close().await;
    let store = Store::open(&settings).unwrap();
    assert_eq!(waiting(&outbox(&store, "a")), texts);
}

#[tokio::test]
async fn one_file_has_one_writer() {
    let folder = Folder::new();
    let settings = StoreSettings { on_error: OutboxOnError::Memory, ..settings(&folder.file()) };
    let store = Store::open(&settings).unwrap();
    let error = Store::open(&settings).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::InUse);
    assert!(error.to_string().contains("is in use; stop the other process"), "{error}");
    store.close().await;
    Store::open(&settings).unwrap();
}

/// Entries of it may live on, and others may open it at once.
#[tokio::test]
async fn a_store_that_was_dropped_has_closed_its_file() {
    let folder = Folder::new();
    for number in 0..20 {
        let store = Store::open(&settings(&folder.file())).unwrap();
        let a = outbox(&store, "a");
        push(&a, "1").await;
        drop(store);
        let store = Store::open(&settings(&folder.file())).unwrap();
        assert_eq!(waiting(&outbox(&store, "a")).len(), number + 1);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let store = Store::open(&settings(&folder.file())).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder.0.join("state")), mode(&folder.file())), (0o700, 0o600));
    store.close().await;
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_an_error_or_means_memory_only() {
    let folder = Folder::new();
    // A folder in place of the file.
    fs::create_dir_all(folder.file()).unwrap();
    let error = Store::open(&settings(&folder.file())).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unusable);
    assert!(std::error::Error::source(&error).is_some());
    let memory = StoreSettings { on_error: OutboxOnError::Memory, ..settings(&folder.file()) };
    let store = Store::open(&memory).unwrap();
    let a = outbox(&store, "a");
    push(&a, "1").await;
    assert_eq!(a.abandon(), Left { abandoned: 1, kept: 0 });
}

#[tokio::test]
async fn a_full_disk_refuses_until_there_is_room() {
    for sync in [OutboxSync::Always, OutboxSync::Never] {
        let disk = Disk::default();
        let store = on(&disk, StoreSettings { sync, ..settings(Path::new("outbox")) });
        let a = outbox(&store, "a");
        push(&a, "1").await;
        disk.limit(Some(0));
        let error = a.push(draft("2")).await.unwrap_err();
        let NotifyError::Store(error) = error else { panic!("{error}") };
        assert_eq!(error.kind(), StoreErrorKind::DiskFull);
        assert_eq!(
            error.to_string(),
            "the outbox file outbox cannot grow, for the disk is full; make room on it"
        );
        let (receipt, _) = a.offer(draft("3")).unwrap();
        assert!(matches!(receipt.await, Err(DeliveryError::NotStored(_))));
        disk.limit(None);
        push(&a, "4").await;
        assert_eq!(waiting(&a), ["1", "4"]);
        store.close().await;
        let left = outbox(&on(&disk, settings(Path::new("outbox"))), "a");
        assert_eq!(waiting(&left), ["1", "4"]);
    }
}

#[tokio::test]
async fn a_full_disk_means_memory_only_where_asked_for() {
    let disk = Disk::default();
    let memory = StoreSettings { on_error: OutboxOnError::Memory, ..settings(Path::new("outbox")) };
    let store = on(&disk, memory);
    let a = outbox(&store, "a");
    push(&a, "1").await;
    disk.limit(Some(0));
    push(&a, "2").await;
    disk.limit(None);
    push(&a, "3").await;
    assert_eq!(a.abandon(), Left { abandoned: 1, kept: 2 });
    store.close().await;
    let left = outbox(&on(&disk, settings(Path::new("outbox"))), "a");
    assert_eq!(waiting(&left), ["1", "3"]);
}

#[tokio::test]
async fn a_full_file_refuses_until_there_is_room() {
    for sync in [OutboxSync::Always, OutboxSync::Interval] {
        let (disk, max_bytes) = (Disk::default(), 4 << 20);
        let store = on(&disk, StoreSettings { sync, max_bytes, ..settings(Path::new("outbox")) });
        let a = outbox(&store, "a");
        let mut accepted = 0;
        let error = loop {
            match a.push(draft(vec![0; 10_000])).await {
                Ok(_) => accepted += 1,
                Err(error) => break error,
            }
        };
        let NotifyError::Store(error) = error else { panic!("{error}") };
        assert_eq!(error.kind(), StoreErrorKind::CapReached);
        assert!(accepted > 50, "{accepted} of 10 kB in 4 MiB");
        for entry in std::iter::from_fn(|| a.pop()) {
            entry.resolve(Ok(Delivery::Acknowledged));
        }
        // Removals are written when they were waited for, or with the next.
        while a.push(draft("more")).await.is_err() {}
        store.close().await;
    }
}

#[tokio::test]
async fn what_could_not_be_written_at_the_end_is_told() {
    let (disk, settings) = (Disk::default(), settings(Path::new("outbox")));
    let settings = StoreSettings { sync: OutboxSync::Interval, ..settings };
    let store = on(&disk, settings.clone());
    let (a, b) = (outbox(&store, "a"), outbox(&store, "b"));
    disk.limit(Some(0));
    push(&a, "1").await;
    assert_eq!(a.abandon(), Left { abandoned: 0, kept: 1 });
    assert_eq!(b.abandon(), Left { abandoned: 0, kept: 0 });
    let unwritten = store.close().await;
    assert_eq!((unwritten.of("a"), unwritten.of("b")), (1, 0));
    assert_eq!(store.close().await, Unwritten::default());
    disk.limit(None);
    assert_eq!(waiting(&outbox(&on(&disk, settings), "a")), Vec::<Bytes>::new());
}

#[tokio::test]
async fn a_source_that_nobody_serves_keeps_what_it_has() {
    let folder = Folder::new();
    let settings = settings(&folder.file());
    let store = Store::open(&settings).unwrap();
    push(&outbox(&store, "gone"), "1").await;
    store.close().await;
    let store = Store::open(&settings).unwrap();
    drop(outbox(&store, "other"));
    store.all_drawers_taken();
    store.close().await;
    let store = Store::open(&settings).unwrap();
    assert_eq!(waiting(&outbox(&store, "gone")), ["1"]);
}

/// What was found beyond the bound made no room when it gave way, so all of it did.
#[tokio::test]
async fn only_what_makes_room_gives_way() {
    let disk = Disk::default();
    let store = on(&disk, settings(Path::new("outbox")));
    let a = outbox(&store, "a");
    for text in ["1", "2", "3"] {
        push(&a, text).await;
    }
    store.close().await;
    let store = on(&disk, settings(Path::new("outbox")));
    let a = store.keep(Outbox::new(OverflowPolicy::DropOldest, 1, 1_000), "a");
    push(&a, "4").await;
    assert_eq!(waiting(&a), ["2", "3", "4"]);
    store.close().await;
}
