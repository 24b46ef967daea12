//! Cache-Control for some caches only (RFC 9213), read as structured fields.
//!
//! A targeted field such as `CDN-Cache-Control` is a dictionary whose members are the directives of `Cache-Control`.
//! Unlike there the grammar is exact: a field that breaks it anywhere, or says nothing, counts as absent.
//! The last of several members of one name counts, as in every dictionary; parameters mean nothing.
//! A member of the wrong type is read carefully: as a restriction, or as a lifetime that is none.
//!
//! Read by the crate `sfv`, whose parser follows RFC 9651 step by step and takes a visitor, so that nothing is built
//! that nobody asks for. Several lines are joined by commas before they are read (RFC 9651, 4.2).
//!
//! **Source**: RFC 9213 sections 2.1 (syntax), 2.2 (which field counts), 3.1 (CDN-Cache-Control); RFC 9651.

use std::cell::Cell;
use std::convert::Infallible;

use kit::headers::Headers;
use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, Parser};

use crate::http::directives::{Delta, MAX_SECONDS, ResponseDirectives, Scope};

/// What the first of these fields that is there, valid and not empty says; `None` if there is no such field.
///
/// It stands for `Cache-Control` and for `Expires` then (2.2).
pub fn directives(headers: &Headers, names: &[String]) -> Option<ResponseDirectives> {
    names.iter().find_map(|name| {
        let mut lines = headers.all(name).peekable();
        lines.peek()?;
        let value = lines.collect::<Vec<_>>().join(&b", "[..]);
        let said = Cell::default();
        let any =
            Parser::new(&value).parse_dictionary_with_visitor(Members { said: &said, any: false });
        any.is_ok_and(|any| any).then(|| said.take())
    })
}

/// The members that were read so far: what they say, and whether there is any.
struct Members<'a> {
    said: &'a Cell<ResponseDirectives>,
    any: bool,
}

impl<'de> DictionaryVisitor<'de> for Members<'_> {
    type Out = bool;
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        self.any = true;
        Ok(Member { said: self.said, name: key.as_str() })
    }

    fn finish(self) -> Result<bool, Infallible> {
        Ok(self.any)
    }
}

/// One member: where its value is to go.
struct Member<'a, 'de> {
    said: &'a Cell<ResponseDirectives>,
    name: &'de str,
}

/// What matters of a value.
enum Value<'a> {
    Flag(bool),
    Seconds(i64),
    List(&'a [u8]),
    Other,
}

impl Member<'_, '_> {
    fn take(self, value: &Value<'_>) {
        let mut said = self.said.take();
        match self.name {
            "no-store" => said.no_store = restricts(value),
            "no-cache" => said.no_cache = scope(value),
            "private" => said.private = scope(value),
            "public" => said.public = permits(value),
            "must-revalidate" => {
                said.must_revalidate = permits(value);
                said.proxy_revalidate |= restricts(value);
            }
            "proxy-revalidate" => said.proxy_revalidate |= restricts(value),
            "must-understand" => {
                said.must_understand = restricts(value);
                said.malformed |= restricts(value) && !permits(value);
            }
            "no-transform" => said.no_transform = restricts(value),
            "immutable" => said.immutable = permits(value),
            "s-maxage" => said.s_maxage = delta(value),
            "max-age" => said.max_age = delta(value),
            "stale-while-revalidate" => said.stale_while_revalidate = delta(value),
            "stale-if-error" => said.stale_if_error = delta(value),
            _ => {}
        }
        self.said.set(said);
    }
}

const fn restricts(value: &Value<'_>) -> bool {
    !matches!(value, Value::Flag(false))
}

const fn permits(value: &Value<'_>) -> bool {
    matches!(value, Value::Flag(true))
}

fn scope(value: &Value<'_>) -> Scope {
    let mut scope = Scope::Absent;
    match value {
        Value::Flag(false) => {}
        Value::List(list) => scope.take(Some(list)),
        Value::Flag(true) | Value::Seconds(_) | Value::Other => scope.take(None),
    }
    scope
}

fn delta(value: &Value<'_>) -> Delta {
    match value {
        Value::Seconds(seconds) => u64::try_from(*seconds)
            .map_or(Delta::Invalid, |seconds| Delta::Seconds(seconds.min(MAX_SECONDS))),
        Value::Flag(_) | Value::List(_) | Value::Other => Delta::Invalid,
    }
}

impl<'de> EntryVisitor<'de> for Member<'_, '_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        self.take(&Value::Other);
        Ok(Ignored)
    }
}

impl<'de> ItemVisitor<'de> for Member<'_, '_> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        self.take(&match &item {
            BareItemFromInput::Boolean(flag) => Value::Flag(*flag),
            BareItemFromInput::Integer(seconds) => Value::Seconds((*seconds).into()),
            BareItemFromInput::String(list) => Value::List(list.as_str().as_bytes()),
            BareItemFromInput::Decimal(_)
            | BareItemFromInput::ByteSequence(_)
            | BareItemFromInput::Token(_)
            | BareItemFromInput::Date(_)
            | BareItemFromInput::DisplayString(_) => Value::Other,
        });
        Ok(Ignored)
    }
}
