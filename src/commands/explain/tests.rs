use std::sync::{Arc, Mutex};

use expect_test::expect;

use super::*;
use crate::domain::rewrite::{Cache, Mode, OnUnknown, Policy, Trust};

fn compiled() -> Compiled {
    let policy = Policy {
        name: "prod".to_owned(),
        registry: crate::domain::Registry::new(
            "333333333333".parse().unwrap(),
            "eu-central-1".parse().unwrap(),
        ),
        mode: Mode::Audit,
        exclude: vec!["quay.io/*".parse().unwrap()],
        on_unknown: OnUnknown::Keep,
    };
    let cache = Cache {
        rule: "hub".to_owned(),
        hosts: vec!["docker.io".to_owned()],
        prefix: "docker-hub".parse().unwrap(),
        upstream_prefix: "ROOT".parse().unwrap(),
        trust: Trust::CachedOnly,
    };
    Compiled::new(policy, Vec::new(), vec![cache])
}

fn answers(input: &[u8], output: Output) -> String {
    let policy = compiled();
    let lens = Lens {
        policy: Some(&policy),
        namespace: "default",
    };
    let mut out = Vec::new();
    answer_lines(input, &lens, output, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_line_has_one_answer_whatever_is_wrong_with_it() {
    let input = b"nginx:1\n\nquay.io/a\r\n\xff\xfe\na\0b\n x \n\rx\nx\r\r\n-\nlast";
    let answers = answers(input, Output::Json);
    let parsed = answers.lines().map(|it| serde_json::from_str(it).unwrap());
    let told: Vec<(String, String)> = parsed
        .map(|it: serde_json::Value| {
            let text = |field: &str| {
                it.get(field)
                    .and_then(|it| it.as_str())
                    .unwrap_or("-")
                    .to_owned()
            };
            assert_eq!(it.get("error").is_some(), text("decision").is_empty());
            (text("image"), text("reason"))
        })
        .collect();
    let expected = [
        ("nginx:1", "PullThrough"),
        ("", ""),
        ("quay.io/a", "Excluded"),
        ("\u{fffd}\u{fffd}", ""),
        ("a\0b", ""),
        (" x ", ""),
        ("\rx", ""),
        ("x\r", ""),
        ("-", ""),
        ("last", "PullThrough"),
    ];
    assert_eq!(
        told,
        expected.map(|(image, reason)| (image.to_owned(), reason.to_owned()))
    );
}

#[test]
fn a_line_longer_than_any_object_is_cut_and_the_next_one_is_read() {
    let longest = usize::try_from(LONGEST_LINE).unwrap();
    for length in [longest - 1, longest, longest + 1, 3 * longest] {
        let input = [&b"a".repeat(length)[..], b"\nnginx\n"].concat();
        let answers = answers(&input, Output::Json);
        let lines: Vec<&str> = answers.lines().collect();
        assert_eq!(lines.len(), 2, "{length}");
        assert!(lines[0].contains("\"error\":"), "{length}");
        assert!(lines[1].contains("docker-hub/library/nginx"), "{length}");
    }
}

#[test]
fn json_has_every_field_as_text_and_an_error_only_where_there_is_one() {
    expect![[r#"
        {"image":"nginx","registry":"docker.io","repository":"library/nginx","tag":"","digest":"","decision":"rewrite","target":"333333333333.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/nginx","rule":"PullThroughRule hub","reason":"PullThrough"}
        {"image":"Foo","registry":"","repository":"","tag":"","digest":"","decision":"","target":"","rule":"","reason":"","error":"an upper-case letter in the repository name, at byte 0"}
    "#]].assert_eq(&answers(b"nginx\nFoo\n", Output::Json));
}

#[test]
fn text_tells_people_what_runs_by_which_rule_and_why() {
    expect![[r#"

        nginx    rewritten    [PullThrough]
          means     docker.io/library/nginx
          runs      333333333333.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/nginx
          rule      PullThroughRule hub
          why       a pull-through cache has the image
          if not    kept [NotCached]: the tag is not cached yet, and trustUpstream of the PullThroughRule is Disabled

        quay.io/a/b:1    kept    [Excluded]
          why       spec.exclude of the policy names the image

        "a\u{1b}[31mb"    no image reference
          why       a character that no repository name has, at byte 1
    "#]].assert_eq(&answers(
        b"nginx\nquay.io/a/b:1\na\x1b[31mb\n",
        Output::Text,
    ));
    let policy = compiled();
    let lens = Lens {
        policy: Some(&policy),
        namespace: "default",
    };
    let mut out = Vec::new();
    answer::write_heading(&lens, &mut out).unwrap();
    expect![[r#"
        Policy prod (Audit: pods stay as they are), registry 333333333333/eu-central-1
        No registry was asked: images count as being where their rules lead
    "#]]
    .assert_eq(&String::from_utf8(out).unwrap());
}

#[test]
fn without_a_policy_references_are_still_read() {
    let lens = Lens {
        policy: None,
        namespace: "default",
    };
    let mut out = Vec::new();
    answer_one(b"nginx", &lens, Output::Json, &mut out).unwrap();
    expect![[r#"
        {"image":"nginx","registry":"docker.io","repository":"library/nginx","tag":"","digest":"","decision":"keep","target":"","rule":"","reason":"NoRule"}
    "#]].assert_eq(&String::from_utf8(out).unwrap());
}

/// Gives one line at a time and notes what had been answered when it was asked for the next.
struct Conversation {
    lines: Vec<&'static str>,
    answered: Arc<Mutex<Vec<u8>>>,
    seen: Arc<Mutex<Vec<usize>>>,
}

impl Read for Conversation {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let answered = self.answered.lock().unwrap();
        let lines = answered.iter().filter(|it| **it == b'\n').count();
        self.seen.lock().unwrap().push(lines);
        let Some(line) = self.lines.pop() else {
            return Ok(0);
        };
        buffer[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_answer_is_given_before_the_next_question_is_waited_for() {
    let answered = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let input = Conversation {
        lines: vec!["nginx\n", "redis\n"],
        answered: Arc::clone(&answered),
        seen: Arc::clone(&seen),
    };
    let policy = compiled();
    let lens = Lens {
        policy: Some(&policy),
        namespace: "default",
    };
    let mut out = BufWriter::new(Shared(answered));
    answer_lines(input, &lens, Output::Json, &mut out).unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2]);
}
