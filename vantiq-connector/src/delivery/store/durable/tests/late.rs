//! A file that cannot be read at the start, but later.

use super::{policies::*, *};
use crate::{
    Delivery,
    delivery::store::durable::{record::carve, trials::Disk},
};

fn in_memory(sync: OutboxSync) -> StoreSettings {
    StoreSettings { sync, on_error: OutboxOnError::Memory, ..settings(Path::new("outbox")) }
}

/// A disk with a file in which there is "old", and from which nothing can be read.
async fn away() -> Disk {
    let disk = Disk::default();
    let store = on(&disk, settings(Path::new("outbox")));
    push(&outbox(&store, "a"), "old").await;
    store.close().await;
    disk.unplug(true);
    disk
}

#[tokio::test]
async fn what_was_left_is_sent_first_when_the_file_can_be_read() {
    for sync in [OutboxSync::Always, OutboxSync::Interval, OutboxSync::Never] {
        let disk = away().await;
        let store = on(&disk, in_memory(sync));
        let a = outbox(&store, "a");
        push(&a, "new").await;
        assert_eq!(a.take_restored(), 0);
        disk.unplug(false);
        assert_eq!(within(a.found()).await, 1);
        push(&a, "newer").await;
        assert_eq!(waiting(&a), ["old", "new", "newer"], "{sync:?}");
        store.close().await;
        let left = outbox(&on(&disk, in_memory(sync)), "a");
        assert_eq!(waiting(&left), ["old", "newer"], "{sync:?}");
    }
}

/// What came then does not say that what was left had been removed.
#[tokio::test]
async fn what_was_left_can_still_be_carved_after_that() {
    let disk = away().await;
    let store = on(&disk, in_memory(OutboxSync::Always));
    let a = outbox(&store, "a");
    disk.unplug(false);
    assert_eq!(within(a.found()).await, 1);
    push(&a, "new").await;
    store.close().await;
    let frames: Vec<_> = carve(&disk.content()).into_values().map(|record| record.frame).collect();
    assert_eq!(frames, ["old", "new"]);
}

/// Each record says which others had been removed when it came, be they removed with the same transaction.
#[tokio::test]
async fn what_was_over_before_others_came_is_not_carved() {
    let disk = Disk::default();
    let store = on(&disk, settings(Path::new("outbox")));
    let a = outbox(&store, "a");
    push(&a, "over").await;
    a.pop().expect("it is stored").resolve(Ok(Delivery::Acknowledged));
    push(&a, "new").await;
    let frames: Vec<_> = carve(&disk.content()).into_values().map(|record| record.frame).collect();
    assert_eq!(frames, ["new"]);
    store.close().await;
}
