//! Which rule an image falls under, and what it is called there: with every image pullable.

use super::*;

#[test]
fn caches_get_names_as_ecr_wants_them() {
    check(
        &[
            "nginx",
            "nginx:1.27",
            "library/nginx",
            "docker.io/nginx",
            "index.docker.io/nginx",
            "registry-1.docker.io/nginx",
            "registry-1.docker.io/library/nginx:1",
            "bitnami/redis:7",
            "quay.io/jetstack/cert-manager:v1.16.0",
            "quay.io/argoproj/argocd:v3",
            "quay.io/argoproj",
            "registry.k8s.io/pause:3.10",
            "registry.k8s.io/coredns/coredns:v1",
            "reg.example:5000/a/b",
            "ghcr.io/acme/proxy:3",
            "public.ecr.aws/eks-distro/pause:3",
        ],
        &expect![[r#"
            nginx -> HOST/docker-hub/library/nginx [PullThrough] by PullThroughRule hub
            nginx:1.27 -> HOST/docker-hub/library/nginx:1.27 [PullThrough] by PullThroughRule hub
            library/nginx -> HOST/docker-hub/library/nginx [PullThrough] by PullThroughRule hub
            docker.io/nginx -> HOST/docker-hub/library/nginx [PullThrough] by PullThroughRule hub
            index.docker.io/nginx -> HOST/docker-hub/library/nginx [PullThrough] by PullThroughRule hub
            registry-1.docker.io/nginx -> HOST/docker-hub/library/nginx [PullThrough] by PullThroughRule hub
            registry-1.docker.io/library/nginx:1 -> HOST/docker-hub/library/nginx:1 [PullThrough] by PullThroughRule hub
            bitnami/redis:7 -> HOST/docker-hub/bitnami/redis:7 [PullThrough] by PullThroughRule hub
            quay.io/jetstack/cert-manager:v1.16.0 -> HOST/quay/jetstack/cert-manager:v1.16.0 [PullThrough] by PullThroughRule quay
            quay.io/argoproj/argocd:v3 -> HOST/deep/argocd:v3 [PullThrough] by PullThroughRule quay-deep
            quay.io/argoproj -> HOST/quay/argoproj [PullThrough] by PullThroughRule quay
            registry.k8s.io/pause:3.10 -> HOST/pause:3.10 [PullThrough] by PullThroughRule k8s
            registry.k8s.io/coredns/coredns:v1 -> HOST/coredns/coredns:v1 [PullThrough] by PullThroughRule k8s
            reg.example:5000/a/b -> HOST/local/a/b [PullThrough] by PullThroughRule local
            ghcr.io/acme/proxy:3 -> HOST/ghcr/proxy:3 [PullThrough] by PullThroughRule partial
            public.ecr.aws/eks-distro/pause:3 -> HOST/ecr-public/eks-distro/pause:3 [PullThrough] by PullThroughRule public
        "#]],
    );
}

#[test]
fn only_the_very_host_is_matched() {
    check(
        &[
            "quay.io.evil.example/acme/app",
            "evil.example/quay.io/acme/app",
            "notquay.io/acme/app",
            "quay.io:8443/acme/app",
            "quay.i/acme/app",
            "reg.example/a/b",
            "reg.example:50000/a/b",
            "docker.io.evil.example/library/nginx",
            "localhost/nginx",
            "my_host.example/app",
            "ghcr.io/acme",
            "ghcr.io/acme-evil/app",
        ],
        &expect![[r#"
            quay.io.evil.example/acme/app -> kept [NoRule]
            evil.example/quay.io/acme/app -> kept [NoRule]
            notquay.io/acme/app -> kept [NoRule]
            quay.io:8443/acme/app -> kept [NoRule]
            quay.i/acme/app -> kept [NoRule]
            reg.example/a/b -> kept [NoRule]
            reg.example:50000/a/b -> kept [NoRule]
            docker.io.evil.example/library/nginx -> kept [NoRule]
            localhost/nginx -> kept [NoRule]
            my_host.example/app -> kept [NoRule]
            ghcr.io/acme -> kept [NoRule]
            ghcr.io/acme-evil/app -> kept [NoRule]
        "#]],
    );
}

#[test]
fn a_registry_has_one_host_however_it_is_spelt() {
    check(
        &[
            "QUAY.IO/acme/app:1",
            "quay.io:443/acme/app:1",
            "Quay.io:0443/prometheus/node-exporter",
            "quay.io:000443/acme/app:1",
            "quay.io:80/acme/app:1",
            "quay.io:8443/acme/app:1",
            "quay.io./acme/app:1",
            "registry.k8s.io:443/pause:3.10",
            "Docker.IO/nginx",
            "INDEX.DOCKER.IO/library/nginx",
            "registry-1.docker.io:443/nginx",
            "docker.io:443/acme/web:1",
            "docker.io:5000/nginx",
            "REG.example:5000/a/b",
            "reg.example:05000/a/b",
            "OLD.example:5000/shop/api:1",
            "old.example:443/both:1",
        ],
        &expect![[r#"
            QUAY.IO/acme/app:1 -> HOST/quay/acme/app:1 [PullThrough] by PullThroughRule quay
            quay.io:443/acme/app:1 -> HOST/quay/acme/app:1 [PullThrough] by PullThroughRule quay
            Quay.io:0443/prometheus/node-exporter -> kept [Excluded]
            quay.io:000443/acme/app:1 -> kept [NoRule]
            quay.io:80/acme/app:1 -> kept [NoRule]
            quay.io:8443/acme/app:1 -> kept [NoRule]
            quay.io./acme/app:1 -> kept [NotAReference]
            registry.k8s.io:443/pause:3.10 -> HOST/pause:3.10 [PullThrough] by PullThroughRule k8s
            Docker.IO/nginx -> HOST/docker-hub/library/nginx [PullThrough] by PullThroughRule hub
            INDEX.DOCKER.IO/library/nginx -> HOST/docker-hub/library/nginx [PullThrough] by PullThroughRule hub
            registry-1.docker.io:443/nginx -> HOST/docker-hub/library/nginx [PullThrough] by PullThroughRule hub
            docker.io:443/acme/web:1 -> HOST/shop/web:1 [OwnRepository] by ImageRepository shop/web
            docker.io:5000/nginx -> kept [NoRule]
            REG.example:5000/a/b -> HOST/local/a/b [PullThrough] by PullThroughRule local
            reg.example:05000/a/b -> HOST/local/a/b [PullThrough] by PullThroughRule local
            OLD.example:5000/shop/api:1 -> HOST/shop/api:1 [OwnRepository] by ImageRepository shop/api
            old.example:443/both:1 -> kept [ContestedClaim]
        "#]],
    );
}

#[test]
fn a_host_is_spelt_in_one_way() {
    for (written, canonical) in [
        ("quay.io", "quay.io"),
        ("Quay.IO:443", "quay.io"),
        ("quay.io:00443", "quay.io"),
        ("quay.io:80", "quay.io:80"),
        ("reg.example:05000", "reg.example:5000"),
        ("reg.example:0", "reg.example:0"),
        ("reg.example:", "reg.example:"),
        ("REGISTRY-1.docker.io:443", "docker.io"),
        ("index.docker.io:5000", "index.docker.io:5000"),
        ("[2001:DB8:0::1]", "[2001:db8::1]"),
        ("[2001:db8::1]:443", "[2001:db8::1]"),
        ("[2001:DB8::1]:5000", "[2001:db8::1]:5000"),
        ("[none:]:5000", "[none:]:5000"),
        // Runtimes speak plain HTTP to their own machine.
        ("LocalHost:443", "localhost:443"),
        ("127.0.0.1:443", "127.0.0.1:443"),
        ("[0:0::1]:443", "[::1]:443"),
        ("", ""),
    ] {
        assert_eq!(host::canonical(written), canonical, "{written}");
        assert_eq!(host::canonical(canonical), canonical);
    }
}

#[test]
fn what_is_in_ecr_is_left_alone() {
    check(
        &[
            "333333333333.DKR.ECR.eu-central-1.amazonaws.com/a",
            "333333333333.dkr.ecr.eu-central-1.amazonaws.com:443/a",
            "333333333333.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/nginx:1",
            "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/coredns:v1",
            "918309763551.dkr.ecr.cn-north-1.amazonaws.com.cn/eks/pause:3.5",
            "111111111111.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a",
            "111111111111.dkr-ecr.eu-west-1.on.aws/a",
            "111111111111.dkr-ecr-fips.us-east-1.on.aws/a",
            "111111111111.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn/a",
            "111111111111.dkr.ecr.us-iso-east-1.c2s.ic.gov/a",
            // Not ECR's:
            "111111111111.dkr.ecr.us-east-1.amazonaws.com.evil.example/a",
            "11111111111.dkr.ecr.us-east-1.amazonaws.com/a",
            "x.111111111111.dkr.ecr.us-east-1.amazonaws.com/a",
            "111111111111.dkr.ecr.amazonaws.com/a",
            "111111111111.dkr.ecr.us-east-1.evil.amazonaws.com/a",
        ],
        &expect![[r#"
            333333333333.DKR.ECR.eu-central-1.amazonaws.com/a -> kept [AlreadyEcr]
            333333333333.dkr.ecr.eu-central-1.amazonaws.com:443/a -> kept [AlreadyEcr]
            333333333333.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/nginx:1 -> kept [AlreadyEcr]
            602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/coredns:v1 -> kept [AlreadyEcr]
            918309763551.dkr.ecr.cn-north-1.amazonaws.com.cn/eks/pause:3.5 -> kept [AlreadyEcr]
            111111111111.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a -> kept [AlreadyEcr]
            111111111111.dkr-ecr.eu-west-1.on.aws/a -> kept [AlreadyEcr]
            111111111111.dkr-ecr-fips.us-east-1.on.aws/a -> kept [AlreadyEcr]
            111111111111.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn/a -> kept [AlreadyEcr]
            111111111111.dkr.ecr.us-iso-east-1.c2s.ic.gov/a -> kept [AlreadyEcr]
            111111111111.dkr.ecr.us-east-1.amazonaws.com.evil.example/a -> kept [NoRule]
            11111111111.dkr.ecr.us-east-1.amazonaws.com/a -> kept [NoRule]
            x.111111111111.dkr.ecr.us-east-1.amazonaws.com/a -> kept [NoRule]
            111111111111.dkr.ecr.amazonaws.com/a -> kept [NoRule]
            111111111111.dkr.ecr.us-east-1.evil.amazonaws.com/a -> kept [NoRule]
        "#]],
    );
}

#[test]
fn claims_come_before_caches_and_disputed_ones_are_none() {
    check(
        &[
            "old.example:5000/shop/api:1.42.0",
            "old.example/shop/api:1.42.0",
            "acme/web",
            "docker.io/acme/web:1",
            "acme/web/sub",
            "quay.io/acme/moved:1",
            "quay.io/acme/other:1",
            "old.example/both:1",
            "old.example/x",
        ],
        &expect![[r#"
            old.example:5000/shop/api:1.42.0 -> HOST/shop/api:1.42.0 [OwnRepository] by ImageRepository shop/api
            old.example/shop/api:1.42.0 -> kept [NoRule]
            acme/web -> HOST/shop/web [OwnRepository] by ImageRepository shop/web
            docker.io/acme/web:1 -> HOST/shop/web:1 [OwnRepository] by ImageRepository shop/web
            acme/web/sub -> HOST/docker-hub/acme/web/sub [PullThrough] by PullThroughRule hub
            quay.io/acme/moved:1 -> HOST/shop/quay:1 [OwnRepository] by ImageRepository shop/quay
            quay.io/acme/other:1 -> HOST/quay/acme/other:1 [PullThrough] by PullThroughRule quay
            old.example/both:1 -> kept [ContestedClaim]
            old.example/x -> kept [NoRule]
        "#]],
    );
    let compiled = compiled();
    let contested = compiled.contested();
    assert_eq!(contested.len(), 1);
    assert_eq!(contested[0].source, "old.example/both");
    assert_eq!(contested[0].namespace, None);
    assert_eq!(
        Vec::from_iter(contested[0].objects),
        ["shop/one", "shop/two"]
    );
}

#[test]
fn a_namespaces_own_claim_holds_there_alone_and_goes_first() {
    let compiled = compiled();
    let facts = Facts::assuming(Presence::Active);
    let in_namespace = |namespace, image| {
        let asked = Asked {
            namespace,
            ..asked(image)
        };
        told(&decide(&compiled, &facts, &asked))
    };
    for (namespace, image, expected) in [
        (
            "team-a",
            "old.example:5000/shop/api:1",
            "HOST/team-a/api:1 [OwnRepository] by ImageRepository team-a/api",
        ),
        (
            "team-b",
            "old.example:5000/shop/api:1",
            "HOST/shop/api:1 [OwnRepository] by ImageRepository shop/api",
        ),
        (
            "team-a",
            "old.example/x",
            "HOST/team-a/x [OwnRepository] by ImageRepository team-a/x",
        ),
        ("team-b", "old.example/x", "kept [NoRule]"),
    ] {
        assert_eq!(
            in_namespace(namespace, image),
            expected,
            "{namespace} {image}"
        );
    }
}

#[test]
fn excluded_images_are_kept_and_their_look_alikes_are_not() {
    check(
        &[
            "quay.io/prometheus/node-exporter:v1",
            "quay.io/prometheus/a/b",
            "quay.io/prometheus",
            "quay.io/prometheus-evil/a",
            "busybox:1.36",
            "index.docker.io/library/busybox",
            "busybox2",
            "redis:7",
            "redis:7.2",
            "redis",
        ],
        &expect![[r#"
            quay.io/prometheus/node-exporter:v1 -> kept [Excluded]
            quay.io/prometheus/a/b -> kept [Excluded]
            quay.io/prometheus -> HOST/quay/prometheus [PullThrough] by PullThroughRule quay
            quay.io/prometheus-evil/a -> HOST/quay/prometheus-evil/a [PullThrough] by PullThroughRule quay
            busybox:1.36 -> kept [Excluded]
            index.docker.io/library/busybox -> kept [Excluded]
            busybox2 -> HOST/docker-hub/library/busybox2 [PullThrough] by PullThroughRule hub
            redis:7 -> kept [Excluded]
            redis:7.2 -> HOST/docker-hub/library/redis:7.2 [PullThrough] by PullThroughRule hub
            redis -> HOST/docker-hub/library/redis [PullThrough] by PullThroughRule hub
        "#]],
    );
}
