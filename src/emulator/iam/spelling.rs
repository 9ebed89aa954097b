//! ECR's own spelling of a policy: members in a fixed order, account ids as root ARNs, principals
//! sorted and a single one without a list, printed as Jackson prints. Whoever compares documents as
//! texts sees a difference where there is none.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::{Document, Principals, Scope, Statement, is_account};

/// The document as ECR gives it back.
pub(crate) fn canonical(document: &Document, partition: &str) -> String {
    let mut members = vec![("Version", text(&document.version))];
    members.extend(document.id.as_deref().map(|it| ("Id", text(it))));
    let statements = document
        .statements
        .iter()
        .map(|it| statement(it, partition))
        .collect();
    members.push(("Statement", Node::List(statements)));
    let mut out = String::new();
    object(members).print(0, &mut out);
    out
}

enum Node {
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

fn text(it: &str) -> Node {
    Node::Text(it.to_owned())
}

fn object(members: Vec<(&str, Node)>) -> Node {
    Node::Object(
        members
            .into_iter()
            .map(|(name, it)| (name.to_owned(), it))
            .collect(),
    )
}

fn statement(statement: &Statement, partition: &str) -> Node {
    let Statement {
        sid,
        allows,
        principal,
        action,
        resource,
        conditions,
        lists,
    } = statement;
    let mut members = Vec::new();
    members.extend(sid.as_deref().map(|it| ("Sid", text(it))));
    members.push(("Effect", text(if *allows { "Allow" } else { "Deny" })));
    members.extend(principal.as_ref().map(|it| match it {
        Scope::Only(it) => ("Principal", principals(it, partition)),
        Scope::AllBut(it) => ("NotPrincipal", principals(it, partition)),
    }));
    members.push(scope(action, ["Action", "NotAction"], lists));
    members.extend(
        resource
            .as_ref()
            .map(|it| scope(it, ["Resource", "NotResource"], lists)),
    );
    if !conditions.is_empty() {
        let operators = conditions.iter().map(|(operator, keys)| {
            let keys = keys
                .iter()
                .map(|(key, values)| (key.as_str(), list(values)));
            (operator.as_str(), object(keys.collect()))
        });
        members.push(("Condition", object(operators.collect())));
    }
    object(members)
}

fn scope<'a>(
    scope: &Scope<Vec<String>>,
    [only, all_but]: [&'a str; 2],
    lists: &BTreeSet<String>,
) -> (&'a str, Node) {
    let (name, words) = match scope {
        Scope::Only(it) => (only, it),
        Scope::AllBut(it) => (all_but, it),
    };
    let node = match lists.contains(name) {
        true => Node::List(words.iter().map(|it| text(it)).collect()),
        false => list(words),
    };
    (name, node)
}

fn principals(principals: &Principals, partition: &str) -> Node {
    let root = |it: &String| {
        if is_account(it) {
            format!("arn:{partition}:iam::{it}:root")
        } else {
            it.clone()
        }
    };
    match principals {
        Principals::Everyone => text("*"),
        Principals::Listed(kinds) => object(
            kinds
                .iter()
                .map(|(kind, it)| {
                    let mut it: Vec<String> = it.iter().map(root).collect();
                    it.sort();
                    it.dedup();
                    (kind.as_str(), list(&it))
                })
                .collect(),
        ),
    }
}

fn list(words: &[String]) -> Node {
    match words {
        [one] => text(one),
        many => Node::List(many.iter().map(|it| text(it)).collect()),
    }
}

impl Node {
    fn print(&self, depth: usize, out: &mut String) {
        match self {
            Self::Text(it) => out.push_str(&Value::from(it.as_str()).to_string()),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { " " } else { ", " });
                    item.print(depth, out);
                }
                out.push_str(" ]");
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, node)) in members.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    let indent = "  ".repeat(depth + 1);
                    write!(out, "{comma}\n{indent}{} : ", Value::from(name.as_str()))
                        .expect("a String takes everything");
                    node.print(depth + 1, out);
                }
                write!(out, "\n{}}}", "  ".repeat(depth)).expect("a String takes everything");
            }
        }
    }
}
