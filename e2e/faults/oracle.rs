//! What must hold at the end of every play, whatever went wrong in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use ecr_operator::commands::demo::hand::get;
use ecr_operator::domain::registry::sid;
use ecr_operator::emulator::Entry;
use regex_lite::Regex;
use serde_json::{Value, json};

use super::case::{Case, PERIOD, REPOSITORY};
use super::operator::Operator;
use super::play::Progress;

/// The end state: what is in ECR and what the objects that are `left` show, without what is another in
/// every run.
pub(super) async fn end(case: &Case, left: &[(&str, &str)]) -> Value {
    let address = case.emulator.address().to_string();
    let state = get(&address, "/_emulator/state").await.unwrap();
    let state: Value = serde_json::from_str(&state).unwrap();
    let mut end = json!({"ecr": state["registries"]});
    for &(kind, name) in left {
        let object = case.get(kind, name).await;
        end[format!("{kind} {name}")] = json!({
            "finalizers": object["metadata"]["finalizers"],
            "spec": object["spec"],
            "status": object["status"],
        });
    }
    let marked = sid(&case.name.parse().unwrap(), "");
    let text = end.to_string().replace(&case.name, "CASE");
    let text = text.replace(&marked, "EcrOperatorCASE");
    let mut end = serde_json::from_str(&text).unwrap();
    without_chance(&mut end);
    without_looks(&mut end);
    end
}

/// A repository that was made by an operator that died gets its lifecycle policy from the next one,
/// which asks ECR for a preview of it; what the looks found stays in status. All of it found nothing.
fn without_looks(value: &mut Value) {
    let Value::Object(members) = value else {
        if let Value::Array(items) = value {
            items.iter_mut().for_each(without_looks);
        }
        return;
    };
    members.remove("preview");
    if members
        .get("lifecycle")
        .is_some_and(|it| it["expiring"] == 0)
    {
        members.remove("lifecycle");
    }
    for count in ["expiring", "held", "transitioning"] {
        if members.get(count) == Some(&json!(0)) {
            members.remove(count);
        }
    }
    members.values_mut().for_each(without_looks);
}

/// Sees that `end` is what was expected; tells in which lines it is not.
pub(super) fn alike(what: &str, end: &Value, expected: &Value) {
    if end != expected {
        let (end, expected) = (format!("{end:#}"), format!("{expected:#}"));
        let diff = similar::TextDiff::from_lines(&expected, &end);
        panic!("{what} ends unlike:\n{}", diff.unified_diff());
    }
}

