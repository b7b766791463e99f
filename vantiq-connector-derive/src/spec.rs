//! [`Spec`]: what one `#[vantiq_source(...)]` says about the source, and the rules for its arguments.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::{Error, Ident, Lit, LitStr, Path, Result, Type};

use crate::attr::{ATTRIBUTE, Argument, Setting, SourceAttr, Value};
use crate::key::Key;
use crate::mistakes::Mistakes;

/// What the attribute says about the source. What is `None` was not given.
#[derive(Default)]
pub(crate) struct Spec {
    /// An exact name, or a pattern with `*`.
    pub(crate) name: Option<LitStr>,
    pub(crate) config: Option<Type>,
    pub(crate) publish: Option<Type>,
    pub(crate) query: Option<Type>,
    /// Whether the handler outlives a lost link.
    pub(crate) persistent: bool,
    /// Where the runtime crate is, if not at `::vantiq_connector`.
    pub(crate) krate: Option<Path>,
}

impl Spec {
    /// Checks the arguments in turn, adding to `mistakes`. What is returned holds all that could be
    /// understood, and for a misspelt key what was probably meant.
    pub(crate) fn from_attr(attr: SourceAttr, mistakes: &mut Mistakes) -> Self {
        let mut reader = Reader { spec: Self::default(), keys: Vec::new(), mistakes };
        for argument in attr.arguments {
            match argument {
                Argument::Name(name) => reader.name(name),
                Argument::Setting(setting) => reader.setting(setting),
                Argument::Word(word) => reader.word(word),
                Argument::Other(tokens) => reader.other(&tokens),
            }
        }
        reader.spec
    }
}

/// A [`Spec`] in the making.
struct Reader<'a> {
    spec: Spec,
    /// The keys so far, as they are written.
    keys: Vec<Ident>,
    mistakes: &'a mut Mistakes,
}

