//! What is stored for a request, and what becomes of the request then.

use std::rc::Rc;

use kit::{Exchange, Nanos};

use super::ResponseCache;
use super::asking::{Boarding, Turn};
use super::errands::Refreshing;
use super::stream::{Asked, Held};
use crate::config::Rule;
use crate::policy::reuse::{self, Heed, Verdict};
use crate::signals::{Decision, Wait};
use crate::store::Found;
use crate::store::flights::{Flight, Joined, Why};
use crate::store::purges;
use crate::store::stored::Stored;

/// What was found for a request, after purges.
pub(super) enum Sought {
    /// Nothing, for this reason.
    Nothing(Decision),
    /// This, and whether it was purged softly.
    Stored(Rc<Stored>, bool),
}

/// What the rules say of what was found.
pub(super) enum Judged {
    /// Nothing that was found is of use, for this reason.
    Nothing(Decision),
    /// This was found, and this is to become of the request.
    Stored(Rc<Stored>, Verdict),
}

/// What a look into the store comes to.
pub(super) enum Look {
    /// This is the answer.
    Serve(Rc<Stored>),
    /// This is the answer though it is stale: it is being refreshed.
    ServeStale(Rc<Stored>),
    /// There is none, and the request wants no other.
    Refuse,
    /// The origin is to be asked.
    Forward(Origin),
}

/// How the origin is to be asked.
pub(super) struct Origin {
    /// Why.
    pub(super) decision: Decision,
    /// What is stored and could not be the answer by itself.
    pub(super) stale: Option<Rc<Stored>>,
    /// Whether that is still good is the question.
    pub(super) validate: bool,
    /// This request does it for all others.
    pub(super) lead: Option<Flight>,
}

impl Origin {
    pub(super) const fn for_lack(decision: Decision) -> Self {
        Self { decision, stale: None, validate: false, lead: None }
    }
}

impl ResponseCache {
    /// What the store and the rules say.
    pub(super) fn look(&self, x: &dyn Exchange, asked: &Asked) -> Look {
        let Some(rule) = self.config.rules.get(asked.rule) else {
            return Look::Forward(Origin::for_lack(Decision::Bypass));
        };
        let wants_no_other = reuse::only_if_cached(&asked.request, heed(rule));
        let found = match judge(asked, rule, self.seek(x, asked, rule), x.now()) {
            Judged::Nothing(decision) => Origin::for_lack(decision),
            Judged::Stored(stored, verdict) => match verdict {
                Verdict::Serve => return Look::Serve(stored),
                // It wants no request to the origin, so it makes none.
                Verdict::ServeStale
                    if wants_no_other && self.way_back(&stored, x.now()).is_none() =>
                {
                    return Look::ServeStale(stored);
                }
                Verdict::ServeStale => match self.refresh(x, asked, rule, &stored) {
                    Refreshing::Already => return Look::ServeStale(stored),
                    Refreshing::ByThis(flight) => Origin {
                        decision: Decision::Stale,
                        stale: Some(stored),
                        validate: true,
                        lead: Some(flight),
                    },
                },
                Verdict::Validate(decision) => {
                    let lack = Origin::for_lack(decision);
                    Origin { stale: Some(stored), validate: true, ..lack }
                }
                Verdict::Forward(decision) => {
                    Origin { stale: Some(stored), ..Origin::for_lack(decision) }
                }
                Verdict::NotFor => Origin::for_lack(Decision::Request),
            },
        };
        if !asked.background && wants_no_other {
            return Look::Refuse;
        }
        Look::Forward(found)
    }

