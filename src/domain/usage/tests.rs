use super::*;

const ECR: &str = "333333333333.dkr.ecr.eu-central-1.amazonaws.com/payments/api";

fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

fn pod(name: &str, references: &[&str], id: Option<String>) -> Pod {
    let image = Image {
        references: references.iter().map(|it| (*it).to_owned()).collect(),
        id,
    };
    Pod {
        name: name.to_owned(),
        images: vec![image],
    }
}

fn registry() -> Registry {
    Registry::new(
        "333333333333".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    )
}

/// What is used of payments/api, as `tag or digest: pods`.
fn of_api(pods: &[Pod]) -> Vec<String> {
    let usage = Usage::of_pods(pods);
    lines(usage.of(&registry(), &"payments/api".parse().unwrap()))
}

fn lines(used: &Used) -> Vec<String> {
    let both = used.tags.iter().chain(&used.digests);
    both.map(|(what, users)| format!("{what:.8}: {users}"))
        .collect()
}

#[test]
fn a_tag_is_used_by_whoever_names_it_and_the_digest_by_whoever_runs_it() {
    let id = format!("{ECR}@{}", digest('a'));
    let running = pod("shop/api-0", &[&format!("{ECR}:1.2")], Some(id));
    let waiting = pod("shop/api-1", &[&format!("{ECR}:1.3")], None);
    assert_eq!(
        of_api(&[running, waiting]),
        ["1.2: shop/api-0", "1.3: shop/api-1", "sha256:a: shop/api-0"]
    );
}

#[test]
fn no_tag_is_latest_and_a_digest_is_no_tag() {
    let bare = pod("a/bare", &[ECR], None);
    let pinned = pod("a/pinned", &[&format!("{ECR}@{}", digest('b'))], None);
    let both = pod("a/tagged", &[&format!("{ECR}:1@{}", digest('b'))], None);
    assert_eq!(
        of_api(&[bare, pinned, both]),
        [
            "1: a/tagged",
            "latest: a/bare",
            "sha256:b: a/pinned, a/tagged"
        ]
    );
}

#[test]
fn every_host_name_of_a_registry_is_that_registry() {
    let hosts = [
        "333333333333.dkr.ecr.eu-central-1.amazonaws.com",
        "333333333333.dkr.ecr-fips.eu-central-1.amazonaws.com",
        "333333333333.dkr-ecr.eu-central-1.on.aws",
    ];
    for host in hosts {
        let it = pod("a/b", &[&format!("{host}/payments/api:1")], None);
        assert_eq!(of_api(&[it]), ["1: a/b"], "{host}");
    }
    for host in [
        "333333333333.dkr.ecr.eu-west-1.amazonaws.com",
        "444444444444.dkr.ecr.eu-central-1.amazonaws.com",
    ] {
        let it = pod("a/b", &[&format!("{host}/payments/api:1")], None);
        assert_eq!(of_api(&[it]), [""; 0], "{host}");
    }
}

#[test]
fn the_original_of_a_rewritten_image_is_used_too_and_what_runs_counts_for_each_name() {
    let rewritten = format!("{ECR}:1");
    let old = "registry.old.example/payments/api:1";
    // The node had pulled the same image from somewhere else before, and tells that name.
    let id = format!("docker-pullable://quay.io/mirror/api@{}", digest('c'));
    let pods = [pod("a/b", &[&rewritten, old], Some(id))];
    let usage = Usage::of_pods(&pods);
    let expected = ["1: a/b", "sha256:c: a/b"];
    assert_eq!(of_api(&pods), expected);
    let source: Source = "registry.old.example/payments/api".parse().unwrap();
    assert_eq!(lines(usage.of_source(&source)), expected);
    let quay: Vec<_> = usage.at("quay.io").map(|(name, _)| name).collect();
    assert_eq!(quay, ["mirror/api"]);
}

