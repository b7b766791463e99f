//! The rules for the type and its attributes: [`check`] turns a derive's input into a [`Spec`] and says
//! everything that is wrong with it.
//!
//! Each rule is one small function that points at the smallest wrong token and says what to write there.
//! The rules for what stands inside an attribute are in [`spec`](crate::spec).

use syn::{Attribute, Data, DeriveInput, Error, Fields, GenericParam, Ident};

use crate::attr::{ATTRIBUTE, SourceAttr};
use crate::mistakes::Mistakes;
use crate::spec::Spec;

/// Applies all rules. Beside all that is wrong, if anything is, stands what could be understood, and for a
/// misspelt key what was probably meant.
pub(crate) fn check(input: &DeriveInput) -> (Spec, Option<Error>) {
    let mut mistakes = Mistakes::default();
    let spec = check_attributes(input, &mut mistakes);
    refuse_union(input, &mut mistakes);
    refuse_lifetimes(input, &mut mistakes);
    (spec, mistakes.into_error())
}

fn check_attributes(input: &DeriveInput, mistakes: &mut Mistakes) -> Spec {
    let misplaced = refuse_misplaced(&input.data, mistakes);
    let mut attrs = input.attrs.iter().filter(|attr| SourceAttr::is(attr));
    let Some(first) = attrs.next() else {
        if !misplaced {
            mistakes.add(&input.ident, missing_attribute(&input.ident));
        }
        return Spec::default();
    };
    let spec = Spec::from_attr(SourceAttr::read(first, mistakes), mistakes);
    for attr in attrs {
        let again = SourceAttr::read(attr, mistakes);
        mistakes.add(&again.path, format!("`#[{ATTRIBUTE}]` is given twice: write everything in the first"));
        Spec::from_attr(again, mistakes);
    }
    spec
}

fn missing_attribute(ident: &Ident) -> String {
    format!(
        "`{ident}` does not say which source it serves: write `#[{ATTRIBUTE}(\"name\")]` above it, or \
         `#[{ATTRIBUTE}]` for any source"
    )
}

/// Refuses the attribute on fields and variants, where the compiler lets it pass. Returns whether there
/// was one.
fn refuse_misplaced(data: &Data, mistakes: &mut Mistakes) -> bool {
    let misplaced: Vec<_> = inner_attributes(data).into_iter().filter(|attr| SourceAttr::is(attr)).collect();
    for attr in &misplaced {
        mistakes.add(attr.path(), format!("write `#[{ATTRIBUTE}]` above the whole type, not inside it"));
    }
    !misplaced.is_empty()
}

fn inner_attributes(data: &Data) -> Vec<&Attribute> {
    match data {
        Data::Struct(data) => field_attributes(&data.fields).collect(),
        Data::Enum(data) => {
            data.variants.iter().flat_map(|v| v.attrs.iter().chain(field_attributes(&v.fields))).collect()
        }
        Data::Union(_) => Vec::new(), // refused as a whole
    }
}

fn field_attributes(fields: &Fields) -> impl Iterator<Item = &Attribute> {
    fields.iter().flat_map(|field| &field.attrs)
}

fn refuse_union(input: &DeriveInput, mistakes: &mut Mistakes) {
    if let Data::Union(data) = &input.data {
        mistakes.add(data.union_token, "a handler cannot be a union: write `struct` or `enum`");
    }
}

