//! What the operator tells of the way that others take: the API server's to it, and that of nodes and
//! builds to ECR.

use super::scene::Scene;
use super::{future, permissions, reach};
use crate::rights::{self, Story};

#[tokio::test(flavor = "multi_thread")]
async fn what_would_fail_later_is_told_before() {
    let scene = Scene::set("told").await;
    let mut way = reach::Way::open().await;
    let mut flags = way.flags();
    flags.push("--probe-period=1s".to_owned());
    let mut pair = scene.pair_with("told", flags).await;
    let leader = &pair.controller;
    reach::a_policy_says_when_it_is_not_asked(&scene, leader, &mut way).await;
    permissions::what_a_role_lacks_is_named_with_the_policy_to_add(&scene).await;
    permissions::where_iam_may_not_be_asked_the_reads_themselves_tell(&scene).await;
    reach::certificates_that_are_no_good_are_made_anew(&scene, leader).await;
    future::certificates_of_a_clock_that_was_ahead_are_replaced(&scene, &pair).await;
    reach::webhook_that_is_edited_is_repaired_and_reported(&scene, leader).await;
    reach::webhooks_stay_when_the_chart_is_applied_again(&scene).await;
    reach::missing_object_of_the_chart_is_reported(&scene, leader).await;
    reach::with_the_last_policy_the_webhook_goes(&scene).await;
    rights::check(Story::Told, &scene.stage);
    pair.alive().unwrap();
}
