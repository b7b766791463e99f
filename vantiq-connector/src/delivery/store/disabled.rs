//! A [`Store`] that cannot be opened: without the feature `durable` the settings refuse `outboxFile`.

use std::sync::Arc;

use super::{StoreError, StoreSettings, Unwritten};
use crate::delivery::outbox::{Draft, Entry, Outbox, Stored, Storing};

/// There is none.
#[derive(Debug)]
pub(crate) enum Store {}

/// There is none.
#[derive(Debug, Clone)]
pub(crate) enum Drawer {}

/// There is none.
#[derive(Debug)]
pub(crate) enum Kept {}

impl Store {
    pub(crate) fn open(_: &StoreSettings) -> Result<Self, StoreError> {
        unreachable!("the settings refuse `outboxFile` without the feature `durable`")
    }

    pub(crate) fn keep(&self, _: Outbox, _: &str) -> Arc<Outbox> {
        match *self {}
    }

    pub(crate) fn first_request_id(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn all_drawers_taken(&self) {
        match *self {}
    }

    pub(crate) fn close_now(&self) {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "it waits where there is a store")]
    pub(crate) async fn close(&self) -> Unwritten {
        match *self {}
    }
}

impl Drawer {
    pub(crate) fn enter(&self, _: &Draft) -> Option<Kept> {
        match *self {}
    }

    pub(crate) fn put(&self, _: Entry, _: Storing) -> Stored {
        match *self {}
    }
}

impl Kept {
    pub(crate) fn release(self) {
        match self {}
    }
}
