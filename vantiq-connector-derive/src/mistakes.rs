//! [`Mistakes`]: everything that is wrong with one derive, so that one build reports all of it.

use std::fmt::Display;

use quote::ToTokens;
use syn::Error;

/// The mistakes found so far, in the order they are reported.
#[derive(Default)]
pub(crate) struct Mistakes(Option<Error>);

impl Mistakes {
    /// Adds a mistake that is underlined at `tokens`. `message` says what to write instead.
    pub(crate) fn add(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.absorb(Error::new_spanned(tokens, message));
    }

    pub(crate) fn absorb(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// All mistakes as one error, `None` if there were none.
    pub(crate) fn into_error(self) -> Option<Error> {
        self.0
    }
}
