//! One rule: which requests, and what becomes of them.

use std::rc::Rc;

use kit::Exchange;
use kit::config::{Fields, Names, quoted};
use kit::matching::Matcher;

use super::{checks, terms};
use crate::key::KeyRule;
use crate::key::normal::Normal;
use crate::policy::fields::KnownFields;
use crate::policy::terms::Terms;

/// Which requests, and what becomes of them.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name in metrics.
    pub name: String,
    /// The requests that it is for.
    pub matcher: Matcher,
    /// What becomes of them.
    pub action: Action,
    /// What of a request makes two the same.
    pub key: KeyRule,
    /// Which request fields are compared by meaning and not as sent, where a response varies on them.
    pub normal: Normal,
    /// On which terms responses are stored.
    pub terms: Terms,
    /// Whether `Cache-Control` and `Pragma` of requests count (RFC 9111, 5.2.1 and 5.4).
    pub heeds_directives: bool,
    /// These requests are answered from the store, but their own responses are not stored.
    pub no_store: Option<Matcher>,
    /// These requests go straight to the origin, and their responses are not stored.
    pub bypass: Option<Matcher>,
    /// Tags of every response, beside its own.
    pub tags: Vec<String>,
}

/// What a rule does with its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Action {
    /// They are answered from the store where the origin allows it.
    #[default]
    Cache,
    /// They pass, and their responses are not stored.
    Bypass,
}

/// Rules are asked one after the other for each request.
pub const MAX_RULES: usize = 64;
/// Each stored response carries them all.
pub const MAX_TAGS: usize = 16;
/// The longest tag in bytes.
pub const MAX_TAG: usize = 256;

impl Rule {
    /// The rule where none is configured: whatever the origin allows, for every request.
    fn everything(known: Rc<KnownFields>) -> Self {
        Self {
            name: "default".to_owned(),
            matcher: Matcher::default(),
            action: Action::Cache,
            key: KeyRule::default(),
            normal: Normal::default(),
            terms: Terms { keep: terms::DEFAULT_KEEP, known, ..Terms::default() },
            heeds_directives: true,
            no_store: None,
            bypass: None,
            tags: Vec::new(),
        }
    }

    /// Whether this request goes straight to the origin, though the rule caches.
    pub fn is_bypassed(&self, x: &dyn Exchange) -> bool {
        self.bypass.as_ref().is_some_and(|bypass| bypass.matches(x))
    }

    fn read(fields: &mut Fields<'_>, names: &mut Names, known: &KnownFields) -> Self {
        let name = names.read(fields).unwrap_or_default();
        let matcher = fields.optional_object("match", Matcher::read).unwrap_or_default();
        let actions = [("cache", Action::Cache), ("bypass", Action::Bypass)];
        let action = fields.optional_choice("action", &actions).unwrap_or_default();
        let key = fields.optional_object("key", KeyRule::read).unwrap_or_default();
        let normal = fields.optional_object("normalize", Normal::read).unwrap_or_default();
        // Two requests that differ in what the key has are two, whatever else it may mean.
        let mut known = known.clone();
        let keyed = key.fields().into_iter();
        known.neutral.extend(keyed.filter(|name| !matches!(&**name, "cookie" | "authorization")));
        let terms = terms::read(fields, key.is_per_user(), Rc::new(known));
        let heeds = [("honour", true), ("ignore", false)];
        let rule = Self {
            name,
            matcher,
            action,
            key,
            normal,
            terms,
            heeds_directives: fields.optional_choice("request_directives", &heeds).unwrap_or(true),
            no_store: exception(fields, "no_store"),
            bypass: exception(fields, "bypass"),
            tags: tags(fields),
        };
        match action {
            Action::Bypass => checks::bypass(fields),
            Action::Cache => checks::cache(fields, &rule),
        }
        rule
    }
}

/// The rules in force, and the names of those that are switched off.
pub(super) fn read_all(fields: &mut Fields<'_>, known: &KnownFields) -> (Vec<Rule>, Vec<String>) {
    fields.remedy("leave rules out to cache whatever the origin allows");
    let mut names = Names::default();
    let rules = fields.optional_objects("rules", 1..=MAX_RULES, |fields| {
        let enabled = fields.optional_bool("enabled").unwrap_or(true);
        (enabled, Rule::read(fields, &mut names, known))
    });
    let Some(rules) = rules else {
        return (vec![Rule::everything(Rc::new(known.clone()))], Vec::new());
    };
    let (on, off): (Vec<_>, Vec<_>) = rules.into_iter().partition(|(enabled, _)| *enabled);
    let names = off.into_iter().map(|(_, rule)| rule.name).collect();
    (on.into_iter().map(|(_, rule)| rule).collect(), names)
}

/// A match on some of the rule's requests: without a condition it would be all of them.
fn exception(fields: &mut Fields<'_>, name: &'static str) -> Option<Matcher> {
    fields.optional_object(name, |fields| {
        if fields.is_empty() {
            let mend = "add one, such as \"headers\", or set the rule's action to \"bypass\"";
            fields.own_problem("no condition", "at least one", mend);
        }
        Matcher::read(fields)
    })
}

fn tags(fields: &mut Fields<'_>) -> Vec<String> {
    let form = "1 to 256 printable characters without blanks and commas, such as \"products\"";
    let read = fields.optional_parsed_list("tags", 1..=MAX_TAGS, form, parse_tag);
    let mut tags: Vec<String> = Vec::new();
    for tag in read.unwrap_or_default() {
        if tags.contains(&tag) {
            let found = format!("{} a second time", quoted(&tag));
            fields.problem("tags", found, "each tag once", "remove one of them");
        } else {
            tags.push(tag);
        }
    }
    tags
}

fn parse_tag(text: &str) -> Result<String, &'static str> {
    if text.len() > MAX_TAG {
        Err("shorten it")
    } else if text.is_empty() {
        Err("fill it in")
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
        Err("leave the other characters out: no response could carry this tag")
    } else {
        Ok(text.to_owned())
    }
}
