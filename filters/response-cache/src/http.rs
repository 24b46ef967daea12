//! What HTTP messages say to a cache, read strictly; nothing of rules, stores or hosts.
//!
//! Where a value is doubtful the careful reading wins: what restricts counts in any form, what permits only in the
//! right one. Each module names the sections that it reads.

pub mod accept;
pub mod conditional;
pub mod directives;
pub mod entity_tag;
pub mod field;
pub mod freshness;
pub mod range;
pub mod reference;
pub mod request;
pub mod response;
pub mod search;
pub mod tags;
pub mod targeted;
pub mod validation;
pub mod vary;
