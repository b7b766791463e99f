//! Writes the impl of `VantiqSource`. Start at [`derive()`].

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Ident, Path, Type};

use crate::fallback;
use crate::spec::Spec;
use crate::valid;

/// What `#[derive(VantiqSource)]` on `input` expands to.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    match valid::check(input) {
        (spec, None) => source_impl(input, &spec),
        (spec, Some(error)) => fallback::expand(input, spec, &error),
    }
}

/// The impl. The identifier of the user's type and the types given to the keys keep their own spans, so that
/// what the compiler says about them points at them.
pub(crate) fn source_impl(input: &DeriveInput, spec: &Spec) -> TokenStream {
    let krate = crate_path(spec);
    let pattern = pattern(spec, &krate);
    let persistent = spec.persistent.then(|| {
        quote!(
            const PERSISTENT: ::core::primitive::bool = true;
        )
    });
    let config = associated_type("Config", spec.config.as_ref(), &krate);
    let publish = associated_type("Publish", spec.publish.as_ref(), &krate);
    let query = associated_type("Query", spec.query.as_ref(), &krate);
    let ident = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::VantiqSource for #ident #type_generics #where_clause {
            const PATTERN: #krate::SourcePattern = #pattern;
            #persistent
            #config
            #publish
            #query
        }
    }
}

fn crate_path(spec: &Spec) -> Path {
    spec.krate.clone().unwrap_or_else(|| syn::parse_quote!(::vantiq_connector))
}

fn pattern(spec: &Spec, krate: &Path) -> TokenStream {
    spec.name
        .as_ref()
        .map_or_else(|| quote!(#krate::SourcePattern::ANY), |name| quote!(#krate::SourcePattern::new(#name)))
}

/// `type name = given;`. The compiler blames the whole item for a type that is less visible than the
/// handler, so that the item stands where the type does.
fn associated_type(name: &str, given: Option<&Type>, krate: &Path) -> TokenStream {
    let span = given.map_or_else(Span::call_site, |given| Span::call_site().located_at(given.span()));
    let name = Ident::new(name, span);
    let given = given.map_or_else(|| quote!(#krate::__private::Value), |given| quote!(#given));
    quote_spanned!(span=> type #name = #given;)
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn expands_to_the_documented_impl() {
        let input = parse_quote! {
            #[vantiq_source("thermostat", config = Config)]
            struct Thermostat<T: Send = u8>(T) where T: Sync;
        };
        let expected = quote! {
            #[automatically_derived]
            impl<T: Send> ::vantiq_connector::VantiqSource for Thermostat<T> where T: Sync {
                const PATTERN: ::vantiq_connector::SourcePattern =
                    ::vantiq_connector::SourcePattern::new("thermostat");
                type Config = Config;
                type Publish = ::vantiq_connector::__private::Value;
                type Query = ::vantiq_connector::__private::Value;
            }
        };
        assert_eq!(derive(&input).to_string(), expected.to_string());
    }

    #[test]
    fn is_persistent_only_where_the_word_stands() {
        let persistent = quote!(
            const PERSISTENT: ::core::primitive::bool = true;
        )
        .to_string();
        let with = derive(&parse_quote!(
            #[vantiq_source("thermostat", persistent, config = Config)]
            struct Thermostat;
        ));
        assert!(with.to_string().contains(&persistent), "{with}");
        let without = derive(&parse_quote!(
            #[vantiq_source("persistent", config = Config)]
            struct Thermostat;
        ));
        assert!(!without.to_string().contains("PERSISTENT"), "{without}");
    }

    #[test]
    fn without_a_name_serves_any_source() {
        let expansion = derive(&parse_quote!(
            #[vantiq_source(crate = facade)]
            enum Device {}
        ))
        .to_string();
        assert!(expansion.contains(&quote!(facade::SourcePattern = facade::SourcePattern::ANY).to_string()));
    }
}
