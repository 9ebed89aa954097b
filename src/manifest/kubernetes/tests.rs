use expect_test::expect;

use crate::manifest::tests::check;

#[test]
fn a_pods_containers_and_image_volumes_are_found() {
    check(
        "pod.yaml",
        r#"apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop}
spec:
  initContainers:
  - name: init
    image: busybox
  containers:
  - {name: web, image: 'nginx:1.27'} # keep
  ephemeralContainers:
  - image: "quay.io/debug/tools@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  volumes:
  - name: model
    image: {reference: ghcr.io/models/small:v1, pullPolicy: Never}
"#,
        &expect![[r#"
            7: busybox
            9: nginx:1.27
            11: quay.io/debug/tools@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
            14: ghcr.io/models/small:v1
            +     image: moved.example/library/busybox
            +   - {name: web, image: 'moved.example/library/nginx:1.27'} # keep
            +   - image: "moved.example/debug/tools@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            +     image: {reference: moved.example/models/small:v1, pullPolicy: Never}
        "#]],
    );
}

#[test]
fn every_workload_kind_has_its_pods() {
    check(
        "all.yaml",
        r#"apiVersion: batch/v1
kind: CronJob
spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: nginx}]}}}}}
---
apiVersion: v1
kind: PodTemplate
template: {spec: {containers: [{image: 'redis:7'}]}}
---
apiVersion: v1
kind: List
items:
- {apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: {containers: [{image: a:1}]}}}}
- {apiVersion: apps/v1, kind: DaemonSet, spec: {template: {spec: {containers: [{image: b:1}]}}}}
- apiVersion: v1
  kind: List
  items: [{apiVersion: v1, kind: Pod, spec: {containers: [{image: c:1}]}}]
"#,
        &expect![[r#"
            3: nginx
            7: redis:7
            12: a:1
            13: b:1
            16: c:1
            + spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: moved.example/library/nginx}]}}}}}
            + template: {spec: {containers: [{image: 'moved.example/library/redis:7'}]}}
            + - {apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: {containers: [{image: moved.example/library/a:1}]}}}}
            + - {apiVersion: apps/v1, kind: DaemonSet, spec: {template: {spec: {containers: [{image: moved.example/library/b:1}]}}}}
            +   items: [{apiVersion: v1, kind: Pod, spec: {containers: [{image: moved.example/library/c:1}]}}]
        "#]],
    );
}

