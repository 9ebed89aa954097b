use expect_test::expect;

use super::*;

/// As ECR spells it, with members and lists as somebody else wrote them.
const THEIRS: &str = r#"{
  "Version" : "2008-10-17",
  "Id" : "theirs",
  "Statement" : [ {
    "Sid" : "Pull",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::444444444444:root"
    },
    "Action" : "ecr:BatchGetImage"
  }, {
    "Sid" : "A",
    "Effect" : "Deny",
    "Principal" : "*",
    "Action" : [ "ecr:PutImage" ]
  } ]
}"#;

fn parse(text: &str) -> Document {
    Document::parse(text).unwrap()
}

fn value(document: &Document) -> Value {
    serde_json::from_str(document.written()).unwrap()
}

#[test]
fn quarantine_adds_one_statement_and_takes_it_out_again() {
    let theirs = parse(THEIRS);
    let quarantined = Document::quarantined(Some(&theirs)).unwrap();
    assert!(quarantined.is_quarantine() && !theirs.is_quarantine());
    expect![[r#"{"Id":"theirs","Statement":[{"Action":"ecr:BatchGetImage","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444444444444:root"},"Sid":"Pull"},{"Action":["ecr:PutImage"],"Effect":"Deny","Principal":"*","Sid":"A"},{"Action":["ecr:BatchGetImage","ecr:BatchImportUpstreamImage","ecr:CompleteLayerUpload","ecr:GetDownloadUrlForLayer","ecr:InitiateLayerUpload","ecr:PutImage","ecr:UploadLayerPart"],"Effect":"Deny","Principal":"*","Sid":"EcrOperatorQuarantine"}],"Version":"2008-10-17"}"#]]
        .assert_eq(quarantined.written());
    let Lifted::Document(lifted) = quarantined.lifted() else {
        panic!("nothing is left")
    };
    assert_eq!(value(&lifted), value(&theirs), "every spelling is kept");
    assert_eq!(lifted, theirs);
    assert_eq!(lifted.lifted(), Lifted::AsItWas);
}

#[test]
fn quarantine_of_no_policy_leaves_no_policy() {
    let quarantined = Document::quarantined(None).unwrap();
    assert!(quarantined.is_quarantine());
    assert_eq!(quarantined.lifted(), Lifted::Nothing);
    let again = Document::quarantined(Some(&quarantined)).unwrap();
    assert_eq!(again, quarantined, "it is put once");
}

#[test]
fn quarantine_that_somebody_edited_is_put_anew_and_lifted() {
    let edited = r#"{"Statement":{"Sid":"EcrOperatorQuarantine","Effect":"Deny","Principal":"*","Action":"ecr:PutImage"}}"#;
    let edited = parse(edited);
    assert!(edited.is_marked() && !edited.is_quarantine());
    let again = Document::quarantined(Some(&edited)).unwrap();
    assert!(again.is_quarantine());
    assert_eq!(edited.lifted(), Lifted::Nothing);
}

#[test]
fn quarantine_that_is_too_long_for_ecr_is_unfit() {
    let long = "x".repeat(LONGEST - 300);
    let text = format!(
        r#"{{"Id":"{long}","Statement":{{"Effect":"Allow","Principal":"*","Action":"ecr:ListImages"}}}}"#
    );
    let unfit = Document::quarantined(Some(&parse(&text))).unwrap_err();
    let Unfit::TooLong { length } = unfit else {
        panic!("{unfit}")
    };
    assert!(length > LONGEST);
}
