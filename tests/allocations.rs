//! How often the connector allocates for each publish, query and notification, once it has done some.
//!
//! What the server here and the types of the handler allocate is next to nothing.
#![forbid(unsafe_code)]

use vantiq_connector_tests::{Operation, Workbench};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Operations before counting begins: buffers and tables have their size then.
const WARM_UP: usize = 2_000;
/// Operations that are counted.
const COUNTED: usize = 4_000;

/// All that the process allocates for each of `operation`, in hundredths.
fn hundredths_of_allocations(operation: Operation) -> u64 {
    let mut workbench = Workbench::new();
    workbench.perform(operation, WARM_UP);
    let before = dhat::HeapStats::get().total_blocks;
    workbench.perform(operation, COUNTED);
    let allocations = dhat::HeapStats::get().total_blocks - before;
    allocations * 100 / COUNTED as u64
}

#[test]
fn an_operation_costs_few_allocations() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let mut over = Vec::new();
    for (operation, most) in [
        (Operation::Publish(100), 3),
        (Operation::Publish(1 << 10), 3),
        (Operation::Query(1), 4),
        (Operation::Query(16), 4),
        (Operation::Row, 1),
        (Operation::Notification(100), 2),
        (Operation::Notification(1 << 10), 4),
    ] {
        let hundredths = hundredths_of_allocations(operation);
        println!("{operation:?}: {}.{:02}, at most {most}", hundredths / 100, hundredths % 100);
        if hundredths > most * 100 {
            over.push(operation);
        }
    }
    assert!(over.is_empty(), "{over:?}");
}
