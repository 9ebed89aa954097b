use expect_test::expect;

use crate::manifest::tests::check;

#[test]
fn containers_services_and_steps() {
    check(
        ".github/workflows/ci.yml",
        r#"jobs:
  test:
    container: {image: 'node:20'}
    services:
      db: {image: postgres:17}
    steps:
    - uses: actions/checkout@v4
    - uses: docker://alpine:3.20
    - run: docker run quay.io/a/b:1
  lint:
    container: ghcr.io/a/lint:${{ matrix.v }}
"#,
        &expect![[r#"
            3: node:20
            5: postgres:17
            8: alpine:3.20
            9: quay.io/a/b:1 [UnknownField]
            11: ghcr.io/a/lint:${{ matrix.v }} [Variable]
            +     container: {image: 'moved.example/library/node:20'}
            +       db: {image: moved.example/library/postgres:17}
            +     - uses: docker://moved.example/library/alpine:3.20
        "#]],
    );
}

#[test]
fn an_action_that_is_an_image() {
    check(
        "action.yml",
        r#"runs:
  using: docker
  image: docker://ghcr.io/a/b:1
"#,
        &expect![[r#"
            3: ghcr.io/a/b:1
            +   image: docker://moved.example/a/b:1
        "#]],
    );
}
