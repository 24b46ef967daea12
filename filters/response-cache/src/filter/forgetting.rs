//! What is stored and is no answer any more.

use kit::Exchange;

use super::ResponseCache;
use super::passing::{has_failed, is_from_upstream, is_own_fault};
use super::stream::{Forwarded, Passing, Writing};
use crate::http::reference;
use crate::http::response::Response;
use crate::key;
use crate::policy::storing::is_said_to_all;
use crate::signals::{Decision, Refusal};
use crate::store::index::Changed;

impl ResponseCache {
    /// Forgets what is stored for a URI that an unsafe request has changed, and for those of the same origin that
    /// its response names (RFC 9111, 4.4).
    pub(super) fn invalidate(&self, x: &dyn Exchange, passing: &Passing) {
        let headers = x.response();
        let status = Response::read(&headers, &[]).status;
        if !(200..400).contains(&status) || !is_from_upstream(x) {
            return;
        }
        let request = &passing.request;
        let (scheme, authority) = (&request.scheme, &request.authority);
        let Some(base) = key::primary(scheme, authority, &request.path) else { return };
        let named = ["location", "content-location"].into_iter().filter_map(|name| {
            let named = reference::resolve(&base, headers.get(name)?)?;
            Some(key::split(&named)?.1.to_vec())
        });
        let mut targets = vec![request.path.clone()];
        for target in named {
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        let mut all = Changed::default();
        for target in &targets {
            for uri in self.config.uris(scheme, authority, target) {
                // First those that are told by what is stored, which this one may be.
                for twin in self.twins(x.host(), &uri) {
                    self.forget_uri(x, &twin, &mut all);
                }
                self.forget_uri(x, &uri, &mut all);
            }
        }
        self.meters.invalidated(x.host(), &all);
    }

    /// Forgets all that is stored for a URI, whoever it was for.
    fn forget_uri(&self, x: &dyn Exchange, uri: &[u8], all: &mut Changed) {
        match self.store.invalidate(x.host(), uri, x.now()) {
            Ok(changed) => all.add(&changed),
            Err(_contended_or_refused) => self.meters.refused(x.host(), Refusal::Store),
        }
        if self.config.has_key_parts() && self.purges.forget_uri(x.host(), uri, x.now()).is_err() {
            self.meters.refused(x.host(), Refusal::Store);
        }
    }

    pub(super) fn invalidate_key(&self, x: &dyn Exchange, whole: &[u8]) {
        match self.store.invalidate(x.host(), whole, x.now()) {
            Ok(changed) => self.meters.invalidated(x.host(), &changed),
            Err(_contended_or_refused) => self.meters.refused(x.host(), Refusal::Store),
        }
    }

    /// The origin was asked about what is stored and gave another response, which may not be stored: what is stored is
    /// no answer any more. What only this request is to blame for says nothing about others' answers.
    pub(super) fn forget_refused(
        &self,
        x: &dyn Exchange,
        forwarded: &Forwarded,
        stale: Option<&Writing>,
        status: u16,
        refusal: Refusal,
    ) {
        let Some(stale) = stale else { return };
        // An error may be about this request alone; these say what every other one would hear.
        let is_asked_about = forwarded.validating
            || matches!(forwarded.decision, Decision::Stale | Decision::Background);
        let replaced = is_asked_about
            && is_said_to_all(status)
            && self.speaks_for_all(&forwarded.asked, &stale.names)
            && !is_own_fault(forwarded, status, refusal)
            && !matches!(refusal, Refusal::LocalReply | Refusal::Store | Refusal::FillMemory)
            && !has_failed(x, status);
        if replaced {
            self.invalidate_key(x, &stale.key);
        }
    }
}
