//! Operators' requests: what the endpoints ask of this cache.

use std::rc::Rc;

use kit::headers::Headers;
use kit::shared::UpdateError;
use kit::{Exchange, Filter, Host, Nanos, Reply};

use super::ResponseCache;
use super::asking::cluster;
use super::looking::{Judged, heed, judge};
use super::stream::Asked;
use crate::config::{Action, Rule};
use crate::http::request::{Request, Treatment};
use crate::http::{tags, vary};
use crate::key;
use crate::operations::{
    self, Cache, Entry, Explanation, Flight, PurgeInfo, Purged, Receipt, RuleCounts, RuleInfo,
    Statistics, Target, WarmError,
};
use crate::policy::reuse::{self, Verdict};
use crate::signals::{self, Decision};
use crate::store::Entry as Found;
use crate::store::flights::Status;
use crate::store::purges::pattern::Pattern;
use crate::store::purges::{Mode, Purge, Standing};
use crate::store::stored::Stored;
use crate::warming::{Added, Progress};

impl ResponseCache {
    /// The answer to an operator's request; `None` for any other.
    pub(super) fn operations(&self, x: &dyn Exchange, end: bool) -> Option<Reply> {
        if !self.config.operations.is_on() {
            return None;
        }
        let answer = operations::answer(&self.config.operations, self, x, end)?;
        for line in &answer.audit {
            log::info!("{line}");
        }
        self.meters.decided(x.host(), None, Decision::Operations);
        x.note(Self::NAME, answer.word);
        Some(answer.reply)
    }

    /// What would be decided about a request that the store is asked about.
    fn foresee(
        &self,
        x: &dyn Exchange,
        asked: &Asked,
        rule: &Rule,
    ) -> (Decision, Option<Rc<Stored>>) {
        match judge(asked, rule, self.seek(x, asked, rule), x.now()) {
            Judged::Nothing(decision) => (lacking(asked, rule, decision), None),
            Judged::Stored(stored, verdict) => {
                let decision = match verdict {
                    Verdict::Serve | Verdict::ServeStale if stored.is_error() => Decision::ErrorHit,
                    Verdict::Serve => Decision::Hit,
                    Verdict::ServeStale => Decision::StaleHit,
                    Verdict::Validate(decision) | Verdict::Forward(decision) => {
                        lacking(asked, rule, decision)
                    }
                    Verdict::NotFor => lacking(asked, rule, Decision::Request),
                };
                (decision, Some(stored))
            }
        }
    }

    /// What there is to tell of one stored response.
    fn entry(&self, host: &dyn Host, stored: Rc<Stored>, selected: Option<u64>) -> Entry {
        let purged = match self.standing(host, &stored) {
            Standing::Valid => Purged::No,
            Standing::Soft => Purged::Soft,
            Standing::Gone => Purged::Hard,
        };
        // Tags are kept as hashes; their names are in the stored fields unless clients are not to see them.
        let named = tags::read(&stored.headers(), &self.config.tag_headers).unwrap_or_default();
        let constant = self.config.rules.iter().find(|rule| rule.name == stored.rule);
        let named = named.iter().map(|tag| String::from_utf8_lossy(tag).into_owned());
        let constant = constant.into_iter().flat_map(|rule| rule.tags.iter().cloned());
        Entry {
            is_selected: selected == Some(stored.generation),
            purged,
            tags: named.chain(constant).collect(),
            stored,
        }
    }

    fn purge_of(&self, target: &Target) -> Result<Purge, String> {
        let glob = |text: &str| Pattern::glob(text).map_err(|error| error.to_string());
        Ok(match target {
            Target::Url(url) => {
                let (scheme, authority, path) =
                    (url.scheme.as_bytes(), url.authority.as_bytes(), url.path.as_bytes());
                let keys = self.config.uris(scheme, authority, path);
                Purge::Uris { keys, shown: url.to_string() }
            }
            Target::Tag(tag) if tag.is_empty() || tag.len() > tags::MAX_TAG => {
                return Err(format!("a tag has 1 to {} bytes", tags::MAX_TAG));
            }
            Target::Tag(tag) => Purge::Tags(vec![tag.clone()]),
            Target::Prefix(text) => {
                let prefix = Pattern::prefix(text).map_err(|error| error.to_string())?;
                Purge::Patterns(vec![prefix])
            }
            Target::Pattern(text) => Purge::Patterns(vec![glob(text)?]),
            Target::Resource(name) => {
                let resource = self.config.resources.iter().find(|found| found.name == *name);
                let resource = resource.ok_or("there is no such resource")?;
                let patterns = resource.patterns.iter().map(|text| glob(text));
                Purge::Patterns(patterns.collect::<Result<_, _>>()?)
            }
            Target::Everything => Purge::Everything,
        })
    }
}

