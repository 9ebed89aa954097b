//! The life of a team's repositories, from the day on which they are declared.

use super::scene::Scene;
use super::{converging, deletion, drift, edits, importing, newer, observing, ownership};
use crate::rights::{self, Story};

#[tokio::test(flavor = "multi_thread")]
async fn repositories_are_made_repaired_edited_and_let_go() {
    let scene = Scene::set("life").await;
    newer::an_object_that_this_version_does_not_know(&scene).await;
    let mut pair = scene.pair("life").await;
    converging::everything_is_made_once_and_then_nothing_is_written(&scene).await;
    newer::is_told_about_and_stops_nobody(&scene).await;
    drift::each_change_past_the_operator_is_repaired_once(&scene).await;
    drift::a_fight_with_another_writer_ends_until_a_person_edits(&scene).await;
    edits::each_edit_arrives_by_the_one_right_call(&scene).await;
    ownership::what_is_not_ours_is_left_alone(&scene).await;
    observing::an_observed_account_is_compared_and_never_written(&scene).await;
    importing::what_an_account_has_is_taken_over_with_owner_tags_alone(&scene).await;
    deletion::what_is_let_go_of_is_kept_unless_it_is_empty_and_may_go(&scene).await;
    rights::check(Story::Life, &scene.stage);
    pair.alive().unwrap();
}
