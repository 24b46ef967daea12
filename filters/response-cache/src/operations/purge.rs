//! Purging: what a request names, all of it checked before the first thing is purged.

use kit::Reply;
use kit::config::quoted;
use kit::described::{MAX_PARAMETERS, Problem};
use kit::operations::Refusal;
use kit::operations::parameters::{flag, only, pairs, word};
use kit::shared::UpdateError;
use kit::target::Url;

use super::cache::{Done, Mode, Target};
use super::{Endpoints, render};

/// The parameters of `DELETE /entries`.
const PARAMETERS: [&str; 7] = ["url", "tag", "prefix", "pattern", "resource", "everything", "soft"];

impl Endpoints<'_> {
    /// `DELETE /entries?…`.
    pub(super) fn purge_entries(
        &self,
        query: &[u8],
        audit: &mut Vec<String>,
    ) -> Result<Reply, Refusal> {
        only(query, &PARAMETERS)?;
        let mode = if flag(query, "soft")? { Mode::Soft } else { Mode::Hard };
        let everything = flag(query, "everything")?;
        let (targets, problems) = self.targets(query);
        if !problems.is_empty() {
            return Err(Refusal::Parameters(problems));
        }
        let targets = match (everything, targets.is_empty()) {
            (true, true) => vec![Target::Everything],
            (false, false) => targets,
            (true, false) => {
                let what = "found true beside other targets, allowed alone; remove it, or them";
                return Err(Refusal::parameter("everything", what));
            }
            (false, true) => {
                let what = "found none of url, tag, prefix, pattern and resource, allowed at least one; \
                    add one, or everything=true";
                return Err(Refusal::parameter("query", what));
            }
        };
        self.purge(targets, mode, audit)
    }

    /// A PURGE request that has proved itself.
    pub(super) fn purge_method(&self, audit: &mut Vec<String>) -> Result<Reply, Refusal> {
        let request = self.x.request();
        let mode = match request.get("soft-purge") {
            None | Some(b"0") => Mode::Hard,
            Some(b"1") => Mode::Soft,
            Some(other) => {
                let found = quoted(&String::from_utf8_lossy(other));
                let what = format!(
                    "found {found}, allowed 1 or 0; write 1 to let entries become stale only"
                );
                return Err(Refusal::parameter("soft-purge", what));
            }
        };
        let tags = self.cache.tags_of(&request);
        let tags = tags.map_err(|what| Refusal::parameter("tags", what))?;
        let targets: Vec<Target> = if tags.is_empty() {
            let part =
                |name| std::str::from_utf8(request.get(name).unwrap_or_default()).unwrap_or("");
            let url = format!("{}://{}{}", part(":scheme"), part(":authority"), part(":path"));
            vec![Target::Url(parsed(&url).map_err(|what| Refusal::parameter("url", what))?)]
        } else {
            tags.into_iter().map(Target::Tag).collect()
        };
        let problems: Vec<Problem> =
            targets.iter().filter_map(|target| self.problem(target)).collect();
        if problems.is_empty() {
            self.purge(targets, mode, audit)
        } else {
            Err(Refusal::Parameters(problems))
        }
    }

    /// What the query names, and what is wrong with it.
    fn targets(&self, query: &[u8]) -> (Vec<Target>, Vec<Problem>) {
        let mut targets = Vec::new();
        let mut problems = Vec::new();
        let named = pairs(query).filter(|(name, _)| name != "soft" && name != "everything");
        for (idx, (name, value)) in named.enumerate() {
            let target =
                if idx == MAX_PARAMETERS { Err(too_many()) } else { self.target(&name, value) };
            match target {
                Ok(target) if targets.contains(&target) => {}
                Ok(target) => match self.problem(&target) {
                    Some(problem) => problems.push(problem),
                    None => targets.push(target),
                },
                Err(what) => problems.push(Problem { parameter: word(&name), what }),
            }
            if idx == MAX_PARAMETERS {
                break;
            }
        }
        (targets, problems)
    }

    fn target(&self, name: &str, value: Vec<u8>) -> Result<Target, String> {
        if value.is_empty() {
            return Err(format!(
                "found \"\", allowed a {name}; fill it in, or remove the parameter"
            ));
        }
        if name == "tag" {
            return Ok(Target::Tag(value));
        }
        let text = String::from_utf8(value).map_err(|_not_text| {
            "found bytes that are no text, allowed UTF-8; encode them once more".to_owned()
        })?;
        match name {
            "url" => parsed(&text).map(Target::Url),
            "prefix" => Ok(Target::Prefix(text)),
            "pattern" => Ok(Target::Pattern(text)),
            _ => {
                let known = self.cache.resources();
                match Refusal::unless_known("resource", &text, &known) {
                    Err(Refusal::Unknown(what)) => Err(what),
                    Err(_) | Ok(()) => Ok(Target::Resource(text)),
                }
            }
        }
    }

    fn problem(&self, target: &Target) -> Option<Problem> {
        let what = self.cache.check(target).err()?;
        Some(Problem { parameter: target.parameter().to_owned(), what })
    }

    /// Purges, and tells the operator and the log what was done.
    fn purge(
        &self,
        targets: Vec<Target>,
        mode: Mode,
        audit: &mut Vec<String>,
    ) -> Result<Reply, Refusal> {
        let purge = |target: Target| {
            let outcome = self.cache.purge(self.x.host(), &target, mode);
            Done { target, mode, outcome }
        };
        let all: Vec<Done> = targets.into_iter().map(purge).collect();
        audit.extend(all.iter().map(|done| self.line(&audited(done))));
        if all.iter().any(|done| done.outcome.is_err()) {
            let detail = "Not everything was purged; try again.";
            return Err(Refusal::Failed {
                detail,
                done: Some(("purged", render::done_list(&all))),
            });
        }
        Ok(render::purged(mode, &all))
    }
}

fn audited(done: &Done) -> String {
    let line = format!("purge {} mode={}", done.target, done.mode.word());
    match done.outcome {
        Ok(receipt) => match receipt.entries {
            Some(entries) => format!("{line} entries={entries}"),
            None => line,
        },
        Err(UpdateError::Contended) => format!("{line} error=contended"),
        Err(UpdateError::Refused) => format!("{line} error=refused"),
    }
}

/// The URLs that a query names, and nothing else.
pub(super) fn urls(query: &[u8]) -> Result<Vec<String>, Refusal> {
    only(query, &["url"])?;
    let mut urls = Vec::new();
    let mut problems = Vec::new();
    for (idx, (name, value)) in pairs(query).take(MAX_PARAMETERS.saturating_add(1)).enumerate() {
        let url = if idx == MAX_PARAMETERS {
            Err(too_many())
        } else {
            parsed(&String::from_utf8_lossy(&value))
        };
        match url {
            Ok(url) => urls.push(url.to_string()),
            Err(what) => problems.push(Problem { parameter: name, what }),
        }
    }
    if !problems.is_empty() {
        return Err(Refusal::Parameters(problems));
    }
    if urls.is_empty() {
        let what = "found none, allowed at least one; add the URL to warm, encoded once more";
        return Err(Refusal::parameter("url", what));
    }
    Ok(urls)
}

fn parsed(text: &str) -> Result<Url, String> {
    Url::parse(text)
        .ok_or_else(|| format!("found {}, allowed {}; {}", quoted(text), Url::FORM, Url::MEND))
}

fn too_many() -> String {
    format!("found one more, allowed {MAX_PARAMETERS} at once; send the rest with another request")
}