impl Reader<'_> {
    fn name(&mut self, name: LitStr) {
        let text = name.value();
        if self.spec.name.is_some() {
            return self.mistakes.add(name, second_name(&text));
        }
        if let Some(fault) = name_fault(&text) {
            self.mistakes.add(&name, fault);
        }
        if !self.keys.is_empty() {
            let message = format!("the source name comes first: write `#[{ATTRIBUTE}({text:?}, ...)]`");
            self.mistakes.add(&name, message);
        }
        self.spec.name = Some(name);
    }

    fn setting(&mut self, Setting { key: word, equals, value }: Setting) {
        let exact = Key::named(&word.to_string());
        match exact {
            None => self.mistakes.add(&word, unknown_key(&word, &value)),
            Some(_) if self.keys.contains(&word) => {
                self.mistakes.add(&word, given_twice(&word));
            }
            Some(key) if key.stands_alone() => {
                self.mistakes.add(quote!(#word #equals #value), takes_no_value(key, &value));
            }
            Some(key) if equals.is_none() => {
                self.mistakes.add(&word, format!("write `=` after the key: `{}`", with_value(key, &value)));
            }
            Some(_) => {}
        }
        if let Some(key) = exact.or_else(|| Key::nearest(&word.to_string()))
            && !key.stands_alone()
        {
            self.value(key, &quote!(#word #equals), value);
        }
        self.keys.push(word);
    }

    /// Stores the `value` given to `key`. `before` is what stands before it.
    fn value(&mut self, key: Key, before: &TokenStream, value: Value) {
        match value {
            Value::Type(value) => self.store(key, *value),
            Value::Quoted(quoted) => self.quoted(key, &quoted),
            Value::Bool(boolean) => self.mistakes.add(boolean, wrong_value(key)),
            Value::Missing => self.mistakes.add(before, missing_value(key)),
            Value::Unreadable(at) => self.mistakes.absorb(Error::new(at, wrong_value(key))),
        }
    }

    fn quoted(&mut self, key: Key, quoted: &LitStr) {
        let (key_text, value_text) = (key.text(), quoted.value());
        self.mistakes.add(quoted, format!("write this without quotes: `{key_text} = {value_text}`"));
        if let Ok(value) = quoted.parse() {
            self.store(key, value);
        }
    }

    fn store(&mut self, key: Key, value: Type) {
        match key {
            Key::Config => self.spec.config = Some(value),
            Key::Publish => self.spec.publish = Some(value),
            Key::Query => self.spec.query = Some(value),
            Key::Persistent => {} // takes no value, so that there is none to store
            Key::Crate => match plain_path(&value) {
                Ok(path) => self.spec.krate = Some(path),
                Err(_) => self.mistakes.add(value, wrong_value(key)),
            },
        }
    }

    /// A word alone: `persistent`, or else a key without its value, or the name without its quotes.
    fn word(&mut self, word: Ident) {
        match Key::named(&word.to_string()) {
            Some(Key::Persistent) => self.persistent(word),
            Some(key) => self.mistakes.add(word, missing_value(key)),
            None if self.spec.name.is_some() => self.mistakes.add(&word, unknown_word(&word)),
            None => self.mistakes.add(&word, perhaps_the_name(&word)),
        }
    }

    fn persistent(&mut self, word: Ident) {
        if self.keys.contains(&word) {
            self.mistakes.add(&word, given_twice(&word));
        }
        self.spec.persistent = true;
        self.keys.push(word);
    }

    /// Something that is neither a name nor a setting: says which of the two it was probably meant to be.
    fn other(&mut self, tokens: &TokenStream) {
        let first = tokens.clone().into_iter().next();
        let word = first.as_ref().map(ToString::to_string).unwrap_or_default();
        match Key::named(&word) {
            Some(key) if key.stands_alone() => self.mistakes.add(tokens, written_alone(key)),
            Some(key) => self.mistakes.add(first, missing_value(key)),
            None if self.spec.name.is_some() => self.mistakes.add(tokens, not_a_setting(&word)),
            None => self.mistakes.add(tokens, not_a_literal(tokens)),
        }
    }
}

/// What one might expect to be the key of the name.
const NAME_KEYS: [&str; 5] = ["name", "names", "pattern", "source", "sources"];

fn second_name(text: &str) -> String {
    match Key::named(text) {
        Some(key) if key.stands_alone() => format!("write this without quotes: `{text}`"),
        _ => "a handler has one source name: remove this one, or write a pattern such as `\"camera-*\"` for \
              several sources"
            .into(),
    }
}

/// What is wrong with `name`, if anything: the rules of `SourcePattern::new`, told more kindly than a panic
/// in a `const` can.
fn name_fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some(format!("the source name is empty: write a name, or `#[{ATTRIBUTE}]` for any source"));
    }
    if name.contains(',') {
        // Before white space: in `"a, b"` the space is not what is wrong.
        let message = "a source name has no comma: write one name, or a pattern such as `\"camera-*\"` for \
                       several sources";
        return Some(message.into());
    }
    has_white_space(name).then(|| white_space(name.trim_ascii()))
}

fn white_space(trimmed: &str) -> String {
    if trimmed.is_empty() || has_white_space(trimmed) {
        "a source name has no white space: write it as it stands in `sources` of server.config".into()
    } else {
        format!("a source name has no white space: write `{trimmed:?}`")
    }
}

fn has_white_space(name: &str) -> bool {
    name.bytes().any(|byte| byte.is_ascii_whitespace())
}

fn not_a_setting(word: &str) -> String {
    Key::nearest(word).map_or_else(
        || "this is neither a name nor a key: write `key = Type`, or remove it".into(),
        |key| meant(word, key.example()),
    )
}

fn not_a_literal(tokens: &TokenStream) -> String {
    quotable(tokens).map_or_else(
        || {
            "write the source name as a string literal, such as `\"thermostat\"`; for the value of a \
             constant, implement `VantiqSource` by hand"
                .into()
        },
        |text| format!("write the source name in quotes: `{text:?}`"),
    )
}

/// What to say about a word where the name might stand: it is a name without quotes, unless it is spelt like
/// a key that stands alone.
fn perhaps_the_name(word: &Ident) -> String {
    match Key::nearest(&word.to_string()) {
        Some(key) if key.stands_alone() => {
            format!(
                "there is no key `{word}`: write `{}`, or for the source of that name `\"{word}\"`",
                key.text()
            )
        }
        _ => not_a_literal(&quote!(#word)),
    }
}

fn meant(word: impl Display, instead: impl Display) -> String {
    format!("there is no key `{word}`: write `{instead}`")
}

/// `key` with the type that was given to it, or an example of one.
fn with_value(key: Key, value: &Value) -> String {
    match value {
        Value::Type(given) => format!("{} = {}", key.text(), written(given)),
        Value::Quoted(given) => format!("{} = {}", key.text(), given.value()),
        Value::Bool(_) | Value::Missing | Value::Unreadable(_) => key.example().into(),
    }
}

/// A type as a person writes it; tokens are printed with blanks between them.
fn written(given: &Type) -> String {
    [(" :: ", "::"), (" < ", "<"), (" >", ">"), (" ,", ","), (" ;", ";")]
        .into_iter()
        .fold(quote!(#given).to_string(), |text, (wide, narrow)| text.replace(wide, narrow))
}

fn unknown_key(word: &Ident, value: &Value) -> String {
    match Key::nearest(&word.to_string()) {
        Some(key) if key.stands_alone() => {
            return format!("there is no key `{word}`, and {}", takes_no_value(key, value));
        }
        Some(key) => return meant(word, with_value(key, value)),
        None => {}
    }
    if let Value::Quoted(name) = value
        && NAME_KEYS.iter().any(|key| word == key)
    {
        return format!("the source name has no key: write `{:?}` as the first argument", name.value());
    }
    no_such_key(word)
}

fn unknown_word(word: &Ident) -> String {
    Key::nearest(&word.to_string()).map_or_else(|| no_such_key(word), |key| meant(word, key.example()))
}

fn no_such_key(word: &Ident) -> String {
    format!("there is no key `{word}`: the keys are `config`, `publish`, `query`, `persistent` and `crate`")
}

fn given_twice(word: &Ident) -> String {
    format!("`{word}` is given twice: remove one of them")
}

/// What to write instead of the `value` given to a key that stands alone.
fn takes_no_value(key: Key, value: &Value) -> String {
    match value {
        Value::Bool(boolean) if !boolean.value => {
            format!("`{}` is off where it is not written: remove this", key.text())
        }
        _ => format!("`{0}` takes no value: write `{0}` alone", key.text()),
    }
}

/// The same where the value was not understood.
fn written_alone(key: Key) -> String {
    format!("`{0}` takes no value: write `{0}` alone, or remove it", key.text())
}

fn missing_value(key: Key) -> String {
    format!("nothing is given to `{}`: write `{}`", key.text(), key.example())
}

fn wrong_value(key: Key) -> String {
    let wanted = if key == Key::Crate { "path" } else { "type" };
    format!("this is not a {wanted}: write `{}`", key.example())
}

fn plain_path(value: &Type) -> Result<Path> {
    Path::parse_mod_style.parse2(quote!(#value))
}

/// What a source name without its quotes would say: a number, a boolean, or a word that is not spelt like
/// a constant.
fn quotable(tokens: &TokenStream) -> Option<String> {
    if let Ok(word) = syn::parse2::<Ident>(tokens.clone()) {
        return Some(word.to_string()).filter(|word| word.contains(char::is_lowercase));
    }
    match syn::parse2(tokens.clone()).ok()? {
        Lit::Int(number) => Some(number.to_string()),
        Lit::Float(number) => Some(number.to_string()),
        Lit::Bool(boolean) => Some(boolean.value.to_string()),
        Lit::Char(char) => Some(char.value().into()),
        _ => None,
    }
}
