//! The certificates of admission while the clock of the API server, or ours, is wrong.

use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::runtime::wait::await_condition;
use tokio::time::{sleep, timeout};

use super::PATIENCE;
use super::case::{Case, Sweeps};
use super::kubernetes::{Trouble, View};
use super::operator::Operator;

/// The Secret that keeps them, as the chart's RBAC names it.
const SECRET: &str = "ecr-operator-webhook";

#[tokio::test(flavor = "multi_thread")]
async fn no_certificate_is_issued_while_clocks_contradict_each_other() {
    for ahead in [2, -2].map(SignedDuration::from_mins) {
        let case = Case::set("clocks").await;
        let secrets: Api<Secret> = Api::namespaced(case.client(), &format!("{}-system", case.name));
        let mut role = case.role(Sweeps::Never);
        role.logs = "ecr_operator=warn";
        let view = View::of(&case.name, Trouble::None);
        view.ahead(ahead);
        let operator = role.start(view);
        logged(&operator, "issue no certificate").await;
        let secret = secrets.get(SECRET).await.unwrap();
        assert_eq!(secret.data, None, "{ahead:?}");

        operator.view.ahead(SignedDuration::ZERO);
        let is_kept = |it: Option<&Secret>| it.is_some_and(|it| it.data.is_some());
        let kept = timeout(PATIENCE, await_condition(secrets, SECRET, is_kept)).await;
        kept.expect("it is issued once the clocks agree").unwrap();
        operator.kill().await;
    }
}

/// Waits until the operator has logged `what`.
async fn logged(operator: &Operator, what: &str) {
    let seen = async {
        while !operator.log().contains(what) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let seen = timeout(PATIENCE, seen).await;
    seen.unwrap_or_else(|_| panic!("never logged {what:?}:\n{}", operator.log()));
}
