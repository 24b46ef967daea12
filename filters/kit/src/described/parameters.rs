//! The parameters that describe a request, for the OpenAPI document.

use crate::operations::openapi::{Parameter, Schema};

/// What describes a request, as the operations that take it say so.
pub const PARAMETERS: &[Parameter] = &[
    Parameter { name: "method", schema: Schema::Text, says: "the method; GET if absent" },
    Parameter {
        name: "path",
        schema: Schema::Text,
        says: "the path with its own query; / if absent",
    },
    Parameter { name: "host", schema: Schema::Text, says: "the host; the operator's if absent" },
    Parameter { name: "url", schema: Schema::Text, says: "scheme, host and path at once" },
    Parameter { name: "address", schema: Schema::Text, says: "the client's address" },
    Parameter {
        name: "route",
        schema: Schema::Text,
        says: "the route's name in Envoy's configuration",
    },
    Parameter { name: "virtual_host", schema: Schema::Text, says: "the virtual host's name" },
    Parameter { name: "cluster", schema: Schema::Text, says: "the cluster's name" },
    Parameter { name: "claim.NAME", schema: Schema::Text, says: "a claim of a verified token" },
    Parameter { name: "header.NAME", schema: Schema::Texts, says: "values of this request header" },
];
