//! Two objects claim one old name: what works goes on.

use serde_json::json;

use super::facts::{OWN, becomes, rules_and_images};
use super::records::another_second;
use super::scene::Scene;
use super::{PROD, REGION};

const SECOND: &str = "shop/second";

#[tokio::test(flavor = "multi_thread")]
async fn second_claim_on_a_name_stops_nothing() {
    let scene = Scene::set("claims").await;
    scene.namespace("shop").await;
    let flags = ["--facts-period=1s".to_owned()];
    let mut operator = scene.operator_with("claims", flags.to_vec()).await;
    rules_and_images(&scene).await;
    let asked = ["old.example.com/shop/api:1".to_owned()];
    let ecr = [format!("{PROD}.dkr.ecr.{REGION}.amazonaws.com/shop/api:1")];
    becomes(&scene, &asked, &ecr).await;

    another_second(&scene, OWN).await;
    let spec = json!({"environments": ["prod"], "migratesFrom": ["old.example.com/shop/api"]});
    scene.repository(SECOND, spec).await;
    scene.because(SECOND, "Conflict").await;
    let message = scene.message(SECOND).await;
    let older = format!("by the older ImageRepository {OWN}, which keeps it");
    assert!(message.contains(&older), "{message}");
    scene.ready(OWN).await;
    becomes(&scene, &asked, &ecr).await;

    // When the older one is gone, the other has the name.
    scene.kubectl("delete", OWN, &[]).await.unwrap();
    scene.ready(SECOND).await;
    scene.hand(PROD).push(SECOND, "1").await.unwrap();
    let ecr = [format!("{PROD}.dkr.ecr.{REGION}.amazonaws.com/{SECOND}:1")];
    becomes(&scene, &asked, &ecr).await;
    operator.alive().unwrap();
}
