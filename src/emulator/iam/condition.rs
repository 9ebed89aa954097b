//! Condition operators.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use std::collections::BTreeMap;

/// What is known of a request, by condition key in lower case.
pub(crate) type Context = BTreeMap<String, Vec<String>>;

type Test = fn(&str, &str) -> bool;

/// Whether all conditions of a statement hold.
pub(super) fn hold(
    conditions: &BTreeMap<String, BTreeMap<String, Vec<String>>>,
    context: &Context,
) -> bool {
    conditions.iter().all(|(operator, keys)| {
        keys.iter()
            .all(|(key, values)| holds(operator, values, context.get(&key.to_lowercase())))
    })
}

/// Whether there is an operator of this name.
pub(super) fn is_operator(name: &str) -> bool {
    let (_, name) = quantifier(name);
    matches!(name, "Null" | "IpAddress" | "NotIpAddress") || test(bare(name).0).is_some()
}

fn holds(operator: &str, values: &[String], given: Option<&Vec<String>>) -> bool {
    let (quantifier, name) = quantifier(operator);
    if name == "Null" {
        let expected_absent = values.iter().any(|it| it == "true");
        return given.is_none() == expected_absent;
    }
    let (name, if_exists) = bare(name);
    // Addresses are those of the loopback interface, about which no policy says anything useful.
    let Some((test, negated)) = test(name) else {
        return false;
    };
    let Some(given) = given else {
        return if_exists || negated || quantifier == Some("ForAllValues");
    };
    let one = |it: &String| values.iter().any(|value| test(value, it)) != negated;
    match quantifier {
        Some("ForAllValues") => given.iter().all(one),
        _ => given.iter().any(one),
    }
}

fn quantifier(operator: &str) -> (Option<&str>, &str) {
    match operator.split_once(':') {
        Some((quantifier @ ("ForAllValues" | "ForAnyValue"), name)) => (Some(quantifier), name),
        _ => (None, operator),
    }
}

fn bare(name: &str) -> (&str, bool) {
    name.strip_suffix("IfExists")
        .map_or((name, false), |it| (it, true))
}

/// The comparison of an operator, and whether its answer is turned round.
fn test(name: &str) -> Option<(Test, bool)> {
    Some(match name {
        "StringEquals" | "BinaryEquals" => (equal, false),
        "StringNotEquals" => (equal, true),
        "StringEqualsIgnoreCase" | "Bool" => (equal_ignoring_case, false),
        "StringNotEqualsIgnoreCase" => (equal_ignoring_case, true),
        "StringLike" | "ArnLike" | "ArnEquals" => (like, false),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => (like, true),
        "NumericEquals" => (|value, it| number(it) == number(value), false),
        "NumericNotEquals" => (|value, it| number(it) == number(value), true),
        "NumericLessThan" => (|value, it| number(it) < number(value), false),
        "NumericLessThanEquals" => (|value, it| number(it) <= number(value), false),
        "NumericGreaterThan" => (|value, it| number(it) > number(value), false),
        "NumericGreaterThanEquals" => (|value, it| number(it) >= number(value), false),
        // Times in one spelling compare as texts.
        "DateEquals" => (equal, false),
        "DateNotEquals" => (equal, true),
        "DateLessThan" => (|value, it| it < value, false),
        "DateLessThanEquals" => (|value, it| it <= value, false),
        "DateGreaterThan" => (|value, it| it > value, false),
        "DateGreaterThanEquals" => (|value, it| it >= value, false),
        _ => return None,
    })
}

fn equal(value: &str, given: &str) -> bool {
    value == given
}

fn equal_ignoring_case(value: &str, given: &str) -> bool {
    value.eq_ignore_ascii_case(given)
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Whether `text` fits `pattern`, in which `*` is any text and `?` any character.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(it) if *it == '?' || *it == text[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                // Let the last star take one character more, and try again behind it.
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|it| *it == '*')
}
