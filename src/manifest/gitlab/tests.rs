use expect_test::expect;

use crate::manifest::tests::check;

#[test]
fn images_and_services_of_all_jobs_and_of_each() {
    check(
        ".gitlab-ci.yml",
        r#"image: ruby:3
default:
  image: {name: ruby:2, entrypoint: ['']}
variables: {image: no/job:1}
test:
  services: [postgres:17, {name: 'redis:7', alias: cache}]
build:
  image: $CI_REGISTRY_IMAGE/builder:1
other:
  image: !reference [test, image]
"#,
        &expect![[r#"
            1: ruby:3
            3: ruby:2
            4: no/job:1 [UnknownField]
            6: postgres:17
            6: redis:7
            8: $CI_REGISTRY_IMAGE/builder:1 [Variable]
            + image: moved.example/library/ruby:3
            +   image: {name: moved.example/library/ruby:2, entrypoint: ['']}
            +   services: [moved.example/library/postgres:17, {name: 'moved.example/library/redis:7', alias: cache}]
        "#]],
    );
}
