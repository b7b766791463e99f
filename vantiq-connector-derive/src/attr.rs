//! Reads `#[vantiq_source(...)]` into [`SourceAttr`], keeping every token so that a later rule can point
//! at it.
//!
//! Reading never stops at the first mistake: an argument that cannot be read is reported and the next one
//! is tried. Which arguments make sense together is not decided here but in [`valid`](crate::valid).

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Error, Ident, Lit, LitBool, LitStr, Meta, MetaNameValue, Path, Result, Token, Type};

use crate::mistakes::Mistakes;

/// The name of the helper attribute.
pub(crate) const ATTRIBUTE: &str = "vantiq_source";

/// One `#[vantiq_source(...)]`.
pub(crate) struct SourceAttr {
    /// The words `vantiq_source` themselves.
    pub(crate) path: Path,
    pub(crate) arguments: Vec<Argument>,
}

/// What stands between two commas.
pub(crate) enum Argument {
    /// `"thermostat"`
    Name(LitStr),
    /// `config = Config`
    Setting(Setting),
    /// `persistent`, or a mistake such as `thermostat` or `config`, with nothing beside it.
    Word(Ident),
    /// Anything else, such as `42`, `config(Config)` or `names::THERMOSTAT`.
    Other(TokenStream),
}

/// A key and what was given to it.
pub(crate) struct Setting {
    pub(crate) key: Ident,
    /// Absent in `config Config` and `config: Config`.
    pub(crate) equals: Option<Token![=]>,
    pub(crate) value: Value,
}

/// What stands after the `=` of a setting.
pub(crate) enum Value {
    Type(Box<Type>),
    /// `config = "Config"`
    Quoted(LitStr),
    /// `persistent = true`
    Bool(LitBool),
    /// `config =`
    Missing,
    /// `config = 5`, with the place from where on it is no type.
    Unreadable(Span),
}

impl SourceAttr {
    /// Whether `attr` is one of ours.
    pub(crate) fn is(attr: &Attribute) -> bool {
        attr.path().is_ident(ATTRIBUTE)
    }

    /// Reads one of ours, adding to `mistakes` what cannot be read.
    pub(crate) fn read(attr: &Attribute, mistakes: &mut Mistakes) -> Self {
        let arguments = match &attr.meta {
            Meta::Path(_) => Vec::new(),
            Meta::List(list) => read_arguments(list.tokens.clone(), mistakes),
            Meta::NameValue(form) => {
                mistakes.absorb(name_value_form(form));
                Vec::new()
            }
        };
        Self { path: attr.path().clone(), arguments }
    }
}

impl ToTokens for Value {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Type(given) => given.to_tokens(tokens),
            Self::Quoted(given) => given.to_tokens(tokens),
            Self::Bool(given) => given.to_tokens(tokens),
            Self::Missing | Self::Unreadable(_) => {}
        }
    }
}

fn name_value_form(form: &MetaNameValue) -> Error {
    let value = &form.value;
    let written = quote::quote!(#value);
    Error::new_spanned(
        form.eq_token,
        format!("the source name stands in parentheses: write `#[{ATTRIBUTE}({written})]`"),
    )
}

fn read_arguments(tokens: TokenStream, mistakes: &mut Mistakes) -> Vec<Argument> {
    let mut arguments = Vec::new();
    let read_all = |input: ParseStream| {
        while !input.is_empty() {
            if refuse_lone_comma(input, mistakes)? {
                continue;
            }
            arguments.push(read_argument(input));
            read_separator(input, mistakes);
        }
        Ok(())
    };
    if let Err(error) = read_all.parse2(tokens) {
        mistakes.absorb(error);
    }
    arguments
}

/// Consumes a comma where an argument should be. Returns whether there was one.
fn refuse_lone_comma(input: ParseStream, mistakes: &mut Mistakes) -> Result<bool> {
    let comma: Option<Token![,]> = input.parse()?;
    if let Some(comma) = comma {
        mistakes.add(comma, "there is no argument before this comma: remove it");
    }
    Ok(comma.is_some())
}

fn read_separator(input: ParseStream, mistakes: &mut Mistakes) {
    if input.is_empty() || input.parse::<Option<Token![,]>>().is_ok_and(|comma| comma.is_some()) {
        return;
    }
    if input.peek(Lit) || input.peek(Ident::peek_any) {
        mistakes.absorb(input.error("write a comma before this"));
    } else {
        // No argument starts here, so whatever it is belongs to the one before.
        mistakes.absorb(input.error("write a comma here, or end the attribute"));
        skip_to_comma(input);
        let _ = input.parse::<Token![,]>();
    }
}

fn read_argument(input: ParseStream) -> Argument {
    if input.peek(LitStr)
        && let Ok(name) = input.parse()
    {
        return Argument::Name(name);
    }
    if let Some(setting) = read_setting(input) {
        return Argument::Setting(setting);
    }
    if let Some(word) = read_word(input) {
        return Argument::Word(word);
    }
    Argument::Other(skip_to_comma(input))
}

/// Reads `key = value`, or the same without or with another sign between a key and a type. Consumes
/// nothing if it finds neither.
fn read_setting(input: ParseStream) -> Option<Setting> {
    if input.peek2(Token![=]) {
        let key = input.call(Ident::parse_any).ok()?;
        let equals = input.parse().ok();
        return Some(Setting { key, equals, value: read_value(input) });
    }
    if is_word_before_setting(input) {
        return None;
    }
    let (key, value) = read_without_equals(&input.fork()).ok()?;
    let _ = read_without_equals(input);
    Some(Setting { key, equals: None, value: Value::Type(Box::new(value)) })
}

/// Reads a word that a comma, the end or a setting follows, or else consumes nothing.
fn read_word(input: ParseStream) -> Option<Ident> {
    let ahead = input.fork();
    ahead.call(Ident::parse_any).ok()?;
    let alone = ahead.is_empty() || ahead.peek(Token![,]) || is_word_before_setting(input);
    alone.then(|| input.call(Ident::parse_any).ok()).flatten()
}

/// Whether this is `persistent config = Config`: two arguments and a comma forgotten between them.
fn is_word_before_setting(input: ParseStream) -> bool {
    input.peek(Ident::peek_any) && input.peek2(Ident::peek_any) && input.peek3(Token![=])
}

fn read_without_equals(input: ParseStream) -> Result<(Ident, Type)> {
    let key = input.call(Ident::parse_any)?;
    if input.peek(Token![::]) || input.peek(Token![!]) {
        return Err(input.error("a path or a macro, not a key"));
    }
    input.parse::<Option<Token![:]>>()?;
    Ok((key, input.parse()?))
}

fn read_value(input: ParseStream) -> Value {
    if input.is_empty() || input.peek(Token![,]) {
        return Value::Missing;
    }
    if input.peek(LitStr)
        && let Ok(quoted) = input.parse()
    {
        return Value::Quoted(quoted);
    }
    if input.peek(LitBool)
        && let Ok(boolean) = input.parse()
    {
        return Value::Bool(boolean);
    }
    input.parse().map_or_else(
        |error: Error| {
            skip_to_comma(input);
            Value::Unreadable(error.span())
        },
        |value| Value::Type(Box::new(value)),
    )
}

fn skip_to_comma(input: ParseStream) -> TokenStream {
    let mut skipped = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        skipped.extend(input.parse::<TokenTree>());
    }
    skipped
}
