//! Laws of the canonical form, over policies that nobody thought of.

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn principals() -> impl Strategy<Value = BTreeSet<Principal>> {
    let principal = prop_oneof![
        Just("*".to_owned()),
        "[12]{12}",
        "arn:aws:iam::[12]{12}:role/[ab]{1,2}",
        "(lambda|ecs)\\.amazonaws\\.com",
    ];
    btree_set(principal.prop_map(|it| it.parse().unwrap()), 1..4)
}

fn actions() -> impl Strategy<Value = BTreeSet<Action>> {
    let action = prop_oneof![
        Just("ecr:BatchGetImage".to_owned()),
        Just("ecr:PutImage".to_owned()),
        "ecr:[A-Za-z*]{1,4}",
    ];
    btree_set(action.prop_map(|it| it.parse().unwrap()), 1..4)
}

fn condition() -> impl Strategy<Value = Condition> {
    (
        prop_oneof![Just("StringEquals"), Just("StringLike"), Just("Bool")],
        prop_oneof![
            Just("aws:PrincipalOrgID"),
            Just("aws:SourceArn"),
            Just("a:b/C")
        ],
        btree_set("[a-c*]{1,3}|true", 1..3),
    )
        .prop_map(|(operator, key, values)| Condition {
            operator: operator.to_owned(),
            key: key.to_owned(),
            values,
        })
}

fn statement() -> impl Strategy<Value = Statement> {
    (
        option::of("[A-D]"),
        prop_oneof![Just(Effect::Allow), Just(Effect::Deny)],
        principals(),
        actions(),
        option::of(condition()),
    )
        .prop_map(|(sid, effect, principals, actions, condition)| Statement {
            sid,
            effect,
            principals,
            actions,
            conditions: condition.into_iter().collect(),
        })
}

/// Documents that ECR takes, from statements with unique sids.
fn document() -> impl Strategy<Value = Document> {
    vec(statement(), 1..5).prop_filter_map("unique sids", |it| Document::from_statements(&it).ok())
}

/// The same policy as ECR may answer with it: lists turned round, lists of one as plain strings,
/// accounts as root ARNs, keys in another case, spread over many lines.
fn as_ecr_answers(value: Value, spelling: &Spelling) -> Value {
    match value {
        Value::String(text) if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) => {
            if spelling.root_arns {
                json!(format!("arn:aws:iam::{text}:root"))
            } else {
                json!(text)
            }
        }
        Value::Array(list) => {
            let mut list: Vec<_> = list
                .into_iter()
                .map(|it| as_ecr_answers(it, spelling))
                .collect();
            if spelling.repeated {
                list.extend_from_within(..1);
            }
            if spelling.reversed {
                list.reverse();
            }
            match <[Value; 1]>::try_from(list) {
                Ok([one]) if spelling.unwrapped => one,
                Ok(one) => Value::Array(one.into()),
                Err(list) => Value::Array(list),
            }
        }
        Value::Object(object) => object
            .into_iter()
            .map(|(key, value)| (key, as_ecr_answers(value, spelling)))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

#[derive(Clone, Debug)]
struct Spelling {
    root_arns: bool,
    repeated: bool,
    reversed: bool,
    unwrapped: bool,
}

fn spelling() -> impl Strategy<Value = Spelling> {
    any::<[bool; 4]>().prop_map(|[root_arns, repeated, reversed, unwrapped]| Spelling {
        root_arns,
        repeated,
        reversed,
        unwrapped,
    })
}

proptest! {
    #[test]
    fn what_was_sent_is_recognised_however_ecr_spells_it(it in document(), spelling in spelling()) {
        let answered = as_ecr_answers(serde_json::from_str(it.as_str()).unwrap(), &spelling);
        let answered = serde_json::to_string_pretty(&answered).unwrap();
        prop_assert_eq!(Document::parse(&answered).unwrap(), it);
    }

    #[test]
    fn the_canonical_form_of_the_canonical_form_is_itself(text in any_json()) {
        if let Ok(document) = Document::parse(&text) {
            document.admits(); // whatever it is, looking at it does not panic
            prop_assert_eq!(Document::parse(document.as_str()).unwrap(), document);
        }
    }
}

/// JSON that has a policy's names in it, at the right and at the wrong places.
fn any_json() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("*".to_owned()),
        Just("Allow".to_owned()),
        Just("AWS".to_owned()),
        Just("123456789012".to_owned()),
        Just("ecr:putimage".to_owned()),
        "[a-z]{0,3}",
    ];
    let name = prop_oneof![
        Just("Statement".to_owned()),
        Just("Effect".to_owned()),
        Just("Principal".to_owned()),
        Just("Action".to_owned()),
        Just("Condition".to_owned()),
        Just("AWS".to_owned()),
        Just("Sid".to_owned()),
        "[a-z]{1,2}",
    ];
    let leaf = prop_oneof![
        word.prop_map(Value::from),
        any::<u8>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from)
    ];
    let value = leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name.clone(), inner), 0..5).prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    });
    value.prop_map(|value| {
        json!({"Statement": [{"Effect": "Allow", "Principal": &value}, value]}).to_string()
    })
}