    /// What is stored for this request and was not purged.
    pub(super) fn seek(&self, x: &dyn Exchange, asked: &Asked, rule: &Rule) -> Sought {
        let (host, now) = (x.host(), x.now());
        let found =
            self.store.find(host, &asked.whole, &asked.cluster, &asked.headers, &rule.normal, now);
        let found = match found {
            Found::Nothing | Found::OtherVariant if self.config.no_vary_search => {
                self.find_equivalent(x, asked, rule).unwrap_or(found)
            }
            Found::Nothing | Found::OtherVariant | Found::Entry(_) => found,
        };
        let nothing = if asked.background { Decision::Background } else { Decision::Miss };
        match found {
            Found::Nothing => Sought::Nothing(nothing),
            Found::OtherVariant if asked.background => Sought::Nothing(nothing),
            Found::OtherVariant => Sought::Nothing(Decision::VaryMiss),
            Found::Entry(entry) => match self.standing(host, &entry.stored) {
                purges::Standing::Valid => Sought::Stored(entry.stored, false),
                purges::Standing::Soft => Sought::Stored(entry.stored, true),
                purges::Standing::Gone => {
                    self.forget(host, entry.place);
                    Sought::Nothing(nothing)
                }
            },
        }
    }

    /// Whether others may get what this request fetches, and this one what others fetch: who may not, neither waits nor
    /// is waited for.
    fn can_share(&self, asked: &Asked, stale: Option<&Stored>) -> bool {
        let request = &asked.request;
        let Some(rule) = self.config.rules.get(asked.rule) else { return false };
        // What is stale as it comes, and what may never be served unasked, is each request's own to ask about.
        let is_own = stale.is_some_and(|stale| {
            stale.validate
                || (stale.initial_age >= stale.lifetime && stale.stale_while_revalidate == 0)
        });
        self.config.collapse.is_some()
            && asked.may_store
            && !asked.background
            && !is_own
            && !request.has_range
            && !request.directives.no_store
            // Its answer may be a 304 that nobody else can use.
            && (stale.is_some() || !request.has_condition)
            && (!request.authorized || rule.terms.per_user)
            && Self::unkeyed(asked, rule, &[]).is_none()
    }

    /// Whether this request goes to the origin, or waits for the response to another one.
    pub(super) fn board(
        &self,
        x: &dyn Exchange,
        asked: &Asked,
        decision: Decision,
        stale: Option<&Stored>,
        turn: Turn,
    ) -> Boarding {
        if decision == Decision::Request || !self.can_share(asked, stale) {
            self.leave(x, turn);
            return Boarding::Goes(Held::nothing());
        }
        let (host, now) = (x.host(), x.now());
        let tag = self.flight_tag(asked, stale);
        let (waited, joined) = match turn {
            Turn::First => (false, self.flights.join(host, tag, x.waker(), now)),
            Turn::Woken(place, _) => (true, self.flights.rejoin(host, place, tag, now)),
            Turn::Again(place, _) => (false, self.flights.rejoin(host, place, tag, now)),
        };
        let flight = match joined {
            Joined::Wait(place) => return Boarding::Waits(place),
            Joined::Landed(place) => return Boarding::LooksAgain(place),
            Joined::Lead(lead) => Held::of(lead, &self.adrift),
            Joined::Pass(why) => {
                if why == Why::TimedOut {
                    self.meters.waited(host, Wait::TimedOut);
                    return Boarding::Goes(Held::nothing());
                }
                Held::nothing()
            }
        };
        if waited {
            self.meters.waited(host, Wait::Forwarded);
        }
        Boarding::Goes(flight)
    }
}

/// What becomes of a request for which this was found.
pub(super) fn judge(asked: &Asked, rule: &Rule, sought: Sought, now: Nanos) -> Judged {
    let (request, headers) = (&asked.request, &asked.headers);
    match sought {
        Sought::Nothing(decision) => Judged::Nothing(decision),
        Sought::Stored(stored, _) if asked.background => {
            Judged::Stored(stored, Verdict::Validate(Decision::Background))
        }
        Sought::Stored(stored, _) if !rule.normal.accepts(headers, &stored.headers()) => {
            Judged::Nothing(Decision::VaryMiss)
        }
        Sought::Stored(stored, soft) => {
            let verdict =
                reuse::decide(request, headers, &stored, now, soft, &rule.terms, heed(rule));
            Judged::Stored(stored, verdict)
        }
    }
}

/// What the rule heeds of a request's own wishes.
///
/// What is stale can always be refreshed: in the background, or by whoever comes first.
pub(super) const fn heed(rule: &Rule) -> Heed {
    Heed { directives: rule.heeds_directives, refresh: true }
}
