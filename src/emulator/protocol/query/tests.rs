use axum::body::Bytes;
use axum::http::Request;
use serde_json::json;

use super::{escape, read};

#[test]
fn a_form_becomes_nested_members_and_lists() {
    let (parts, ()) = Request::post("/").body(()).unwrap().into_parts();
    let form = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws&RoleSessionName=a+b\
                &Tags.member.2.Key=c&Tags.member.2.Value=d&Tags.member.1.Key=a&Tags.member.1.Value=b";
    let asked = read(&parts, &Bytes::from(form)).unwrap();
    assert_eq!(asked.operation, "AssumeRole");
    assert_eq!(
        asked.input,
        json!({
            "RoleArn": "arn:aws",
            "RoleSessionName": "a b",
            "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}],
        })
    );
}

#[test]
fn text_cannot_break_out_of_its_element() {
    assert_eq!(escape("<a b=\"c\">&"), "&lt;a b=&quot;c&quot;&gt;&amp;");
}
