//! `No-Vary-Search`: one stored response for all queries that it says are the same to it.
//!
//! Asked only where nothing is stored for the request itself, and only if the configuration wants it:
//! an ordinary hit costs nothing more. See [`crate::key::alias`] for where things lie.

use kit::headers::Headers;
use kit::{Exchange, Host, Nanos};

use super::ResponseCache;
use super::stream::Asked;
use crate::config::Rule;
use crate::http::search::NoVarySearch;
use crate::key::alias::{self, MAX_LINE, Saying, Sayings};
use crate::key::normal::Normal;
use crate::signals::Refusal;
use crate::store::Found;
use crate::store::purges::Subject;
use crate::store::stored::Stored;

impl ResponseCache {
    /// What is stored for a request that is the same by the word of its response; `None` if there is nothing.
    ///
    /// **Cost**: one lookup for the path, and one for each different field that its responses have.
    pub(super) fn find_equivalent(
        &self,
        x: &dyn Exchange,
        asked: &Asked,
        rule: &Rule,
    ) -> Option<Found> {
        let (host, now) = (x.host(), x.now());
        let mut found = None;
        for saying in self.sayings(host, &asked.key.uri).0.iter() {
            let Some(meaning) = saying.meaning() else { continue };
            let Some(key) = saying.key(&meaning, &asked.key) else { continue };
            let (cluster, headers) = (&asked.cluster, &asked.headers);
            match self.store.find(host, &key.whole(), cluster, headers, &rule.normal, now) {
                // A validation may have changed what it says.
                Found::Entry(entry)
                    if NoVarySearch::read(&entry.stored.headers()).as_ref() == Some(&meaning) =>
                {
                    return Some(Found::Entry(entry));
                }
                Found::OtherVariant => found = Some(Found::OtherVariant),
                Found::Entry(_) | Found::Nothing => {}
            }
        }
        found
    }

    /// Gives a response that says something of its query the key of all requests that are the same to it.
    ///
    /// # Errors
    /// [`Refusal::Invalidated`] if its own URI was invalidated while it was on its way: under the new key
    /// that could not be told any more.
    pub(super) fn rekey(
        &self,
        x: &dyn Exchange,
        asked: &Asked,
        headers: &Headers,
        stored: &mut Stored,
    ) -> Result<(), Refusal> {
        let Some(line) = NoVarySearch::line(headers).filter(|line| line.len() <= MAX_LINE) else {
            return Ok(());
        };
        let Some(meaning) = NoVarySearch::parse(&line) else { return Ok(()) };
        let Some(saying) = self.say(x, &asked.key.uri, &line, stored) else { return Ok(()) };
        let Some(key) = saying.key(&meaning, &asked.key) else { return Ok(()) };
        // From here on whoever invalidates an equal URI sees the alias; who did before has named this URI.
        let own = Subject {
            asked: Nanos(stored.asked),
            uri: &stored.uri,
            uri_key: &asked.key.uri,
            has_parts: true,
            tags: &stored.tags,
        };
        if !self.purges.admits(x.host(), &own) {
            return Err(Refusal::Invalidated);
        }
        stored.key = key.whole();
        Ok(())
    }

    /// The URIs under which lies what would answer a request for this one, beside its own.
    pub(super) fn twins(&self, host: &dyn Host, uri: &[u8]) -> Vec<Vec<u8>> {
        if !self.config.no_vary_search {
            return Vec::new();
        }
        let (sayings, _) = self.sayings(host, uri);
        let meanings = sayings.iter().filter_map(Saying::meaning);
        let mut twins: Vec<_> =
            meanings.filter_map(|meaning| alias::canonical(&meaning, uri)).collect();
        twins.sort();
        twins.dedup();
        twins.retain(|twin| twin != uri);
        twins
    }

    /// Throws away one stored response, wherever it lies by now.
    pub(super) fn forget_entry(&self, x: &dyn Exchange, key: &[u8], generation: u64) {
        for entry in self.store.entries_of(x.host(), key) {
            if entry.stored.generation == generation {
                self.forget(x.host(), entry.place);
            }
        }
    }

    /// What the responses of this URI's path have said, and until when that is kept.
    fn sayings(&self, host: &dyn Host, uri: &[u8]) -> (Sayings, Nanos) {
        let found = alias::of(uri).map(|key| {
            let (none, normal) = (Headers::default(), Normal::default());
            // Whose alias it is does not depend on the request; how old it is does not matter.
            self.store.find(host, &key.whole(), b"", &none, &normal, host.now())
        });
        match found {
            Some(Found::Entry(entry)) => (Sayings::read(&entry.stored.body), entry.stored.until()),
            Some(Found::Nothing | Found::OtherVariant) | None => (Sayings::default(), Nanos::ZERO),
        }
    }

    /// Writes what a response says under its path's alias, for as long as the response is of use.
    fn say(&self, x: &dyn Exchange, uri: &[u8], line: &[u8], stored: &Stored) -> Option<Saying> {
        let host = x.host();
        let (mut sayings, until) = self.sayings(host, uri);
        let known = sayings.find(line).cloned();
        if let Some(saying) = known.clone().filter(|_| stored.until() <= until) {
            return Some(saying);
        }
        let saying = known.unwrap_or_else(|| sayings.add(line, host.random()));
        let key = alias::of(uri)?;
        let alias = Stored {
            uri: crate::key::uri_text(&key.uri),
            key: key.whole(),
            asked: x.now().0,
            received: x.now().0,
            lifetime: stored.until().max(until).saturating_sub(x.now()).0,
            rule: stored.rule.clone(),
            body: sayings.write(),
            ..Stored::default()
        };
        match self.store.put(host, alias, x.now(), x.now()) {
            Ok(changed) => self.meters.stored(host, &changed),
            Err(unstored) => {
                self.meters.changed(host, &unstored.changed);
                return None;
            }
        }
        Some(saying)
    }
}
