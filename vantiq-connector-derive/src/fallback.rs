//! What a derive with mistakes expands to: the mistakes, and a stub impl beside them.
//!
//! Without the stub, one mistake would be followed by a message for every place that needs the trait, such
//! as the user's `impl SourceHandler`.

use proc_macro2::TokenStream;
use syn::{DeriveInput, Error, parse_quote};

use crate::expand::source_impl;
use crate::spec::Spec;

/// Reports `error` beside an impl for any source, with those types of `spec` that could be understood: a
/// handler written for `config = Config` still fits when the mistake is elsewhere.
pub(crate) fn expand(input: &DeriveInput, spec: Spec, error: &Error) -> TokenStream {
    let mut tokens = error.to_compile_error();
    tokens.extend(source_impl(&without_borrows(input), &Spec { name: None, ..spec }));
    tokens
}

/// `input`, made to satisfy `VantiqSource: 'static` even if it has lifetime parameters.
fn without_borrows(input: &DeriveInput) -> DeriveInput {
    let mut input = input.clone();
    if input.generics.lifetimes().next().is_some() {
        input.generics.make_where_clause().predicates.push(parse_quote!(Self: 'static));
    }
    input
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use crate::expand::derive;

    use super::*;

    #[test]
    fn a_mistake_leaves_a_stub_with_the_types_that_are_known() {
        let expansion = derive(&parse_quote! {
            #[vantiq_source("", confg = Config)]
            struct Thermostat<'a>(&'a str);
        });
        let expected = [
            quote!(for Thermostat<'a> where Self: 'static),
            quote!(= ::vantiq_connector::SourcePattern::ANY;),
            quote!(
                type Config = Config;
            ),
        ];
        let expansion = expansion.to_string();
        assert_eq!(expansion.matches("compile_error").count(), 3, "{expansion}");
        assert!(expected.iter().all(|part| expansion.contains(&part.to_string())), "{expansion}");
    }
}
