//! What the roles of nodes, builds and the operator itself lack, told before a pull or a push fails.

use ecr_operator::emulator::{Effect, Rule, Seed};
use serde_json::{Value, json};

use super::scene::{SEED, Scene};
use super::{PROD, STAGE};

const NODES: &str = "arn:aws:iam::333333333333:role/eks/nodes";
const PROD_OBJECT: &str = "environmentaccounts.ecr-operator.dev prod";
const STAGE_OBJECT: &str = "environmentaccounts.ecr-operator.dev stage";

pub(super) async fn what_a_role_lacks_is_named_with_the_policy_to_add(scene: &Scene) {
    scene.namespace("lacking").await;
    let spec = json!({"environments": ["prod", "stage"]});
    scene.repository("lacking/api", spec).await;
    scene.apply(CACHE).await;
    let preflight = json!({"preflight": {
        "nodeRoles": [
            NODES,
            "arn:aws:iam::333333333333:role/guarded",
            "arn:aws:iam::333333333333:role/nodes",
            "arn:aws:iam::444444444444:role/nodes",
        ],
        "buildRoles": ["arn:aws:iam::333333333333:role/ci"],
    }});
    scene.edit(PROD_OBJECT, preflight).await;

    let nodes = state(scene, PROD_OBJECT, NODES, "Missing").await;
    assert_eq!(nodes["missingAction"], "ecr:BatchImportUpstreamImage");
    let cache = "arn:aws:ecr:eu-central-1:333333333333:repository/quay/*";
    assert_eq!(nodes["missingResource"], cache);
    let policy: Value = serde_json::from_str(nodes["policy"].as_str().unwrap()).unwrap();
    let statement = json!({
        "Effect": "Allow",
        "Action": ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"],
        "Resource": [cache],
    });
    assert_eq!(
        policy,
        json!({"Version": "2012-10-17", "Statement": [statement]})
    );

    for (role, why) in [
        ("arn:aws:iam::333333333333:role/guarded", "aws:SourceIp"),
        (
            "arn:aws:iam::333333333333:role/nodes",
            "IAM knows no such role",
        ),
        (
            "arn:aws:iam::444444444444:role/nodes",
            "another account's policies",
        ),
    ] {
        let unknown = state(scene, PROD_OBJECT, role, "Unknown").await;
        assert!(
            unknown["message"].as_str().unwrap().contains(why),
            "{unknown}"
        );
        assert_eq!(unknown["missingAction"], Value::Null, "{role}");
    }
    for role in ["role/ci", "role/ecr-operator"] {
        let role = format!("arn:aws:iam::{PROD}:{role}");
        state(scene, PROD_OBJECT, &role, "Allowed").await;
    }

    // The environment is as its spec asks; that pulls will fail is told beside it.
    scene.ready(PROD_OBJECT).await;
    let message = scene.message(PROD_OBJECT).await;
    let told = format!("role {NODES} lacks ecr:BatchImportUpstreamImage on {cache} and 1 more");
    assert!(message.contains(&told), "{message}");
    let event = scene.told("default", "PermissionMissing").await;
    assert!(event.note.unwrap().contains(&told));

    // Somebody adds the policy, and asks to have a look now.
    let mut seed: Value = serde_saphyr::from_str(SEED).unwrap();
    let account = seed["accounts"][PROD].take();
    let mut seed = json!({"accounts": {PROD: account}});
    let policies = &mut seed["accounts"][PROD]["roles"]["eks/nodes"]["policies"];
    policies.as_array_mut().unwrap().push(policy);
    let seed = Seed::parse(&seed.to_string()).unwrap();
    scene.stage.emulator.plant(&seed).unwrap();
    look_again(scene, PROD_OBJECT).await;
    state(scene, PROD_OBJECT, NODES, "Allowed").await;
}

pub(super) async fn where_iam_may_not_be_asked_the_reads_themselves_tell(scene: &Scene) {
    let faults = scene.stage.emulator.faults();
    for operation in ["SimulatePrincipalPolicy", "GetLifecyclePolicy"] {
        faults.add(Rule {
            account: Some(STAGE.to_owned()),
            operation: Some(operation.to_owned()),
            effect: Effect::Deny,
            ..Rule::default()
        });
    }
    let nodes = format!("arn:aws:iam::{STAGE}:role/nodes");
    let preflight = json!({"preflight": {"nodeRoles": [nodes]}});
    scene.edit(STAGE_OBJECT, preflight).await;
    let operator = format!("arn:aws:iam::{STAGE}:role/ecr-operator");
    let lacks = state(scene, STAGE_OBJECT, &operator, "Missing").await;
    assert_eq!(lacks["missingAction"], "ecr:GetLifecyclePolicy");
    for said in [
        "service control policy",
        "learned from its own reads",
        "iam:Simulate",
    ] {
        assert!(lacks["message"].as_str().unwrap().contains(said), "{lacks}");
    }
    assert_eq!(lacks["policy"], Value::Null, "no policy of the role helps");
    let unknown = state(scene, STAGE_OBJECT, &nodes, "Unknown").await;
    assert!(
        unknown["message"].as_str().unwrap().contains("may not ask"),
        "{unknown}"
    );

    faults.clear();
    look_again(scene, STAGE_OBJECT).await;
    state(scene, STAGE_OBJECT, &operator, "Allowed").await;
}

/// Waits until the role is in this state, and gives all that is said of it.
async fn state(scene: &Scene, environment: &str, role: &str, state: &str) -> Value {
    let path = format!(".status.preflight[?(@.role==\"{role}\")]");
    scene
        .waits(environment, &format!("jsonpath={{{path}.state}}={state}"))
        .await;
    let shown = scene.kubectl("get", environment, &["--output=json"]).await;
    let shown: Value = serde_json::from_str(&shown.unwrap()).unwrap();
    let roles = shown["status"]["preflight"].as_array().unwrap();
    roles.iter().find(|it| it["role"] == role).unwrap().clone()
}

async fn look_again(scene: &Scene, environment: &str) {
    let now = "ecr-operator.dev/reconcile-at=now";
    scene
        .kubectl("annotate", environment, &["--overwrite", now])
        .await
        .unwrap();
}

const CACHE: &str = r#"
apiVersion: ecr-operator.dev/v1alpha1
kind: PullThroughRule
metadata:
  name: quay
spec:
  upstreamRegistry: quay
  environments: [prod]
  trustUpstream: Enabled
"#;