impl Cache for ResponseCache {
    fn names(&self) -> Vec<&str> {
        let off = self.config.switched_off.iter().map(String::as_str);
        self.config.rules.iter().map(|rule| rule.name.as_str()).chain(off).collect()
    }

    fn rules(&self) -> Vec<RuleInfo> {
        let on = self.config.rules.iter().map(|rule| RuleInfo {
            name: rule.name.clone(),
            action: action(rule),
            matches: rule.matcher.describe(),
            key: rule.key.describe(),
            terms: vec![rule.describe()],
        });
        let off = self.config.switched_off.iter().map(|name| RuleInfo {
            name: name.clone(),
            action: "off",
            matches: String::new(),
            key: String::new(),
            terms: Vec::new(),
        });
        on.chain(off).collect()
    }

    fn resources(&self) -> Vec<&str> {
        self.config.resources.iter().map(|resource| resource.name.as_str()).collect()
    }

    fn statistics(&self, host: &dyn Host) -> Statistics {
        let names = self.config.rules.iter().map(|rule| rule.name.as_str());
        let names = names.chain([signals::NO_RULE]).map(str::to_owned);
        let mut read = self.meters.read(host);
        let rules = names.zip(read.rules.drain(..));
        let counts =
            |(rule, (decisions, bytes_served))| RuleCounts { rule, decisions, bytes_served };
        Statistics {
            rules: rules.map(counts).collect(),
            max_entries: u64::from(self.config.max_entries),
            max_bytes: self.config.max_bytes.0,
            entries: read.entries,
            bytes: read.bytes,
            stored: read.stored,
            refused: read.refused,
            evictions: read.evictions,
            invalidations: read.invalidations,
            others: read.others,
        }
    }

    fn explain(&self, x: &dyn Exchange, operator: &dyn Exchange) -> Explanation {
        let headers = x.request();
        let request = Request::read(&headers);
        let nothing = |decision, why: Option<&str>, rule| Explanation {
            decision,
            why: why.map(str::to_owned),
            rule,
            key: None,
            cluster: None,
            entries: Vec::new(),
            flight: None,
        };
        match request.treatment(true) {
            Treatment::Untouched => {
                return nothing(Decision::Bypass, Some("another protocol than HTTP"), None);
            }
            Treatment::Forward(decision) => return nothing(decision, None, None),
            Treatment::LookUp => {}
        }
        let mut asked = match self.asked(x, request, &headers, None) {
            Ok(asked) => asked,
            Err(bypassed) => {
                let rule = bypassed.rule.and_then(|idx| self.config.rules.get(idx));
                let why = match rule {
                    None => "no rule matches",
                    Some(rule) if rule.action == Action::Bypass => "the rule says so",
                    Some(rule) if rule.is_bypassed(x) => "the rule's bypass matches",
                    Some(_) => "the request has no key: its user is missing, or its URI is none",
                };
                let rule = rule.map(|rule| (rule.name.clone(), action(rule)));
                return nothing(Decision::Bypass, Some(why), rule);
            }
        };
        let Some(rule) = self.config.rules.get(asked.rule) else {
            return nothing(Decision::Bypass, None, None);
        };
        let (host, now) = (x.host(), x.now());
        let mut entries = self.store.entries_of(host, &asked.whole);
        if asked.cluster.is_empty() {
            asked.cluster = assumed_cluster(&entries, operator);
        }
        let (decision, selected) = self.foresee(x, &asked, rule);
        if let Some(found) = selected.as_ref().filter(|found| found.key != asked.whole) {
            entries = self.store.entries_of(host, &found.key);
        }
        let status =
            self.flights.status_of(host, self.flight_tag(&asked, selected.as_deref()), now);
        let selected = selected.as_ref().map(|stored| stored.generation);
        Explanation {
            decision,
            why: None,
            rule: Some((rule.name.clone(), action(rule))),
            key: Some(key::shown(&asked.whole)),
            cluster: Some(String::from_utf8_lossy(&asked.cluster).into_owned()),
            entries: entries
                .into_iter()
                .map(|entry| self.entry(host, entry.stored, selected))
                .collect(),
            flight: match status {
                Status::UnderWay { waiting, until, .. } => Some(Flight::Underway {
                    waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
                    left: until.saturating_sub(now),
                }),
                Status::Uncacheable { refusal, until } => {
                    Some(Flight::Uncacheable { reason: refusal, left: until.saturating_sub(now) })
                }
                Status::Idle | Status::Landed | Status::Failing { .. } => None,
            },
        }
    }

