//! A plan as JSON Lines: one object a target, then one of what they come to. Fields are only ever
//! added; `schemaVersion` changes if one is taken away or changes its meaning.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::report::{Report, Row};
use crate::domain::repository::Difference;

const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
enum Line<'a> {
    Target {
        schema_version: u32,
        kind: &'a str,
        object: &'a str,
        environment: &'a str,
        account: &'a str,
        region: &'a str,
        outcome: &'a str,
        calls: &'a [&'static str],
        differences: Vec<Differs<'a>>,
        refused: Vec<Refusal<'a>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        previewed: Vec<Preview<'a>>,
    },
    Unread {
        schema_version: u32,
        environment: &'a str,
        account: &'a str,
        region: &'a str,
        targets: usize,
        reason: String,
        message: String,
    },
    Summary {
        schema_version: u32,
        objects: usize,
        registries: usize,
        outcomes: BTreeMap<&'static str, usize>,
        writes: BTreeMap<&'static str, usize>,
        calls_made: u64,
        seconds: f64,
    },
}

#[derive(Serialize)]
struct Differs<'a> {
    field: &'a str,
    observed: &'a str,
    desired: &'a str,
}

#[derive(Serialize)]
struct Refusal<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    reason: String,
    message: &'a str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    would_take: Option<WouldTake>,
}

/// How much a lifecycle policy would take.
#[derive(Serialize)]
struct WouldTake {
    images: usize,
    expiring: usize,
    transitioning: usize,
}

#[derive(Serialize)]
struct Preview<'a> {
    field: &'a str,
    message: &'a str,
}

/// Writes every target and the summary.
pub(super) fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for object in &report.objects {
        for row in &object.rows {
            line(&target(object.kind.as_str(), &object.name, row), out)?;
        }
    }
    for it in &report.unread {
        let unread = Line::Unread {
            schema_version: SCHEMA_VERSION,
            environment: &it.environment,
            account: it.registry.account.as_str(),
            region: it.registry.region.as_str(),
            targets: it.targets,
            reason: format!("{:?}", it.reason()),
            message: it.error.to_string(),
        };
        line(&unread, out)?;
    }
    let outcomes = report.outcomes().into_iter();
    let summary = Line::Summary {
        schema_version: SCHEMA_VERSION,
        objects: report.objects.len(),
        registries: report.registries,
        outcomes: outcomes.map(|(it, count)| (it.as_str(), count)).collect(),
        writes: report.writes(),
        calls_made: report.calls,
        seconds: report.elapsed.as_secs_f64(),
    };
    line(&summary, out)
}

fn target<'a>(kind: &'a str, object: &'a str, row: &'a Row) -> Line<'a> {
    let registry = row.registry.as_ref();
    let differs = |it: &'a Difference| Differs {
        field: it.field,
        observed: &it.observed,
        desired: &it.desired,
    };
    let refusals = row.refused.iter().map(|it| Refusal {
        field: it.field,
        reason: format!("{:?}", it.reason),
        message: &it.message,
        would_take: it.counts.map(|it| WouldTake {
            images: it.images,
            expiring: it.expiring,
            transitioning: it.transitioning,
        }),
    });
    let previewed = row.previewed.iter();
    let previewed = previewed.map(|(field, message)| Preview { field, message });
    Line::Target {
        schema_version: SCHEMA_VERSION,
        kind,
        object,
        environment: &row.environment,
        account: registry.map_or("", |it| it.account.as_str()),
        region: registry.map_or("", |it| it.region.as_str()),
        outcome: row.outcome.as_str(),
        calls: &row.calls,
        differences: row.differences.iter().map(differs).collect(),
        refused: refusals.collect(),
        previewed: previewed.collect(),
    }
}

fn line(it: &Line<'_>, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, it)?;
    out.write_all(b"\n")
}