#[test]
fn docker_hub_is_one_registry_by_all_its_names() {
    let names = [
        "nginx:1",
        "docker.io/library/nginx:2",
        "index.docker.io/library/nginx:3",
        "registry-1.docker.io/nginx:4",
        "INDEX.docker.io:443/nginx:5",
    ];
    let usage = Usage::of_pods(&[pod("a/b", &names, None)]);
    let hub: Vec<_> = usage.at("docker.io").collect();
    let [("library/nginx", used)] = hub.as_slice() else {
        panic!("{hub:?}")
    };
    assert_eq!(used.tags.len(), names.len());
}

#[test]
fn what_is_no_reference_and_ids_of_no_registry_use_nothing() {
    let odd = pod("a/b", &["", "Upper", "a b"], Some(digest('d')));
    let bare = pod("a/c", &[], Some("e".repeat(64)));
    assert_eq!(Usage::of_pods(&[odd, bare]), Usage::default());
}

#[test]
fn a_few_pods_are_named_and_all_are_counted_once() {
    let names = ["a/5", "a/1", "a/4", "a/2", "a/3"];
    let image = format!("{ECR}:1");
    let pods: Vec<_> = names
        .iter()
        .map(|it| pod(it, &[&image, &image], None))
        .collect();
    assert_eq!(of_api(&pods), ["1: a/1, a/2, a/3 and 2 more"]);
    let usage = Usage::of_pods(&pods);
    let used = usage.of(&registry(), &"payments/api".parse().unwrap());
    assert_eq!(used.pods(), ["a/1", "a/2", "a/3"].into());
    assert!(!used.is_empty());
    assert!(
        usage
            .of(&registry(), &"payments/web".parse().unwrap())
            .is_empty()
    );
}

#[test]
fn what_is_used_by_two_names_of_one_repository_is_joined() {
    let new = Usage::of_pods(&[pod("a/1", &[&format!("{ECR}:1")], None)]);
    let old = "registry.old.example/payments/api:1";
    let both = pod("a/1", &[old], None);
    let one = pod("a/2", &[old], None);
    let old = Usage::of_pods(&[both, one]);
    let source: Source = "registry.old.example/payments/api".parse().unwrap();
    let used = new
        .of(&registry(), &"payments/api".parse().unwrap())
        .clone();
    assert_eq!(lines(&used.and(old.of_source(&source))), ["1: a/1, a/2"]);
}

/// 250 deployments of 20 pods: each runs its own image by tag and digest, and one of ten proxies.
#[test]
fn of_5000_pods_every_use_is_known_and_each_pod_is_counted_once() {
    const PODS: usize = 5000;
    let pods: Vec<Pod> = (0..PODS)
        .map(|it| {
            let (deployment, proxy) = (it / 20, it % 10);
            let tag = format!("{ECR}:{deployment}");
            let id = format!("{ECR}@sha256:{deployment:064x}");
            let mut pod = pod(&format!("ns-{}/pod-{it:04}", it % 7), &[&tag], Some(id));
            pod.images.push(Image {
                references: vec![format!("envoyproxy/envoy:{proxy}")],
                id: None,
            });
            pod
        })
        .collect();
    let usage = Usage::of_pods(&pods);
    let used = usage.of(&registry(), &"payments/api".parse().unwrap());
    assert_eq!((used.tags.len(), used.digests.len()), (250, 250));
    let of_deployment = used.tags.values().chain(used.digests.values());
    assert!(of_deployment.clone().all(|it| it.count == 20));
    assert!(of_deployment.clone().all(|it| it.some.len() == NAMED));
    let proxies = usage.named("docker.io", "envoyproxy/envoy");
    assert!(proxies.tags.values().all(|it| it.count == PODS / 10));
    assert_eq!((proxies.tags.len(), proxies.digests.len()), (10, 0));
    let backwards = Usage::of_pods(pods.iter().rev());
    assert_eq!(backwards, usage, "whatever order they come in");
}
