//! A disk that lets others wait.

use super::{policies::*, *};
use crate::{
    DeliveryError, OverflowPolicy,
    delivery::{Left, Offered, Outbox, store::durable::trials::Disk},
};

#[tokio::test]
async fn what_is_on_its_way_to_the_file_is_known() {
    let disk = Disk::default();
    let store = on(&disk, settings(Path::new("outbox")));
    let a = outbox(&store, "a");
    disk.hang(true);
    drop(a.offer(draft("1")).unwrap());
    assert!(a.is_storing() && a.is_empty());
    let mut stored = std::pin::pin!(a.stored());
    assert!(futures_util::poll!(stored.as_mut()).is_pending());
    disk.hang(false);
    within(stored).await;
    assert_eq!(waiting(&a), ["1"]);
    // One that is refused is not on its way any more, either.
    disk.limit(Some(0));
    drop(a.offer(draft("2")).unwrap());
    within(a.stored()).await;
    assert!(a.is_empty());
}

/// They need not be written first, but no more than one interval is to be at stake, be the disk as slow as it may.
#[tokio::test]
async fn with_interval_notifications_wait_for_the_sync_under_way_and_the_order_stays() {
    let disk = Disk::default();
    let store = on(&disk, StoreSettings { sync: OutboxSync::Interval, ..settings(Path::new("outbox")) });
    let a = outbox(&store, "a");
    let mut offered = Vec::new();
    let mut offer = || {
        let text = Bytes::from(offered.len().to_string());
        drop(a.offer(draft(text.clone())).unwrap());
        offered.push(text);
    };
    disk.hang(true);
    within(async {
        while !a.is_storing() {
            offer();
            tokio::task::yield_now().await;
        }
    })
    .await;
    offer();
    assert!(a.is_storing(), "it is not in front of what waits");
    disk.hang(false);
    within(a.stored()).await;
    offer();
    within(store.close()).await;
    assert_eq!(waiting(&a), offered);
    assert_eq!(waiting(&outbox(&on(&disk, settings(Path::new("outbox"))), "a")), offered);
}

#[tokio::test]
async fn what_is_being_written_does_not_give_way() {
    let disk = Disk::default();
    let store = on(&disk, settings(Path::new("outbox")));
    let a = store.keep(Outbox::new(OverflowPolicy::DropOldest, 2, 1000), "a");
    disk.hang(true);
    let offered = ["1", "2", "3"].map(|text| a.offer(draft(text)).unwrap().1);
    assert_eq!(offered, [Offered::Accepted, Offered::Accepted, Offered::Dropped]);
    disk.hang(false);
    within(a.stored()).await;
    assert_eq!(a.offer(draft("4")).unwrap().1, Offered::AcceptedFor(1));
    within(a.stored()).await;
    assert_eq!(waiting(&a), ["2", "4"]);
}

#[tokio::test]
async fn what_comes_back_after_the_end_of_its_source_is_counted() {
    for (room, late) in [(None, Left { abandoned: 0, kept: 1 }), (Some(0), Left { abandoned: 1, kept: 0 })] {
        let disk = Disk::default();
        let memory = StoreSettings { on_error: OutboxOnError::Memory, ..settings(Path::new("outbox")) };
        let store = on(&disk, memory);
        let a = outbox(&store, "a");
        disk.hang(true);
        disk.limit(room);
        let (receipt, _) = a.offer(draft("1")).unwrap();
        a.close();
        assert_eq!(a.abandon(), Left::default());
        disk.hang(false);
        within(store.close()).await;
        assert_eq!((a.take_late(), a.take_late()), (late, Left::default()));
        assert_eq!(receipt.await, Err(DeliveryError::Unknown));
    }
}
