//! What a rule allows to one plan, or to everybody: limits, over the table of its keys.
//!
//! Each plan of a rule has a table of its own, so that a flood of keys of one plan forgets nobody of another.

use std::fmt;

use kit::Nanos;
use kit::hash::Tag;
use kit::shared::{SharedData, UpdateError};
use kit::table::{Found, Layout, Outcome, Place, Table, Verb};

use crate::account::{Account, Limits, Refusal, Ruling};

/// Limits over a table.
#[derive(Debug)]
pub struct Allowance {
    /// The plan it is for; `None` if for everybody.
    pub plan: Option<String>,
    /// Where the accounts are.
    pub table: Table<Limits>,
}

/// What charging a key came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charged {
    /// The key's account now.
    pub account: Account,
    /// Admitted and charged, or refused.
    pub refusal: Option<Refusal>,
    /// What happened to the table.
    pub place: Place,
    /// In what state its bucket was.
    pub found: Found,
    /// Attempts that another worker's change undid.
    pub n_conflicts: u32,
}

impl Allowance {
    /// The table of a rule's plan, or of the rule if it has none.
    pub fn new(rule: &str, plan: Option<&str>, limits: Limits, max_keys: u32) -> Self {
        let name = match plan {
            Some(plan) => format!("rate-limit/{rule}/{plan}"),
            None => format!("rate-limit/{rule}"),
        };
        Self { plan: plan.map(str::to_owned), table: Table::new(&name, max_keys, limits) }
    }

    /// The limits, all of which must admit.
    pub fn limits(&self) -> &Limits {
        self.table.layout()
    }

    /// Charges a request to the key, if all limits admit it; with `charge_refused`, also if not.
    ///
    /// **Cost**: one shared get, and one set if something is charged.
    pub fn charge<S: SharedData + ?Sized>(
        &self,
        store: &S,
        tag: Tag,
        cost: u64,
        now: Nanos,
        charge_refused: bool,
    ) -> Result<Charged, UpdateError> {
        let limits = self.limits();
        let done = self.table.update(store, tag, now, |account: Option<Account>| {
            let found = account.unwrap_or_default();
            let healed = limits.heal(found, now);
            match limits.decide(&healed, cost, now) {
                Ruling::Admit(next) => (Verb::Store(next), (next, None)),
                Ruling::Limit(refusal) if charge_refused => {
                    let next = limits.charge(healed, cost, now);
                    // What was charged has to be waited for as well, at every limit.
                    let refusal = match limits.decide(&next, cost, now) {
                        Ruling::Limit(longer) => longer,
                        Ruling::Admit(_) => refusal,
                    };
                    (Verb::Store(next), (next, Some(refusal)))
                }
                Ruling::Limit(refusal) => {
                    let verb = if healed == found { Verb::Keep } else { Verb::Store(healed) };
                    (verb, (healed, Some(refusal)))
                }
            }
        })?;
        let (account, refusal) = done.value;
        Ok(Charged {
            account,
            refusal,
            place: done.place,
            found: done.found,
            n_conflicts: done.n_conflicts,
        })
    }

    /// The key's account now, with nothing charged.
    ///
    /// **Cost**: one shared get.
    pub fn peek<S: SharedData + ?Sized>(&self, store: &S, tag: Tag, now: Nanos) -> Account {
        let account: Option<Account> = self.table.find(store, tag);
        self.limits().heal(account.unwrap_or_default(), now)
    }

    /// What the limits would say now, with nothing charged.
    ///
    /// **Cost**: one shared get.
    pub fn preview<S: SharedData + ?Sized>(
        &self,
        store: &S,
        tag: Tag,
        cost: u64,
        now: Nanos,
    ) -> (Account, Option<Refusal>) {
        let account = self.peek(store, tag, now);
        match self.limits().decide(&account, cost, now) {
            Ruling::Admit(_) => (account, None),
            Ruling::Limit(refusal) => (account, Some(refusal)),
        }
    }

    /// Changes the account of a key that was charged before; one that was forgotten since owes nothing.
    ///
    /// **Cost**: one shared get and one set.
    pub fn amend<S: SharedData + ?Sized>(
        &self,
        store: &S,
        tag: Tag,
        now: Nanos,
        change: impl Fn(Account) -> Account,
    ) -> Result<Outcome<()>, UpdateError> {
        self.table.update(store, tag, now, |account: Option<Account>| {
            let found = account.unwrap_or_default();
            let next = change(self.limits().heal(found, now));
            let says_nothing = account.is_none() && self.limits().loss(&next, now) == 0;
            (if next == found || says_nothing { Verb::Keep } else { Verb::Store(next) }, ())
        })
    }

    /// Forgets a key; the outcome's value says whether there was something to forget.
    ///
    /// **Cost**: one shared get, and one set if there was.
    pub fn forget<S: SharedData + ?Sized>(
        &self,
        store: &S,
        tag: Tag,
        now: Nanos,
    ) -> Result<Outcome<bool>, UpdateError> {
        self.table
            .update(store, tag, now, |account: Option<Account>| (Verb::Remove, account.is_some()))
    }
}

/// The allowance in an operator's words.
impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(plan) = &self.plan {
            write!(f, "plan {plan} ")?;
        }
        write!(f, "{}, up to {} keys", self.limits(), self.table.capacity())
    }
}
