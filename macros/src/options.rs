//! What stands in the parentheses of the attribute.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream};
use syn::{Ident, LitStr, Path, Token};

use crate::faults::Faults;

/// The options of a service, checked.
#[derive(Default)]
pub(crate) struct Options {
    /// The topic; unset, it is made from the trait's name.
    pub(crate) topic: Option<String>,
    /// The version; unset, 1.0.
    pub(crate) version: Version,
    /// The namespace, if it has one.
    pub(crate) namespace: Option<String>,
    /// Namespaces by which older clients reach it; `None` is for those that name none.
    pub(crate) aliases: Vec<Option<String>>,
    krate: Option<Path>,
}

/// `X.Y.Z`.
#[derive(Clone, Copy)]
pub(crate) struct Version {
    pub(crate) major: u16,
    pub(crate) minor: u16,
    pub(crate) patch: u16,
}

impl Options {
    /// Where the core of tidings is.
    pub(crate) fn core(&self) -> TokenStream {
        match &self.krate {
            Some(path) => quote!(#path::__core),
            None => quote!(::tidings::__core),
        }
    }
}

impl Default for Version {
    fn default() -> Self {
        Version {
            major: 1,
            minor: 0,
            patch: 0,
        }
    }
}

impl Version {
    /// Whether a server of this version serves a request for `other`, by the rule of the core (C-VE-1).
    pub(crate) fn serves(self, other: Version) -> bool {
        self.major == other.major && (self.minor, self.patch) >= (other.minor, other.patch)
    }

    /// The version in which everything was there that has no `since`.
    pub(crate) fn first_of_major(self) -> Version {
        Version {
            minor: 0,
            patch: 0,
            ..self
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Version> {
        let part = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse::<u16>().ok(),
            false => None,
        };
        let parts: Vec<u16> = text.split('.').map(part).collect::<Option<_>>()?;
        let (major, minor, patch) = match parts[..] {
            [major, minor] => (major, minor, 0),
            [major, minor, patch] => (major, minor, patch),
            _ => return None,
        };
        Some(Version {
            major,
            minor,
            patch,
        })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 {
            write!(f, ".{}", self.patch)?;
        }
        Ok(())
    }
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Options::default();
        let mut faults = Faults::default();
        let mut seen = Vec::new();
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            let name = key.to_string();
            if seen.contains(&name) && name != "alias" {
                faults.at(
                    &key,
                    format_args!("`{name}` is given twice: keep one of them"),
                );
            }
            match name.as_str() {
                "version" => options.version = read_version(input)?,
                "topic" => options.topic = Some(read_name("topic", input)?),
                "namespace" => options.namespace = Some(read_name("namespace", input)?),
                "alias" => options.aliases.push(read_alias(input)?),
                "crate" => {
                    input.parse::<Token![=]>()?;
                    options.krate = Some(input.call(Path::parse_mod_style)?);
                }
                _ => return Err(unknown(&key)),
            }
            seen.push(name);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        faults.unless_any(options)
    }
}

fn unknown(key: &Ident) -> syn::Error {
    let advice = format!(
        "`{key}` is not an option of `service`: there are `version = \"1.0\"`, `topic = \"name\"`, `namespace = \"name\"`, `alias = \"name\"` and `crate = path`"
    );
    syn::Error::new(key.span(), advice)
}

fn text(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse::<LitStr>()
}

fn read_version(input: ParseStream<'_>) -> syn::Result<Version> {
    version_of("version", &text(input)?)
}

/// The version that `text` is; `key` is what it was given for.
pub(crate) fn version_of(key: &str, text: &LitStr) -> syn::Result<Version> {
    Version::parse(&text.value()).ok_or_else(|| {
        let advice =
            format!("not a version: write `X.Y` or `X.Y.Z`, for example `{key} = \"1.0\"`");
        syn::Error::new(text.span(), advice)
    })
}

fn read_name(what: &str, input: ParseStream<'_>) -> syn::Result<String> {
    let text = text(input)?;
    let name = text.value();
    check_name(what, &name).map_err(|advice| syn::Error::new(text.span(), advice))?;
    Ok(name)
}

/// A namespace, or `none` for requests that name none.
fn read_alias(input: ParseStream<'_>) -> syn::Result<Option<String>> {
    let ahead = input.fork();
    ahead.parse::<Token![=]>()?;
    match ahead.parse::<Ident>() {
        Ok(word) if word == "none" => {
            input.advance_to(&ahead);
            Ok(None)
        }
        Ok(word) => {
            let advice = "an alias is a namespace, `alias = \"name\"`, or `alias = none` for requests that name none";
            Err(syn::Error::new(word.span(), advice))
        }
        Err(_) => read_name("namespace", input).map(Some),
    }
}

/// Says whether `text` may be a name on the bus, by the rules of the core.
pub(crate) fn check_name(what: &str, text: &str) -> Result<(), String> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    if text.is_empty() {
        return Err(format!("a {what} has at least one character"));
    }
    if text.len() > 255 {
        return Err(format!(
            "this {what} has {} bytes: at most 255 are allowed",
            text.len()
        ));
    }
    match text.chars().find(|letter| !allowed(*letter)) {
        None => Ok(()),
        Some(letter) => Err(format!(
            "a {what} cannot have the character {letter:?}: use ASCII letters, digits, `_`, `.` and `-`"
        )),
    }
}
