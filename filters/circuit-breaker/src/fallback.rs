//! What a request gets instead when its breaker would reject it.
//!
//! A rule lists its fallbacks in their order, and the first that can answers. The stored copy of a cache in front can
//! if there is one; another cluster can unless its own breaker rejects; a static answer always can, but not in gRPC,
//! whose answers are messages of the service.

use kit::answer::Answer;
use kit::config::Fields;

use crate::answer;
use crate::config::bounds::{MAX_CLUSTER, N_FALLBACKS};
use crate::signals::Kind;

/// One fallback of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fallback {
    /// The stale copy of a cache in front, which puts it in the place of the rejection.
    Stale,
    /// Another cluster: routes match on the header that names it.
    Cluster(String),
    /// An answer of the configuration.
    Static(Box<Answer>),
}

impl Fallback {
    /// What kind it is, for metrics.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Stale => Kind::Stale,
            Self::Cluster(_) => Kind::Cluster,
            Self::Static(_) => Kind::Static,
        }
    }
}

/// Reads the list `fallbacks` of a rule; empty if there is none.
pub fn read(fields: &mut Fields<'_>) -> Vec<Fallback> {
    let parse = |text: &str| match text {
        "stale" => Ok(Fallback::Stale),
        "cluster" => Err("write { cluster: its name }"),
        "static" => Err("write { static: { status, body } }"),
        _ => Err("the kinds are stale, cluster and static"),
    };
    let allowed = "\"stale\", { cluster: NAME } or { static: {} }";
    let read = fields.optional_parsed_or_objects("fallbacks", N_FALLBACKS, allowed, parse, one);
    let read = read.unwrap_or_default();
    let before_last = read.iter().rev().skip(1);
    if before_last.clone().any(|fallback| fallback.kind() == Kind::Static) {
        let mend = "put it last";
        fields.problem(
            "fallbacks",
            "a static answer before others",
            "it last, it always answers",
            mend,
        );
    }
    if read.iter().filter(|fallback| fallback.kind() == Kind::Stale).count() > 1 {
        fields.problem("fallbacks", "\"stale\" twice", "it once", "keep the first");
    }
    read
}

fn one(fields: &mut Fields<'_>) -> Option<Fallback> {
    fields.exactly_one_of(&["cluster", "static"]);
    let cluster = fields.optional_parsed("cluster", CLUSTER_FORM, parse_cluster);
    let answer = fields.optional_object("static", answer::read_static);
    match (cluster, answer) {
        (Some(cluster), None) => Some(Fallback::Cluster(cluster)),
        (None, Some(answer)) => Some(Fallback::Static(Box::new(answer))),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

/// What a cluster's name may be, for messages.
pub const CLUSTER_FORM: &str = "the name of a cluster, 1 to 255 visible characters of ASCII";

/// A cluster's name, which must fit a header and a label.
pub fn parse_cluster(text: &str) -> Result<String, &'static str> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.is_empty() {
        Err("fill it in")
    } else if is_plain && text.len() <= MAX_CLUSTER {
        Ok(text.to_owned())
    } else {
        Err("name the cluster so that a header can carry it")
    }
}
