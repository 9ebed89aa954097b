//! The tables that `kubectl get` prints: the API server makes them, and they are read here as sent.

use axum::http::Request;
use expect_test::expect_file;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::session::{FULL, Keep, Session, documents};

#[tokio::test]
async fn a_table_says_what_is_where_and_why() {
    let session = Session::open().await;
    let mut tables = String::new();
    for mut object in documents(FULL) {
        object["metadata"]["name"] = json!("shown");
        session.apply(&object, Keep::Stored).await.unwrap();
        let status = json!({"status": status(object["kind"].as_str().unwrap())});
        let (api, params) = (session.api(&object), PatchParams::default());
        let stored = api
            .patch_status("shown", &params, &Patch::Merge(&status))
            .await
            .unwrap();
        tables += &table(&session, &format!("{}/shown", api.resource_url())).await;
        assert_eq!(stored.data["status"], status["status"], "nothing is pruned");
        session.delete(&object).await;
    }
    expect_file!["columns.txt"].assert_eq(&tables);
}

/// What the controllers write, with the fields that columns show.
fn status(kind: &str) -> Value {
    let time = "2026-11-22T11:00:00Z";
    let mut status = json!({"observedGeneration": 1, "conditions": [{
        "type": "Ready", "status": "False", "reason": "NotGranted", "message": "no",
        "lastTransitionTime": time, "observedGeneration": 1,
    }]});
    let target = |record: Value| {
        json!([{
            "environment": "dev", "region": "eu-central-1", "state": "Ready", "reason": "Succeeded",
            "message": "as asked", "arn": "arn:aws:ecr:eu-central-1:111111111111:repository/a/b",
            "uri": "111111111111.dkr.ecr.eu-central-1.amazonaws.com/a/b",
            "differences": [{"field": "tags", "observed": "a", "desired": "b"}], "record": record,
        }])
    };
    let more = match kind {
        "EnvironmentAccount" => json!({
            "identityArn": "arn:aws:sts::333333333333:assumed-role/ecr-operator/x",
            "repositories": 2,
            "registries": [{"region": "us-east-1", "uri": "x", "state": "Ready"}],
            "preflight": [{
                "purpose": "Nodes", "role": "arn:aws:iam::333333333333:role/eks/nodes",
                "state": "Missing", "missingAction": "ecr:BatchGetImage", "missingResource": "x",
                "policy": "{}", "message": "no policy of the role allows it",
            }],
        }),
        "ImageRepository" => json!({
            "repositoryName": "payments/checkout__v2", "targetsReady": "1/2",
            "targets": target(json!({"documents": ["RepositoryPolicy"], "tagKeys": ["team"]})),
        }),
        "PullThroughRule" => json!({
            "ecrRepositoryPrefix": "hub", "targetsReady": "1/2", "targetsValid": "0/2",
            "targets": target(json!({
                "accountId": "111111111111", "ecrRepositoryPrefix": "hub",
                "upstreamRegistryUrl": "registry-1.docker.io", "upstreamRepositoryPrefix": "ROOT",
                "valid": false, "prewarmed": ["library/nginx:1.27"],
            })),
        }),
        "LifecyclePolicy" => json!({"hash": "sha256:0123", "repositories": 7}),
        "ImageAdmissionPolicy" => {
            let mut conditions = status["conditions"].clone();
            let reached = json!({"type": "AdmissionReachable", "status": "True", "reason": "Succeeded",
                "message": "yes", "lastTransitionTime": time});
            conditions.as_array_mut().unwrap().push(reached);
            json!({"registry": "x", "conditions": conditions})
        }
        other => panic!("{other} is not ours"),
    };
    json_patch::merge(&mut status, &more);
    status
}

/// The table of one object as `kubectl get --output wide` prints it, without its age.
async fn table(session: &Session, url: &str) -> String {
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let request = Request::get(url).header("Accept", accept);
    let request = request.body(Vec::new()).unwrap();
    let table: Value = session.0.request(request).await.unwrap();
    let columns = table["columnDefinitions"].as_array().unwrap().iter();
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    let line = |(column, cell): (&Value, &Value)| {
        let is_wide = column["priority"] != 0;
        let wide = if is_wide { " (wide)" } else { "" };
        let cell = if column["name"] == "Age" {
            &Value::Null
        } else {
            cell
        };
        format!("{}{wide}: {cell}\n", column["name"].as_str().unwrap())
    };
    let lines: String = columns.zip(cells).map(line).collect();
    format!("{lines}\n")
}
