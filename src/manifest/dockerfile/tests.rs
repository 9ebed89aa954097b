use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::manifest::tests::{check, moved, target, told};

#[track_caller]
fn check_dockerfile(text: &str, expected: &Expect) {
    check("Dockerfile", text, expected);
}

#[test]
fn stages_begin_with_images_with_nothing_or_with_stages_before_them() {
    check_dockerfile(
        "# The build.\n\
         FROM --platform=$BUILDPLATFORM golang:1.25 AS Build\n\
         FROM scratch AS empty\n\
         FROM build AS test\n\
         from quay.io/a/b as last # no comment\n\
         FROM nginx AS nginx\n\
         FROM nginx\n\
         FROM \"alpine:3.22\"\n\
         FROM last AS other\n",
        &expect![[r#"
            2: golang:1.25
            5: quay.io/a/b as last # no comment [NotAReference]
            6: nginx
            8: alpine:3.22
            + FROM --platform=$BUILDPLATFORM moved.example/library/golang:1.25 AS Build
            + FROM moved.example/library/nginx AS nginx
            + FROM "moved.example/library/alpine:3.22"
        "#]],
    );
}

#[test]
fn what_is_copied_or_mounted_from_images_is_told_and_what_is_from_stages_is_not() {
    check_dockerfile(
        "FROM golang:1.25 AS build\n\
         COPY --chown=1:1 --from=busybox:1.37 /bin/sh /bin/sh\n\
         COPY --from=0 /a /a\n\
         COPY --from=BUILD /a /a\n\
         COPY --from=$IMAGE /a /a\n\
         COPY a --from=not/a-flag:1\n\
         RUN --network=none --mount=type=bind,from=ghcr.io/a/tools:1,target=/tools --mount=from=build,target=/b make\n\
         ADD --from=no/flag:1 a b\n",
        &expect![[r#"
            1: golang:1.25
            2: busybox:1.37
            5: $IMAGE [Variable]
            7: ghcr.io/a/tools:1
            + FROM moved.example/library/golang:1.25 AS build
            + COPY --chown=1:1 --from=moved.example/library/busybox:1.37 /bin/sh /bin/sh
            + RUN --network=none --mount=type=bind,from=moved.example/a/tools:1,target=/tools --mount=from=build,target=/b make
        "#]],
    );
}

#[test]
fn the_default_of_an_argument_is_where_its_base_is_named() {
    check_dockerfile(
        "ARG BASE=nginx:1.27 OTHER='quay.io/a/b:1' QUOTED=\"alpine\"\n\
         ARG NONE\n\
         ARG STAGE=debug\n\
         ARG EMPTY=\n\
         ARG NESTED=$BASE-x\n\
         ARG UNUSED_IMAGE=redis:7\n\
         FROM ${OTHER} AS debug\n\
         FROM $OTHER\n\
         FROM $QUOTED\n\
         FROM $NONE\n\
         FROM ${EMPTY}\n\
         FROM $UNKNOWN\n\
         FROM ${STAGE}\n\
         FROM $NESTED\n\
         FROM $BASE\n\
         FROM ${NONE:-busybox:1}\n\
         ARG LATE=postgres:17\n\
         FROM $LATE\n",
        &expect![[r#"
            1: nginx:1.27-x
            1: nginx:1.27
            1: quay.io/a/b:1
            1: alpine
            6: redis:7 [SourceText]
            10: $NONE [NoDefault]
            11: ${EMPTY} [NoDefault]
            12: $UNKNOWN [NoDefault]
            16: busybox:1
            18: $LATE [NoDefault]
            + ARG BASE=moved.example/library/nginx:1.27 OTHER='moved.example/a/b:1' QUOTED="moved.example/library/alpine"
            + FROM ${NONE:-moved.example/library/busybox:1}
        "#]],
    );
}

#[test]
fn a_version_may_be_a_variable_and_another_part_may_not() {
    check_dockerfile(
        "ARG VERSION=3.14\n\
         ARG DIGEST\n\
         ARG IMAGE=golang\n\
         ARG REGISTRY=quay.io\n\
         ARG SHARED=redis\n\
         FROM python:${VERSION}-slim\n\
         FROM quay.io/a/b:v$DIGEST\n\
         FROM $IMAGE:$VERSION\n\
         FROM $IMAGE\n\
         FROM $REGISTRY/a/c:1\n\
         FROM quay.io/$SHARED\n\
         FROM $SHARED\n\
         FROM ${IMAGE%x}\n",
        &expect![[r#"
            3: golang:3.14
            3: golang
            4: quay.io/a/c:1
            5: redis [PartShared]
            6: python:3.14-slim
            7: quay.io/a/b (tag elsewhere)
            11: quay.io/redis
            13: ${IMAGE%x} [Variable]
            + ARG IMAGE=moved.example/library/golang
            + ARG REGISTRY=moved.example
            + FROM moved.example/library/python:${VERSION}-slim
            + FROM moved.example/a/b:v$DIGEST
            + FROM moved.example/$SHARED
        "#]],
    );
}

#[test]
fn the_default_that_a_base_begins_with_leads_it_elsewhere() {
    check_dockerfile(
        "ARG REGISTRY=quay.io\n\
         ARG ORG=\"a\"\n\
         ARG VERSION=1.25\n\
         ARG GO_IMAGE=golang:${VERSION}-alpine\n\
         ARG PREFIX=\n\
         FROM ${REGISTRY}/${ORG}/tools:2 AS tools\n\
         FROM $REGISTRY/b/base:${VERSION}\n\
         FROM ${GO_IMAGE} AS build\n\
         FROM ${PREFIX}mirror/nginx:1.27\n\
         FROM ${MIRROR:-ghcr.io}/c/d:1\n\
         FROM corp.example/${ORG}/e:1\n",
        &expect![[r#"
            1: quay.io/a/tools:2
            1: quay.io/b/base:1.25
            4: golang:1.25-alpine
            5: mirror/nginx:1.27
            10: ghcr.io/c/d:1
            11: corp.example/a/e:1
            + ARG REGISTRY=moved.example
            + ARG GO_IMAGE=moved.example/library/golang:${VERSION}-alpine
            + ARG PREFIX=moved.example/
            + FROM ${MIRROR:-moved.example}/c/d:1
            + FROM moved.example/${ORG}/e:1
        "#]],
    );
}

#[test]
fn a_default_that_is_more_than_the_beginning_of_bases_stays() {
    check_dockerfile(
        "ARG REGISTRY=quay.io\n\
         ARG HOST=ghcr.io\n\
         ARG NAME=web\n\
         ARG URL=$HOST/v2/\n\
         FROM ${REGISTRY}/a/b:1\n\
         ARG REGISTRY\n\
         RUN curl https://$REGISTRY/v2/\n\
         FROM $HOST/a/c:1\n\
         FROM quay.io/${NAME}:1\n\
         FROM ${NAME}\n\
         FROM quay.io/$UNKNOWN/a:1\n",
        &expect![[r#"
            1: quay.io/a/b:1 [Variable]
            2: ghcr.io/a/c:1 [PartShared]
            3: web [PartShared]
            9: quay.io/web:1
            11: quay.io/$UNKNOWN/a:1 [Variable]
            + FROM moved.example/${NAME}:1
        "#]],
    );
}

#[test]
fn a_beginning_that_images_need_differently_stays() {
    let text = "ARG REGISTRY=quay.io\nFROM $REGISTRY/a/b:1\nFROM $REGISTRY/c/d:1\n";
    let document = crate::manifest::read("Dockerfile", text.as_bytes());
    let edited = |targets: [Option<&str>; 2]| {
        let edited = crate::manifest::edit("Dockerfile", text, &document, &targets).unwrap();
        let reasons: Vec<_> = edited.refused.iter().map(|it| it.reason).collect();
        (edited.text, reasons)
    };
    let (b, d) = ("ecr.example/quay/a/b:1", "ecr.example/quay/c/d:1");
    let moved = text.replace("quay.io", "ecr.example/quay");
    assert_eq!(edited([Some(b), Some(d)]), (moved, vec![]));
    assert_eq!(
        edited([Some(b), None]),
        (text.to_owned(), vec![Reason::PartShared])
    );
    let own = Some("ecr.example/team/b:1");
    assert_eq!(
        edited([own, None]),
        (text.to_owned(), vec![Reason::Variable])
    );
}

#[test]
fn lines_that_go_on_comments_between_them_and_their_ends_stay() {
    check_dockerfile(
        "\u{feff}FROM \\\r\n  # why\r\n\r\n  --platform=linux/arm64 \\ \r\n\tnginx:1.27 \\\r\n  AS web\r\nRUN a \\\r\n FROM no/instruction:1\r\nCOPY --from=\\\r\nbusybox:1 a b\r\nFROM redis:7",
        &expect![[r#"
            5: nginx:1.27
            9: busybox:1 [NotEditable]
            11: redis:7
            + 	moved.example/library/nginx:1.27 \\r
            + FROM moved.example/library/redis:7"#]],
    );
}

#[test]
fn heredocs_hold_no_instructions() {
    check_dockerfile(
        "FROM alpine:3\n\
         RUN <<-'EOF' cat > a && cat <<B\n\
         FROM no/stage:1\n\
         \tEOF\n\
         FROM no/other:1\n\
         docker run quay.io/a/b:1\n\
         B\n\
         COPY <<never a\n\
         RUN echo \"x \\\n\
         <<EOF \\\n\
         \"\n\
         FROM redis:7\n",
        &expect![[r#"
            1: alpine:3
            6: quay.io/a/b:1 [SourceText]
            12: redis:7
            + FROM moved.example/library/alpine:3
            + FROM moved.example/library/redis:7
        "#]],
    );
}

#[test]
fn directives_say_the_frontend_and_the_letter_that_escapes() {
    check_dockerfile(
        "# syntax=docker/dockerfile:1\n\
         # escape=`\n\
         # syntax = no/more:1 \n\
         FROM mcr.microsoft.com/windows/nanoserver:ltsc2025 `\n  AS base\n\
         COPY a C:\\\n\
         FROM redis:7\n\
         # syntax=late/directive:1\n\
         # FROM quay.io/commented/out:1\n",
        &expect![[r#"
            1: docker/dockerfile:1 [SourceText]
            3: no/more:1 [SourceText]
            4: mcr.microsoft.com/windows/nanoserver:ltsc2025
            7: redis:7
            9: quay.io/commented/out:1 [Comment]
            + FROM moved.example/windows/nanoserver:ltsc2025 `
            + FROM moved.example/library/redis:7
        "#]],
    );
}

#[test]
fn triggers_name_images_of_other_builds() {
    check_dockerfile(
        "FROM node:22\n\
         ONBUILD COPY --from=build /a /a\n\
         onbuild copy --from=busybox:1 /a /a\n\
         ONBUILD RUN --mount=type=bind,from=a/b true\n",
        &expect![[r#"
            1: node:22
            2: build [UnknownField]
            3: busybox:1
            4: a/b
            + FROM moved.example/library/node:22
            + onbuild copy --from=moved.example/library/busybox:1 /a /a
            + ONBUILD RUN --mount=type=bind,from=moved.example/a/b true
        "#]],
    );
}

#[test]
fn what_does_not_begin_as_a_build_or_is_no_name_is_told_and_stays() {
    check_dockerfile(
        "{% if x %}\nFROM nginx:1.27\n{% endif %}\nENV A_IMAGE=redis:7\nRUN docker pull quay.io/a/b:1\n",
        &expect![[r#"
            2: nginx:1.27 [SourceText]
            4: redis:7 [SourceText]
            5: quay.io/a/b:1 [SourceText]
        "#]],
    );
    check_dockerfile(
        "FROM {{ base }} AS x\nFROM %%BASE%%\nFROM nginx as\nFROM Nginx\nFROM\n",
        &expect![[r#"
            1: {{ base }} AS x [Variable]
            2: %%BASE%% [NotAReference]
            3: nginx as [NotAReference]
            4: Nginx [NotAReference]
        "#]],
    );
}

#[test]
fn names_say_which_files_are_dockerfiles_and_other_languages_are_not() {
    let text = "from os import path\n";
    assert_eq!(told("dockerfile_parse.py", text), "");
    assert_eq!(
        told("Containerfile.web", "from a/b\n"),
        told("x/Dockerfile", "from a/b\n")
    );
}

/// Lines of Dockerfiles, `@` standing for an image.
const LINES: [&str; 13] = [
    "FROM @",
    "from --platform=linux/amd64 @ AS stage",
    "FROM \\\n  '@'",
    "COPY --from=@ a b",
    "COPY --from=stage a b",
    "RUN --mount=type=bind,from=@,target=/x make",
    "RUN <<EOF\nFROM @\nEOF",
    "RUN echo it\\'s \\\n# @\n  @",
    "# FROM @",
    "FROM $A",
    "FROM $R/x/y:1",
    "ENV A=\"@\"",
    "",
];

proptest! {
    #[test]
    fn an_edited_build_is_the_same_but_for_its_images(
        lines in prop::collection::vec((0..LINES.len(), 0..3usize), 0..12),
        windows in prop::bool::ANY,
    ) {
        let images = ["nginx", "quay.io/a/b:1", "registry.corp.example:5000/a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"];
        let lines = lines.into_iter().map(|(line, image)| LINES[line].replace('@', images[image]));
        let text = format!("ARG A=redis:7 R=quay.io\nFROM busybox\n{}\n", lines.collect::<Vec<_>>().join("\n"));
        let text = if windows { text.replace('\n', "\r\n") } else { text };
        let after = moved("Dockerfile", &text);
        let expected: Vec<String> = read(&text).0.iter().map(|it| target(&it.image)).collect();
        let found: Vec<String> = read(&after).0.into_iter().map(|it| it.image).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(moved("Dockerfile", &after), after.as_str());
        let keywords = |text: &str| -> Vec<(usize, String)> {
            let first = |it: Instruction<'_>| (it.words[0].line, it.words[0].text.to_string());
            instructions(text).into_iter().map(first).collect()
        };
        prop_assert_eq!(keywords(&after), keywords(&text));
    }
}