    fn tags_of(&self, request: &Headers) -> Result<Vec<Vec<u8>>, String> {
        let named =
            tags::read(request, &self.config.tag_headers).map_err(|error| error.to_string())?;
        let there = self.config.tag_headers.iter().any(|name| request.get(name).is_some());
        if there && named.is_empty() {
            return Err("the tag field names no tag; name one, or leave the field out".to_owned());
        }
        Ok(named)
    }

    fn check(&self, target: &Target) -> Result<(), String> {
        self.purge_of(target).map(|_| ())
    }

    fn purge(&self, host: &dyn Host, target: &Target, mode: Mode) -> Result<Receipt, UpdateError> {
        let mut purge = self.purge_of(target).map_err(|_checked_before| UpdateError::Refused)?;
        if let Purge::Uris { keys, .. } = &mut purge {
            let twins: Vec<_> = keys.iter().flat_map(|uri| self.twins(host, uri)).collect();
            keys.extend(twins);
        }
        self.purges.purge(host, &purge, mode, host.now())?;
        self.meters.purged(host, kind(target));
        Ok(Receipt::default())
    }

    fn purges(&self, host: &dyn Host) -> Vec<PurgeInfo> {
        let now = host.now();
        let logged = self.purges.list(host).log.into_iter().rev();
        logged
            .map(|logged| PurgeInfo {
                what: logged.what,
                mode: logged.mode,
                ago: now.saturating_sub(Nanos(logged.at)),
            })
            .collect()
    }

    fn warm(&self, host: &dyn Host, urls: &[String]) -> Result<Added, WarmError> {
        Ok(self.warming.as_ref().ok_or(WarmError::Off)?.add(host, urls)?)
    }

    fn stop_warming(&self, host: &dyn Host) -> Result<u32, WarmError> {
        let warming = self.warming.as_ref().ok_or(WarmError::Off)?;
        warming.stop(host).map_err(|error| WarmError::List(error.into()))
    }

    fn warming(&self, host: &dyn Host) -> Option<Progress> {
        self.warming.as_ref().map(|warming| warming.progress(host))
    }
}

/// What is decided where the origin would be asked for this reason.
fn lacking(asked: &Asked, rule: &Rule, decision: Decision) -> Decision {
    if reuse::only_if_cached(&asked.request, heed(rule)) {
        Decision::OnlyIfCached
    } else {
        decision
    }
}

/// The cluster of a described request that names none: that of the latest stored response under its key,
/// else the one that Envoy chose for the operator's own request, which is right where there is but one.
fn assumed_cluster(entries: &[Found], operator: &dyn Exchange) -> Rc<[u8]> {
    let latest = entries.iter().max_by_key(|entry| entry.stored.asked);
    match latest {
        Some(entry) => vary::cluster_of(&entry.stored.variant).unwrap_or_default().into(),
        None => cluster(operator),
    }
}

/// What a purge names, for counting.
const fn kind(target: &Target) -> signals::Purged {
    match target {
        Target::Url(_) => signals::Purged::Url,
        Target::Tag(_) => signals::Purged::Tag,
        Target::Prefix(_) | Target::Pattern(_) => signals::Purged::Pattern,
        Target::Resource(_) => signals::Purged::Resource,
        Target::Everything => signals::Purged::Everything,
    }
}

const fn action(rule: &Rule) -> &'static str {
    match rule.action {
        Action::Cache => "cache",
        Action::Bypass => "bypass",
    }
}
