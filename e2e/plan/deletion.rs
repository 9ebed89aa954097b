//! What a plan says of objects that are on their way out, and of what they no longer ask for.

use expect_test::expect;
use regex_lite::Regex;

use super::{check, fed, plan, text, writes};
use crate::emulator::seeded;

const AWS: &str = include_str!("deletion/aws.yaml");
const OBJECTS: &str = include_str!("deletion/objects.yaml");

#[tokio::test(flavor = "multi_thread")]
async fn what_is_let_go_of_is_shown_as_its_policy_and_its_environment_say() {
    let aws = seeded(AWS).await;
    let mut command = plan(&aws);
    command.args(["--all", "-f", "-"]);
    let mut output = fed(command, OBJECTS.as_bytes()).await;
    // A day from now.
    let moment = Regex::new("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z").unwrap();
    let told = text(&output.stdout);
    output.stdout = moment.replace_all(&told, "DUE").as_bytes().to_vec();
    check(
        &output,
        2,
        &expect![[r#"
        shop/empty
          dev   111111111111/eu-central-1  -  repository shop/empty, which is empty
          prod  222222222222/eu-central-1  ~  owner       shop/empty -> nobody: the environment does not allow deletion
        shop/full
          dev   111111111111/eu-central-1  ~  repository  it holds images -> deleted after DUE, once nobody uses it
        shop/kept
          dev   111111111111/eu-central-1  ~  owner       shop/kept -> nobody: deletionPolicy is Retain
        shop/moved
          dev   111111111111/eu-central-1  ~  owner       shop/moved -> nobody: deletionPolicy is Retain
          prod  222222222222/eu-central-1  =
        shop/old
          held                             !  EnvironmentAccount held metadata.deletionTimestamp: it is being deleted, so nothing is made or changed there any more: take it out of spec.environments  [EnvironmentNotReady]
        shop/orphan
        shop/theirs
          dev   111111111111/eu-central-1  =
        EnvironmentAccount held
          held                             !  ImageRepository shop/old still has a repository in this account: delete it, or take held out of its environments; or annotate this object with ecr-operator.dev/orphan=true  [Deleting]
        EnvironmentAccount left
          left                             =

        Calls   DeleteRepository 1, TagResource 4, UntagResource 3
        Plan    4 to change, 1 to delete, 2 refused, 3 in step
                9 objects in 2 registries, read with 30 calls in TIME s. Nothing was written.
    "#]],
    );
    assert_eq!(writes(&aws), []);
}
