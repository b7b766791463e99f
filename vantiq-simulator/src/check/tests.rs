//! The check against runs written down by hand.

use super::*;

/// A run in a line: `1+` is event 1 received and acknowledged, `2` is event 2 received, `|` is a cut and the
/// next link, `/` the next link without a cut.
fn run(sent: std::ops::RangeInclusive<u64>, wire: &str) -> Check {
    let mut check = Check::new();
    sent.for_each(|number| check.sent(number));
    let mut link = 1;
    for word in wire.split_whitespace() {
        if word == "|" || word == "/" {
            if word == "|" {
                check.cut(link);
            }
            link += 1;
            continue;
        }
        let number = word.trim_end_matches('+').parse().expect("a number");
        check.received(link, number);
        if word.ends_with('+') {
            check.acknowledged(link, number);
        }
    }
    check
}

/// What a report finds, in a line; empty if it is clean.
fn findings(check: &Check) -> String {
    let report = check.report();
    let mut findings = Vec::new();
    for (what, found) in [
        ("lost", &report.lost),
        ("given up", &report.given_up),
        ("stray", &report.stray),
        ("inverted", &report.inverted),
        ("early", &report.released_early),
        ("twice", &report.told_twice),
    ] {
        if !found.is_empty() {
            findings.push(format!("{what} {found:?}"));
        }
    }
    findings.extend(report.undue_duplicates().map(|undue| format!("{:?} {}", undue.cause, undue.number)));
    assert_eq!(report.is_clean(), findings.iter().all(|finding| finding.starts_with("given up")));
    findings.join(", ")
}

#[test]
fn every_run_is_judged_as_it_deserves() {
    for (wire, expected) in [
        ("1+ 2+ 3+ 4+", ""),
        ("1 2 3 4", ""),
        ("1+ 2 | 2+ 3+ 4+", ""),
        ("1+ 2+ 3 | 2+ 3+ 4+", ""), // the acknowledgement of 2 was lost on its way
        ("1+ 2+ 3+ 4+ | 1 2 3 4 | 1+ 2+ 3+ 4+", ""),
        ("| 1 | | 1+ 2+ 3+ 4+ |", ""),
        ("1+ 2+ 4+", "lost [3]"),
        ("", "lost [1, 2, 3, 4]"),
        ("1+ 3+ 2+ 4+", "inverted [2]"),
        ("3+ 1+ 2+ 4+", "inverted [1, 2]"),
        ("1+ 3 | 2+ 3+ 4+", "inverted [2]"),
        ("1+ 2+ 3+ 4+ 5+", "stray [5]"),
        ("1+ 2+ 2+ 3+ 4+", "SameLink 2"),
        ("1+ 2 / 2+ 3+ 4+", "LinkNotCut 2"),
        ("1+ 2+ 3+ | 2+ 4+", "Acknowledged 2"),
        ("1+ 2 3+ | 2+ 4+", ""), // a hole: 2 was not acknowledged, 3 was
        ("1+ 2+ 3+ | 1+ 2+ 4+", "Acknowledged 1, Acknowledged 2"),
        ("1 2 | 2 1 3 4", "inverted [1]"), // a tail comes again in order
    ] {
        assert_eq!(findings(&run(1..=4, wire)), expected, "{wire}");
    }
}

#[test]
fn what_arrives_late_by_an_old_link_was_sent_before() {
    let mut check = run(1..=3, "1+ | 2+ 3+");
    check.received(1, 2); // read after the new link was
    assert_eq!(findings(&check), "");
    assert_eq!(check.report().duplicates.len(), 1);
}

#[test]
fn receipts_decide_what_was_given_up_and_what_was_lost() {
    let mut check = run(1..=6, "1+");
    for (number, says) in [
        (1, ReceiptSays::Delivered),
        (2, ReceiptSays::Delivered),
        (3, ReceiptSays::Rejected),
        (4, ReceiptSays::Dropped),
        (5, ReceiptSays::Expired),
        (6, ReceiptSays::Unknown),
    ] {
        check.receipt(number, says, 1);
    }
    assert_eq!(findings(&check), "lost [2], given up [3, 4, 5, 6]");
}

#[test]
fn a_receipt_before_the_link_was_open_is_early_or_makes_the_duplicate_undue() {
    for (links, expected) in [(0, "early [2]"), (1, "AfterReceipt 2"), (2, ""), (u64::MAX, "")] {
        let mut check = run(1..=3, "1+ 2 | 2+ 3+");
        check.receipt(2, ReceiptSays::Delivered, links);
        let found = findings(&check);
        assert!(found.starts_with(expected) && found.is_empty() == expected.is_empty(), "{links}: {found}");
    }
}

#[test]
fn what_was_rejected_by_a_later_link_proves_nothing_about_an_earlier_one() {
    let mut check = run(1..=3, "1+ 2+ 3+ | 2+");
    check.receipt(3, ReceiptSays::Rejected, 2);
    assert_eq!(findings(&check), "", "3 was sent again and refused, which is not among the received");
}

#[test]
fn a_receipt_is_told_once() {
    let mut check = run(1..=1, "1+");
    check.receipt(1, ReceiptSays::Delivered, 1);
    check.receipt(1, ReceiptSays::Delivered, 1);
    assert_eq!(findings(&check), "twice [1]");
}

#[test]
fn the_order_of_sending_counts_and_not_the_numbers() {
    let mut check = Check::new();
    for number in [30, 10, 20] {
        check.sent(number);
        check.received(1, number);
    }
    assert_eq!(findings(&check), "");
}

#[test]
fn the_report_can_be_read() {
    let mut check = run(1..=20, "1+ 2+ 4+ 3+ | 2 4 99");
    check.receipt(20, ReceiptSays::Expired, 2);
    assert_eq!(
        check.report().to_string(),
        "20 sent, 7 received by 2 links, 1 receipts: 15 lost, 1 given up, 1 inverted, 0 duplicates of tails, 2 undue duplicates
  15 lost: 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, ...
  1 given up: 20
  1 never sent: 99
  1 inverted: 3
  2 duplicates that are no tails: 2 by link 1 and 2 (acknowledged, and a later acknowledgement was read), 4 by link 1 and 2 (acknowledged, and a later acknowledgement was read)"
    );
}

#[test]
#[should_panic(expected = "1 lost: 2")]
fn assert_clean_says_what_is_wrong() {
    run(1..=2, "1+").report().assert_clean();
}

#[test]
fn a_hundred_thousand_events_over_a_thousand_links_are_no_trouble() {
    let mut check = Check::new();
    for number in 0..100_000 {
        check.sent(number);
        let link = number / 100 + 1;
        check.received(link, number);
        if number % 100 == 99 {
            check.cut(link);
            check.received(link + 1, number);
        } else {
            check.acknowledged(link, number);
        }
        check.receipt(number, ReceiptSays::Delivered, link + 1);
    }
    let report = check.report();
    report.assert_clean();
    assert_eq!((report.duplicates.len(), report.links), (1_000, 1_001));
}
