//! What of an edge is right, missing, or changed by others.

use serde::Serialize;
use tidegate_core::config::DistributionId;
use tidegate_core::edge::pointer_key;

use super::fits::{obstacles, unmanaged};
use super::found::FoundEdge;
use super::spec::{EdgeSpec, NOT_FOUND_ERRORS};
use crate::cloudfront::{EdgeDistribution, ErrorPage, FoundEdgeFunction, ViewerEvent};

/// The state of a part of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeItemState {
    /// It is as it should be.
    Right,
    /// It needs attention, and the edge works.
    Note,
    /// It does not exist.
    Missing,
    /// It is something else.
    Changed,
}

/// A part of an edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EdgeItem {
    /// What it is.
    pub item: String,
    /// Its state.
    pub state: EdgeItemState,
    /// What is wrong with it; empty for what is right.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

fn item(item: impl Into<String>, state: EdgeItemState, message: impl Into<String>) -> EdgeItem {
    EdgeItem { item: item.into(), state, message: message.into() }
}

/// Every part of an edge with its state.
#[must_use]
pub fn check(spec: &EdgeSpec, found: &FoundEdge) -> Vec<EdgeItem> {
    let mut items = Vec::new();
    store(&mut items, spec, found);
    for (stage, current) in [("function, as changed last", &found.development), ("function", &found.live)] {
        items.push(function(stage, current.as_ref(), spec, found));
    }
    if !spec.headers.is_empty() {
        let name = format!("response headers policy `{}`", spec.name);
        items.push(match &found.headers_policy {
            None => item(name, EdgeItemState::Missing, "it does not exist"),
            Some(policy) if policy.has(&spec.headers) => item(name, EdgeItemState::Right, ""),
            Some(_) => item(name, EdgeItemState::Changed, "it does not add the headers of the live release"),
        });
    }
    items.extend(
        unmanaged(spec, found).into_iter().map(|error| item("names", EdgeItemState::Changed, error.to_string())),
    );
    for (id, path) in &spec.distributions {
        let name = format!("distribution `{id}`");
        let problems = obstacles(spec, found, id, path).into_iter();
        items.extend(problems.map(|error| item(&name, EdgeItemState::Changed, error.to_string())));
        if let Some(current) = found.distributions.get(id) {
            distribution(&mut items, spec, found, (id, current));
        }
    }
    items
}

fn store(items: &mut Vec<EdgeItem>, spec: &EdgeSpec, found: &FoundEdge) {
    let Some(store) = &found.store else {
        items.push(item(
            "key value store",
            EdgeItemState::Missing,
            "it does not exist; visitors get the pages in place",
        ));
        return;
    };
    let name = format!("key value store `{}`", store.name);
    if !store.ready {
        items.push(item(&name, EdgeItemState::Missing, "CloudFront is still creating it"));
    }
    match &spec.store {
        Some(configured) if configured.as_str() != store.arn => items.push(item(
            &name,
            EdgeItemState::Changed,
            format!("the configuration names a store that does not exist; set `store = \"{}\"`", store.arn),
        )),
        Some(_) => items.push(item(&name, EdgeItemState::Right, "")),
        None => items.push(item(
            &name,
            EdgeItemState::Missing,
            format!("publishes do not write to it; set `store = \"{}\"` in `[site.edge]`", store.arn),
        )),
    }
    let key = pointer_key(&spec.site);
    let name = format!("key `{key}`");
    match (&found.pointer, spec.keys.get(&key)) {
        (None, _) => {
            let message = "it is gone; the function serves the pages in place, without rules";
            items.push(item(name, EdgeItemState::Missing, message));
        }
        (Some(found), Some(wanted)) if found != wanted => {
            items.push(item(name, EdgeItemState::Changed, "it does not say what the live release says"));
        }
        (Some(_), _) => items.push(item(name, EdgeItemState::Right, "")),
    }
}

fn function(stage: &str, current: Option<&FoundEdgeFunction>, spec: &EdgeSpec, found: &FoundEdge) -> EdgeItem {
    let name = format!("{stage} `{}`", spec.name);
    let Some(current) = current else { return item(name, EdgeItemState::Missing, "it does not exist") };
    let store = found.store.as_ref().map(|store| &store.arn);
    if current.function.code != spec.code {
        return item(name, EdgeItemState::Changed, "its code is not that of this version of Tidegate");
    }
    if current.function.store.as_ref() != store {
        return item(name, EdgeItemState::Changed, "it reads another key value store, or none");
    }
    item(name, EdgeItemState::Right, "")
}

fn distribution(
    items: &mut Vec<EdgeItem>,
    spec: &EdgeSpec,
    found: &FoundEdge,
    (id, current): (&DistributionId, &EdgeDistribution),
) {
    let own = current.function_arn(&spec.name);
    for event in ViewerEvent::ALL {
        let name = format!("distribution `{id}`: function at {}", event.as_str());
        match current.functions.get(&event) {
            Some(function) if *function == own => items.push(item(name, EdgeItemState::Right, "")),
            // An obstacle, which is reported with its remedy.
            Some(_) => {}
            None => items.push(item(name, EdgeItemState::Missing, "the distribution runs no function")),
        }
    }
    for error in NOT_FOUND_ERRORS {
        let Some(page) = &spec.error_page else { break };
        let name = format!("distribution `{id}`: page instead of {error}");
        items.push(match current.error_pages.get(&error) {
            None => item(name, EdgeItemState::Missing, "visitors see the error of S3"),
            Some(found) if *found == ErrorPage::not_found(page) => item(name, EdgeItemState::Right, ""),
            Some(_) => item(name, EdgeItemState::Changed, format!("it is not `{page}` with 404, kept for 10 seconds")),
        });
    }
    if !spec.headers.is_empty() {
        let name = format!("distribution `{id}`: response headers policy");
        let policy = found.headers_policy.as_ref().map(|policy| &policy.id);
        items.push(match &current.headers_policy {
            None => item(name, EdgeItemState::Missing, "the headers of `/*` are not added"),
            Some(id) if Some(id) == policy => item(name, EdgeItemState::Right, ""),
            Some(_) => item(name, EdgeItemState::Changed, "it is another policy"),
        });
    }
    let name = format!("distribution `{id}`: default root object");
    items.push(match &current.root_object {
        Some(_) => item(name, EdgeItemState::Right, ""),
        None => item(name, EdgeItemState::Missing, "with a right to list, `/` would list the bucket"),
    });
    for path in &current.other_paths {
        let message = "it reads the bucket without the function, so it knows no rules and no releases";
        items.push(item(format!("distribution `{id}`: behavior `{path}`"), EdgeItemState::Note, message));
    }
    if !current.deployed {
        let message = "a change is on its way to the edge locations";
        items.push(item(format!("distribution `{id}`"), EdgeItemState::Note, message));
    }
}