#[test]
fn scalars_of_every_style_are_edited_in_place() {
    check(
        "styles.yaml",
        "\u{feff}apiVersion: v1\n\
kind: Pod\n\
spec:\n\
\x20 containers:\n\
\x20 - image:\tnginx # tab\n\
\x20 - image: >-\n\
\x20     redis:7\n\
\x20 - image: |\n\
\x20     redis:8\n\
\x20 - image: \"nginx\\u003a1\"\n\
\x20 - image: 'a:1'\r\n\
\x20 - image: &anchor b:1\n\
\x20 - image: !!str c:1\n\
\x20 - ? image\n\
\x20   : d:1\n",
        &expect![[r#"
            5: nginx
            7: redis:7
            9: redis:8
            10: nginx:1
            11: a:1
            12: b:1
            13: c:1
            15: d:1
            +   - image:	moved.example/library/nginx # tab
            +       moved.example/library/redis:7
            +       moved.example/library/redis:8
            +   - image: "moved.example/library/nginx:1"
            +   - image: 'moved.example/library/a:1'\r
            +   - image: &anchor moved.example/library/b:1
            +   - image: !!str moved.example/library/c:1
            +     : moved.example/library/d:1
        "#]],
    );
}

#[test]
fn known_custom_resources_are_read() {
    check(
        "custom.yaml",
        r#"apiVersion: argoproj.io/v1alpha1
kind: Rollout
spec: {template: {spec: {containers: [{image: 'a:1'}]}}}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledJob
spec: {jobTargetRef: {template: {spec: {containers: [{image: 'b:1'}]}}}}
---
apiVersion: tekton.dev/v1
kind: Pipeline
spec:
  tasks:
  - taskSpec:
      stepTemplate: {image: c:1}
      steps: [{image: d:1}, {image: $(params.image)}]
      sidecars: [{image: e:1}]
---
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
spec:
  workflowSpec:
    templates:
    - container: {image: f:1}
    - script: {image: 'g:1', source: "docker run quay.io/x/y:1"}
    - container: {image: '{{inputs.parameters.image}}'}
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
spec:
  image: quay.io/prometheus/prometheus:v3
  thanos: {image: quay.io/thanos/thanos:v0}
"#,
        &expect![[r#"
            3: a:1
            7: b:1
            14: c:1
            15: d:1
            15: $(params.image) [Variable]
            16: e:1
            23: f:1
            24: g:1
            24: quay.io/x/y:1 [UnknownField]
            25: {{inputs.parameters.image}} [Variable]
            30: quay.io/prometheus/prometheus:v3
            31: quay.io/thanos/thanos:v0
            + spec: {template: {spec: {containers: [{image: 'moved.example/library/a:1'}]}}}
            + spec: {jobTargetRef: {template: {spec: {containers: [{image: 'moved.example/library/b:1'}]}}}}
            +       stepTemplate: {image: moved.example/library/c:1}
            +       steps: [{image: moved.example/library/d:1}, {image: $(params.image)}]
            +       sidecars: [{image: moved.example/library/e:1}]
            +     - container: {image: moved.example/library/f:1}
            +     - script: {image: 'moved.example/library/g:1', source: "docker run quay.io/x/y:1"}
            +   image: moved.example/prometheus/prometheus:v3
            +   thanos: {image: moved.example/thanos/thanos:v0}
        "#]],
    );
}

#[test]
fn what_no_rule_knows_is_told_and_not_guessed() {
    check(
        "unknown.yaml",
        r#"apiVersion: kyverno.io/v1
kind: ClusterPolicy
spec: {rules: [{validate: {pattern: {spec: {containers: [{image: "quay.io/*"}, {image: a/b:1}]}}}}]}
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
spec: {imageName: "ghcr.io/cloudnative-pg/postgresql:17"}
---
apiVersion: stable.example.com/v1
kind: CronTab
spec: {image: my/cron:1, other: "quay.io/a/b:1", prose: "an image: of words"}
---
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
      - image: a:1
        args: [--reloader-image=quay.io/a/reloader:v1]
        env: [{name: RELATED_IMAGE_B, value: 'quay.io/b/b:1'}]
        command: [sh, -c, "x image: registry.k8s.io/pause"]
# image: commented:1
"#,
        &expect![[r#"
            3: a/b:1 [UnknownField]
            7: ghcr.io/cloudnative-pg/postgresql:17 [OperatorCompares]
            11: my/cron:1 [UnknownField]
            11: quay.io/a/b:1 [UnknownField]
            19: a:1
            20: quay.io/a/reloader:v1 [UnknownField]
            21: quay.io/b/b:1 [UnknownField]
            22: registry.k8s.io/pause [UnknownField]
            23: commented:1 [Comment]
            +       - image: moved.example/library/a:1
        "#]],
    );
}

#[test]
fn an_anchor_is_edited_once_if_only_images_refer_to_it() {
    check(
        "anchors.yaml",
        r#"apiVersion: v1
kind: Pod
spec:
  initContainers:
  - image: &app quay.io/a/b:1
  containers:
  - image: *app
  - image: &shared quay.io/c/d:1
    env: [{name: X, value: *shared}]
"#,
        &expect![[r#"
            5: quay.io/a/b:1
            7: quay.io/a/b:1
            8: quay.io/c/d:1 [AnchorShared]
            +   - image: &app moved.example/a/b:1
        "#]],
    );
}

#[test]
fn images_of_operators_that_name_them_in_one_field() {
    check(
        "cluster.yaml",
        r#"apiVersion: ceph.rook.io/v1
kind: CephCluster
spec: {cephVersion: {image: 'quay.io/ceph/ceph:v19'}}
---
apiVersion: rabbitmq.com/v1beta1
kind: RabbitmqCluster
spec: {image: 'rabbitmq:4'}
---
apiVersion: kubevirt.io/v1
kind: VirtualMachine
spec: {template: {spec: {volumes: [{name: root, containerDisk: {image: 'quay.io/kubevirt/cirros:1'}}]}}}
"#,
        &expect![[r#"
            3: quay.io/ceph/ceph:v19
            7: rabbitmq:4
            11: quay.io/kubevirt/cirros:1
            + spec: {cephVersion: {image: 'moved.example/ceph/ceph:v19'}}
            + spec: {image: 'moved.example/library/rabbitmq:4'}
            + spec: {template: {spec: {volumes: [{name: root, containerDisk: {image: 'moved.example/kubevirt/cirros:1'}}]}}}
        "#]],
    );
}

#[test]
fn what_arguments_run_and_what_quoted_documents_name_is_told_where_it_stands() {
    check(
        "job.yaml",
        r#"apiVersion: batch/v1
kind: Job
spec:
  template:
    spec:
      containers:
      - image: docker:28
        args: ["until docker ps; do sleep 3; done; docker run --rm debian:13 cat /etc/os-release"]
      - image: alpine/k8s:1.34.1
        args: [run, x, --image=busybox:1.37, --label=web, '--note=a: b']
        env:
        - name: VALUES
          value: '{"hub":"quay.io/kiali","image":"kiali","tag":"v2", "proxy":
            {"image":"istio/proxyv2:1.28"}}'
        - name: MORE
          value: "first \"quay.io/a/b:1\"
            then \"quay.io/c/d:1\""
"#,
        &expect![[r#"
            7: docker:28
            8: debian:13 [UnknownField]
            9: alpine/k8s:1.34.1
            10: busybox:1.37 [UnknownField]
            13: kiali [Embedded]
            13: quay.io/kiali [Embedded]
            14: istio/proxyv2:1.28 [Embedded]
            16: quay.io/a/b:1 [Embedded]
            17: quay.io/c/d:1 [Embedded]
            +       - image: moved.example/library/docker:28
            +       - image: moved.example/alpine/k8s:1.34.1
        "#]],
    );
}
