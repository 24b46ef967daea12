//! A configuration judged without serving: by the module itself, in a real Envoy that starts and ends.

use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::Parser;

use super::arguments::{Arguments, Filter, Host, Upstream};
use super::bootstrap::bootstrap;
use super::config::config_for;
use super::run::{module_of, why_not};
use super::{ProxyError, report};
use crate::envoy::{Envoy, Options};

/// Checks the configuration of a filter: what it would put in force, or what is wrong with it.
#[derive(Debug, Clone, Parser)]
#[command(name = "weir-check", version, max_term_width = 100)]
pub struct Check {
    /// Which filter the configuration is for.
    #[arg(long, value_enum, default_value_t = Filter::Gateway)]
    pub filter: Filter,

    /// The configuration: a .json file, or YAML.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// What the configuration puts in force, in the filters' own words.
///
/// # Errors
///
/// [`ProxyError::Refused`] with every problem, a line each; or why there is no verdict.
pub fn check(check: &Check) -> Result<String, ProxyError> {
    let configuration = config_for(check.filter, &check.config)?;
    let module = module_of(check.filter)?;
    // Nothing is sent anywhere: the service needs no more than an address.
    let upstream =
        Upstream { host: Host::Address(Ipv4Addr::LOCALHOST.into()), port: NonZeroU16::MIN };
    let front = Arguments { filter: check.filter, ..Arguments::before(upstream) };
    let options = Options::default();
    let envoy = Envoy::start(&bootstrap(&front, &module, &configuration, false), options)
        .map_err(why_not)?;
    Ok(report::in_force(&report::summaries(&envoy)))
}
