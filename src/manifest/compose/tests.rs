use expect_test::expect;

use crate::manifest::tests::check;

#[test]
fn services_with_what_they_share() {
    check(
        "compose.yaml",
        r#"x-common: &common
  image: quay.io/a/common:1
services:
  web: {<<: *common, command: web}
  worker:
    <<: *common
  db: {image: "postgres:${PG:-17}"}
  built: {build: ., image: mine:dev}
"#,
        &expect![[r#"
            4: quay.io/a/common:1
            6: quay.io/a/common:1
            7: postgres:${PG:-17} [Variable]
            8: mine:dev
            +   image: moved.example/a/common:1
            +   built: {build: ., image: moved.example/library/mine:dev}
        "#]],
    );
}
