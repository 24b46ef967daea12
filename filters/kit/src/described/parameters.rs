//! The parameters that describe a request, for the OpenAPI document.

use crate::operations::openapi::{Parameter, Schema};

/// What describes a request, as the operations that take it say so.
pub const PARAMETERS: &[Parameter] = &[
    Parameter::new("method", Schema::Text("POST"), "the method; GET if absent"),
    Parameter::new(
        "path",
        Schema::Text("/login?page=1"),
        "the path with its own query; / if absent",
    ),
    Parameter::new("host", Schema::Text("example.com"), "the host; the operator's if absent"),
    Parameter::new(
        "url",
        Schema::Text("https://example.com/news"),
        "scheme, host and path at once",
    ),
    Parameter::new("address", Schema::Text("192.0.2.1"), "the client's address"),
    Parameter::new("route", Schema::Text("api"), "the route's name in Envoy's configuration"),
    Parameter::new("virtual_host", Schema::Text("shop"), "the virtual host's name"),
    Parameter::new("cluster", Schema::Text("upstream"), "the cluster's name"),
    Parameter::new("claim.NAME", Schema::Text("alice"), "a claim of a verified token"),
    Parameter::new("header.NAME", Schema::Texts("pro"), "values of this request header"),
];
