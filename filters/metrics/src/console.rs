//! The console: one page for people, which asks the operations endpoints for what it shows.
//!
//! The page itself holds no data and is the same for everybody, so it needs no token: it asks for one, and sends it
//! with each request as `x-weir-token`. Where access is by address alone it is told that none is needed.
//! It asks nobody but this gateway, and its policy allows it nothing else: no other script, no other host, no frame.
//!
//! What another site can do with it is nothing: a page of another site cannot send the header, nor show this one in a
//! frame, and a browser sends no token by itself.

mod page;
pub mod settings;
mod trim;

use std::cell::OnceCell;

use kit::Reply;
use kit::operations::json::{ok, put_some};
use kit::operations::openapi::shape::{Shape, has, may_have};
use kit::operations::openapi::{Gives, Operation};
use serde_json::{Map, Value};

use page::Page;
use settings::Settings;

/// What the index and the OpenAPI document list.
pub const OPERATIONS: [Operation; 2] = [
    Operation::get("/console", "the page for people", Gives::Page).open(),
    Operation::get(
        "/console/settings",
        "where the console finds the endpoints of the other filters",
        Gives::Json(&Shape::Object(&[&[
            has("version", Shape::Text),
            may_have("health", Shape::Text),
            may_have("limits", Shape::Text),
            may_have("cache", Shape::Text),
            may_have("breakers", Shape::Text),
        ]])),
    ),
];

/// The console of one worker.
#[derive(Debug)]
pub struct Console {
    /// What it shows.
    pub settings: Settings,
    page: OnceCell<Page>,
}

impl Console {
    /// A console that shows this.
    pub const fn new(settings: Settings) -> Self {
        Self { settings, page: OnceCell::new() }
    }

    /// The page; `needs_token` says whether whoever asks has to give one.
    ///
    /// **Cost**: a copy of the page; two hashes over it the first time.
    pub fn page(&self, needs_token: bool) -> Reply {
        self.page.get_or_init(Page::new).reply(needs_token)
    }

    /// What the page needs to know; `health` is the path that health is told below, if it is.
    pub fn told(&self, health: Option<&str>) -> Reply {
        let mut object = Map::new();
        let version = ("version", env!("CARGO_PKG_VERSION"));
        let health = health.map(|path| ("health", path));
        for (name, text) in [version].into_iter().chain(health).chain(self.settings.named()) {
            put_some(&mut object, name, Some(text));
        }
        ok(&Value::Object(object))
    }
}
