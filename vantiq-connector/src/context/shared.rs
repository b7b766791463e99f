//! [`Shared`]: state for the whole process, one value of each type.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Nothing of this type is shared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no `{0}` is shared; give one to `ConnectorSet::builder().shared(..)`")]
pub struct NotShared(&'static str);

/// One value of each type.
#[derive(Default)]
pub(crate) struct Shared(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Shared {
    pub(crate) fn insert<T: Send + Sync + 'static>(&self, value: Arc<T>) {
        self.lock().insert(TypeId::of::<T>(), value);
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, NotShared> {
        let value = self.lock().get(&TypeId::of::<T>()).cloned();
        value.and_then(|value| value.downcast().ok()).ok_or_else(|| NotShared(type_name::<T>()))
    }

    pub(crate) fn get_or_init<T: Send + Sync + 'static>(&self, init: impl FnOnce() -> T) -> Arc<T> {
        if let Ok(value) = self.get() {
            return value;
        }
        // Not under the lock, for it may ask for shared values itself. Of two at once the first stays.
        let made: Arc<dyn Any + Send + Sync> = Arc::new(init());
        let value = Arc::clone(self.lock().entry(TypeId::of::<T>()).or_insert(made));
        value.downcast().expect("the key is the type of the value")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TypeId, Arc<dyn Any + Send + Sync>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_value_of_each_type() {
        let shared = Shared::default();
        shared.insert(Arc::new(7_u32));
        assert_eq!(*shared.get::<u32>().unwrap(), 7);
        assert_eq!(*shared.get_or_init(|| 8_u32), 7);
        assert_eq!(*shared.get_or_init(|| "x"), "x");
        let error = shared.get::<u8>().unwrap_err().to_string();
        assert_eq!(error, "no `u8` is shared; give one to `ConnectorSet::builder().shared(..)`");
    }
}