fn refuse_lifetimes(input: &DeriveInput, mistakes: &mut Mistakes) {
    for parameter in &input.generics.params {
        if let GenericParam::Lifetime(parameter) = parameter {
            let lifetime = &parameter.lifetime;
            mistakes.add(
                lifetime,
                format!(
                    "a handler lives as long as its session and cannot borrow: own the data, such as \
                     `String` instead of `&{lifetime} str`, and remove `{lifetime}`"
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;
    use syn::parse_quote;

    use super::*;

    fn messages(input: &DeriveInput) -> Vec<String> {
        let (_, error) = check(input);
        error.into_iter().flatten().map(|error| error.to_string()).collect()
    }

    fn text(tokens: impl ToTokens) -> String {
        tokens.to_token_stream().to_string()
    }

    /// The messages for `struct Thermostat` with this attribute.
    macro_rules! messages {
        ($($attribute:tt)*) => { messages(&parse_quote!(#[$($attribute)*] struct Thermostat;)) };
    }

    #[test]
    fn what_is_written_is_understood() {
        let input = parse_quote! {
            #[doc = "Keeps it warm."]
            #[vantiq_source("thermostat", query = Vec<(u8, f64)>, config = config::Config, persistent, crate = crate::facade,)]
            struct Thermostat;
        };
        let (spec, error) = check(&input);
        assert!(error.is_none());
        assert_eq!(text(spec.name), "\"thermostat\"");
        assert_eq!(text(spec.config), "config :: Config");
        assert_eq!(text(spec.publish), "");
        assert_eq!(text(spec.query), "Vec < (u8 , f64) >");
        assert!(spec.persistent);
        assert_eq!(text(spec.krate), "crate :: facade");
    }

    #[test]
    fn all_mistakes_are_reported_from_left_to_right() {
        let found = messages(&parse_quote! {
            #[vantiq_source(config = 5, "a b", publish, retry = 3)]
            #[vantiq_source("")]
            struct Thermostat<'a>(&'a str);
        });
        let expected = [
            "this is not a type",
            "a source name has no white space",
            "the source name comes first",
            "nothing is given to `publish`",
            "there is no key `retry`",
            "`#[vantiq_source]` is given twice",
            "the source name is empty",
            "a handler lives as long as its session",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        assert!(found.iter().zip(expected).all(|(found, start)| found.starts_with(start)), "{found:#?}");
    }

    #[test]
    fn whatever_cannot_be_read_is_one_message() {
        for found in [
            messages!(vantiq_source(::names::THERMOSTAT)),
            messages!(vantiq_source(-5)),
            messages!(vantiq_source(b"thermostat")),
            messages!(vantiq_source(&"thermostat")),
            messages!(vantiq_source("thermostat".to_string())),
            messages!(vantiq_source(format!("{a}, {b}"), config = Config)),
            messages!(vantiq_source("thermostat", 42)),
            messages!(vantiq_source("thermostat", confg)),
            messages!(vantiq_source("thermostat"; config = Config)),
            messages!(vantiq_source(,)),
            messages!(vantiq_source(= Config)),
            messages!(vantiq_source(config = Vec<)),
            messages!(vantiq_source(config = Vec<u8>>, publish = f64)),
            messages!(vantiq_source(config == Config)),
            messages!(vantiq_source(config(Config))),
            messages!(vantiq_source(config => Config)),
            messages!(vantiq_source(config HashMap<String, u8>, publish = f64)),
            messages!(vantiq_source(crate = facade<u8>)),
            messages!(vantiq_source("thermostat", persistent: bool)),
            messages!(vantiq_source("thermostat", persistent: false)),
            messages!(vantiq_source("thermostat", persistent(true))),
            messages!(vantiq_source("thermostat", persistent =)),
            messages!(vantiq_source("thermostat", persistent = 5)),
            messages!(vantiq_source("thermostat", persistent = "true")),
            messages!(vantiq_source("thermostat", persistent = true, config = Config)),
            messages!(vantiq_source("thermostat", persistent config = Config)),
            messages!(vantiq_source("thermostat" persistent, config = Config)),
            messages!(vantiq_source("thermostat", config = Config persistent)),
            messages!(vantiq_source("thermostat", persistant = true)),
            messages!(vantiq_source("thermostat", config = true)),
            messages!(vantiq_source("thermostat", "persistent")),
            messages!(vantiq_source(persistant)),
            messages!(vantiq_source(person)),
            messages!(vantiq_source(durable, "thermostat")),
        ] {
            assert_eq!(found.len(), 1, "{found:#?}");
        }
    }

    #[test]
    fn the_hint_for_a_misspelt_key_repeats_the_type() {
        for (found, hint) in [
            (messages!(vantiq_source(pubilsh = SetPoint)), "write `publish = SetPoint`"),
            (
                messages!(vantiq_source(confg = HashMap<String, Vec<u8>>)),
                "write `config = HashMap<String, Vec<u8>>`",
            ),
            (messages!(vantiq_source(quer: (ask::Ask, [u8; 2]))), "write `query = (ask::Ask, [u8; 2])`"),
            (messages!(vantiq_source(query: dyn Ask + Send)), "`query = dyn Ask + Send`"),
            (messages!(vantiq_source(confg = "Config")), "write `config = Config`"),
            (messages!(vantiq_source(confg =)), "write `config = Config`"),
        ] {
            assert!(found[0].ends_with(hint), "{hint}: {found:?}");
        }
    }

    #[test]
    fn the_types_are_known_in_spite_of_mistakes_elsewhere() {
        let (spec, error) = check(&parse_quote! {
            #[vantiq_source("a b", confg = Config, publish: SetPoint, query = "Ask")]
            struct Thermostat;
        });
        assert_eq!(error.into_iter().flatten().count(), 4);
        assert_eq!([spec.config, spec.publish, spec.query].map(text), ["Config", "SetPoint", "Ask"]);
    }
}