/// Puts a word in place of times and unique ids.
fn without_chance(value: &mut Value) {
    static UID: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap()
    });
    match value {
        Value::String(it) if it.parse::<jiff::Timestamp>().is_ok() => "TIME".clone_into(it),
        Value::String(it) if !it.starts_with("arn:") => {
            *it = UID.replace_all(it, "UID").into_owned();
        }
        Value::Array(items) => items.iter_mut().for_each(without_chance),
        Value::Object(members) => members.values_mut().for_each(without_chance),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// No repository was made or deleted twice, none deleted that nobody had deleted, and nothing was
/// said twice but what was not answered and asked again.
pub(super) fn counts(case: &Case, progress: &Progress) {
    let mut said: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for entry in case.writes(progress.began.load(Ordering::Relaxed)) {
        if entry.operation == "DeleteRepository" {
            assert_eq!(
                entry.parameters["repositoryName"],
                format!("{}/job", case.name)
            );
            assert_ne!(entry.parameters["force"], json!(true), "{entry:?}");
            let asked = progress.deleted.load(Ordering::Relaxed);
            assert!(
                asked > 0 && entry.sequence > asked,
                "nobody asked: {entry:?}"
            );
        }
        let what = match entry.operation.as_str() {
            "CreateRepository" | "DeleteRepository" => &entry.parameters["repositoryName"],
            _ => &entry.parameters,
        };
        let Entry {
            account,
            region,
            operation,
            ..
        } = &entry;
        let key = format!("{account} {region} {operation} {what}");
        said.entry(key).or_default().push(entry);
    }
    for (what, entries) in said {
        let lost = entries.iter().filter(|it| is_cut(it)).count();
        assert!(
            entries.len() <= 1 + lost,
            "{}: {what} {} times",
            case.name,
            entries.len()
        );
    }
}

/// Whether its sender was alive, and was not told.
fn is_cut(entry: &Entry) -> bool {
    let fault = entry.fault.as_deref().unwrap_or_default();
    fault == "CutAfter" || fault.starts_with("Garble")
}

/// One repository in every account, and what its object shows, without its name.
pub(super) async fn repository(case: &Case, name: &str) -> Value {
    let full = format!("{}/{name}", case.name);
    let mut shown = json!({"status": case.get(REPOSITORY, name).await["status"]});
    let address = case.emulator.address().to_string();
    let state = get(&address, "/_emulator/state").await.unwrap();
    let state: Value = serde_json::from_str(&state).unwrap();
    for (registry, holds) in state["registries"].as_object().unwrap() {
        shown[registry] = holds["repositories"][&full].clone();
    }
    shown["status"]["observedGeneration"] = Value::Null;
    let text = shown.to_string().replace(&full, "NAME");
    let mut shown = serde_json::from_str(&text).unwrap();
    without_chance(&mut shown);
    without_looks(&mut shown);
    without_generations(&mut shown);
    shown
}

/// A fresh object has been edited less often.
fn without_generations(value: &mut Value) {
    let conditions = value["status"]["conditions"].as_array_mut();
    for condition in conditions.into_iter().flatten() {
        condition["observedGeneration"] = Value::Null;
    }
}

/// The world comes to rest: over two sweeps of every account nothing is written, neither to AWS nor
/// to the API server, and what is read is bounded by the sweeps.
pub(super) async fn quiet(case: &Case, operator: &Operator, accounts: &[&str]) {
    const PATIENCE: usize = 10;
    for _ in 0..PATIENCE {
        let (since, before) = (case.now(), operator.view.writes());
        swept(case, accounts).await;
        if case.writes(since).is_empty() && operator.view.writes() == before {
            return little_is_read(case, since);
        }
    }
    let (writes, view) = (case.writes(0), operator.view.writes());
    panic!("{} does not come to rest: {writes:#?} {view:#?}", case.name);
}

/// Each operator, in each registry, reads what its own sweeps need, and asks IAM each question once.
fn little_is_read(case: &Case, since: u64) {
    let mut read: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut asked = BTreeSet::new();
    for entry in case.emulator.journal().since(since) {
        // Preflight follows changes of objects, not sweeps: at most one may end while all is quiet.
        if entry.operation == "SimulatePrincipalPolicy" {
            let question = format!("{} {}", entry.caller, entry.parameters);
            assert!(
                asked.insert(question),
                "{}: preflight asked twice: {entry:?}",
                case.name
            );
            continue;
        }
        let registry = (entry.caller.clone(), entry.region.clone());
        read.entry(registry).or_default().push(entry);
    }
    for (registry, reads) in read {
        // One may have been under way already.
        let sweeps = 1 + sweeps(&reads);
        let mut said: BTreeMap<_, usize> = BTreeMap::new();
        for entry in &reads {
            let name = entry.parameters["repositoryName"].as_str();
            *said.entry((&*entry.operation, name)).or_default() += 1;
        }
        let names: BTreeSet<_> = said.keys().filter_map(|(_, name)| *name).collect();
        let wholes = said.keys().filter(|(_, name)| name.is_none()).count();
        // A sweep asks once for each list and for whatever a registry has one of, and reads two
        // documents of each repository. There are pages, and sessions that end.
        let most = sweeps * (1 + wholes + 2 * names.len());
        assert!(
            reads.len() <= most,
            "{}: {registry:?} has {} reads in {sweeps} sweeps: {said:#?}",
            case.name,
            reads.len()
        );
    }
}

/// How often the registry was swept, at most.
fn sweeps(reads: &[Entry]) -> usize {
    let lists = reads.iter().filter(|it| is_list(it)).count();
    if lists > 0 {
        return lists;
    }
    // One without repositories of ours is not listed; its settings are looked at in every period.
    let [first, .., last] = reads else { return 1 };
    let passed = last.time.duration_since(first.time).as_millis();
    usize::try_from(passed / PERIOD.as_millis().cast_signed()).unwrap() + 1
}

/// Whether the whole registry is listed with it.
fn is_list(entry: &Entry) -> bool {
    entry.operation == "DescribeRepositories" && entry.parameters["repositoryNames"].is_null()
}

/// Waits until each account has been swept twice from beginning to end.
async fn swept(case: &Case, accounts: &[&str]) {
    let now = case.emulator.journal().last();
    for account in accounts {
        let mut since = now;
        // The first list may be the end of a sweep, and the third is the end of two others.
        for _ in 0..3 {
            let list = |it: &Entry| it.sequence > since && it.account == *account && is_list(it);
            since = case.heard("sweep", list).await.sequence;
        }
    }
}
