//! Scanning: its configuration, scans, and findings that are made up from the digest.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning.html>

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Answer, Call, RepositoryAt, seconds};
use super::super::protocol::paging::{Page, with_token};
use super::super::refusal::Refusal;
use super::super::state::{Image, RegistryKey, Scanning, ScanningRule, Status};
use super::images::ImageId;

/// An image is scanned at most once in this time.
const ONCE_IN: SignedDuration = SignedDuration::from_hours(24);
/// How often each severity is found in an image, in ECR's order of severity.
const SEVERITIES: [(&str, usize); 4] = [("CRITICAL", 1), ("HIGH", 3), ("MEDIUM", 4), ("LOW", 4)];

#[derive(Deserialize)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Put {
    scan_type: Option<String>,
    rules: Option<Vec<ScanningRule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchGet {
    repository_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    image_id: ImageId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Describe {
    image_id: ImageId,
    next_token: Option<String>,
    max_results: Option<usize>,
}

/// `PutRegistryScanningConfiguration`.
pub(super) fn put(call: &mut Call<'_>, at: &RegistryKey, input: &Put) -> Answer {
    let held = call.registry(at).scanning.clone();
    let scan_type = input.scan_type.clone().unwrap_or(held.scan_type);
    let rules = input.rules.clone().unwrap_or_default();
    let foreign = if scan_type == "BASIC" {
        "CONTINUOUS_SCAN"
    } else {
        "MANUAL"
    };
    for (index, rule) in rules.iter().enumerate() {
        let frequency = &rule.scan_frequency;
        if frequency == foreign {
            return Err(Refusal::validation(format!(
                "The scan frequency {frequency} is not supported by the scan type {scan_type}"
            ))
            .into());
        }
        if rules[..index]
            .iter()
            .any(|it| it.scan_frequency == *frequency)
        {
            return Err(Refusal::validation(format!(
                "The scan frequency {frequency} is used by more than one rule"
            ))
            .into());
        }
    }
    let scanning = Scanning { scan_type, rules };
    let answer = json!({"registryScanningConfiguration": scanning});
    call.registry(at).scanning = scanning;
    Ok(answer)
}

/// `GetRegistryScanningConfiguration`.
pub(super) fn get(call: &mut Call<'_>, at: &RegistryKey, _: &Nothing) -> Answer {
    let scanning = &call.registry(at).scanning;
    Ok(json!({"registryId": at.account, "scanningConfiguration": scanning}))
}

/// `BatchGetRepositoryScanningConfiguration`.
pub(super) fn batch_get(call: &mut Call<'_>, at: &RegistryKey, input: &BatchGet) -> Answer {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in &input.repository_names {
        match call.find(at, name) {
            Ok(repository) => {
                let scan_on_push = call.repository(&repository).scan_on_push;
                let (frequency, filters) = frequency(call, &repository);
                found.push(json!({
                    "repositoryArn": at.repository_arn(name),
                    "repositoryName": name,
                    "scanOnPush": scan_on_push || frequency == "SCAN_ON_PUSH",
                    "scanFrequency": frequency,
                    "appliedScanFilters": filters,
                }));
            }
            Err(refusal) => failures.push(json!({
                "repositoryName": name,
                "failureCode": "REPOSITORY_NOT_FOUND",
                "failureReason": refusal.message,
            })),
        }
    }
    Ok(json!({"scanningConfigurations": found, "failures": failures}))
}

/// How often the images of a repository are scanned, and which filters say so.
fn frequency(call: &mut Call<'_>, at: &RepositoryAt) -> (String, Value) {
    let rules = call.registry(&at.registry).scanning.rules.clone();
    for frequency in ["CONTINUOUS_SCAN", "SCAN_ON_PUSH"] {
        let rules = rules.iter().filter(|it| it.scan_frequency == frequency);
        let filters: Vec<_> = rules
            .flat_map(|it| &it.repository_filters)
            .filter(|it| it.selects(&at.name))
            .collect();
        if !filters.is_empty() {
            return (frequency.to_owned(), json!(filters));
        }
    }
    let frequency = if call.repository(at).scan_on_push {
        "SCAN_ON_PUSH"
    } else {
        "MANUAL"
    };
    (frequency.to_owned(), json!([]))
}

/// `StartImageScan`.
pub(super) fn start(call: &mut Call<'_>, at: &RepositoryAt, input: &Start) -> Answer {
    if call.registry(&at.registry).scanning.scan_type == "ENHANCED" {
        return Err(Refusal::validation("This feature is disabled").into());
    }
    let now = call.now;
    let repository = call.repository(at);
    let digest = input.image_id.resolve(repository, at)?;
    let image = repository
        .images
        .get_mut(&digest)
        .expect("it was resolved in this repository");
    if image.status != Status::Active {
        return Err(Refusal::new(
            "ImageArchivedException",
            "The specified image is archived and cannot be scanned",
        )
        .into());
    }
    if !is_scannable(image) {
        return Err(Refusal::new(
            "UnsupportedImageTypeException",
            "The image is of a type that cannot be scanned",
        )
        .into());
    }
    if image
        .scanned
        .is_some_and(|it| now.duration_since(it) < ONCE_IN)
    {
        return Err(Refusal::new(
            "LimitExceededException",
            "The scan quota per image has been exceeded. Wait and try again.",
        )
        .into());
    }
    image.scanned = Some(now);
    Ok(json!({
        "registryId": at.registry.account,
        "repositoryName": at.name,
        "imageId": shown(&input.image_id, &digest),
        "imageScanStatus": {"status": "IN_PROGRESS"},
    }))
}

/// Scans an image that was just pushed, where the registry or the repository says so.
pub(super) fn pushed(call: &mut Call<'_>, at: &RepositoryAt, digest: &str) {
    let now = call.now;
    let (frequency, _) = frequency(call, at);
    let image = call.repository(at).images.get_mut(digest);
    if let Some(image) = image.filter(|it| frequency != "MANUAL" && is_scannable(it)) {
        image.scanned = Some(now);
    }
}

/// `DescribeImageScanFindings`. A scan takes no time.
pub(super) fn describe(call: &mut Call<'_>, at: &RepositoryAt, input: &Describe) -> Answer {
    let page = Page::new(
        format!("DescribeImageScanFindings {at:?} {}", input.image_id),
        input.max_results,
        100,
        input.next_token.as_deref(),
    )?;
    let enhanced = call.registry(&at.registry).scanning.scan_type == "ENHANCED";
    let arn = at.registry.repository_arn(&at.name);
    let repository = call.repository(at);
    let digest = input.image_id.resolve(repository, at)?;
    let image = &repository.images[&digest];
    let Some(scanned) = image.scanned else {
        return Err(Refusal::new(
            "ScanNotFoundException",
            format!(
                "Image scan does not exist for the image with '{}' in the repository with name '{}' in the registry with id '{}'",
                input.image_id, at.name, at.registry.account
            ),
        )
        .into());
    };
    let all = findings(&digest);
    let mut counts = serde_json::Map::new();
    for (severity, _) in &all {
        let count = counts
            .get(*severity)
            .and_then(Value::as_u64)
            .unwrap_or_default();
        counts.insert((*severity).to_owned(), (count + 1).into());
    }
    let numbered = all.into_iter().enumerate();
    let (listed, token) = page.take(numbered, |(index, _)| format!("{index:08}"));
    let listed: Vec<Value> = listed
        .into_iter()
        .map(|(_, (severity, name))| match enhanced {
            true => enhanced_finding(at, &arn, &name, severity),
            false => finding(&name, severity),
        })
        .collect();
    let mut findings = json!({
        "imageScanCompletedAt": seconds(scanned),
        "vulnerabilitySourceUpdatedAt": seconds(scanned),
        "findingSeverityCounts": counts,
    });
    findings[if enhanced {
        "enhancedFindings"
    } else {
        "findings"
    }] = listed.into();
    let answer = json!({
        "registryId": at.registry.account,
        "repositoryName": at.name,
        "imageId": shown(&input.image_id, &digest),
        "imageScanStatus": {
            "status": if enhanced { "ACTIVE" } else { "COMPLETE" },
            "description": "The scan was completed successfully.",
        },
        "imageScanFindings": findings,
    });
    Ok(with_token(answer, token))
}

fn is_scannable(image: &Image) -> bool {
    image.children.is_empty()
        && image
            .artifact
            .as_deref()
            .is_none_or(|it| it.contains("image"))
}

fn shown(id: &ImageId, digest: &str) -> ImageId {
    ImageId {
        image_digest: Some(digest.to_owned()),
        image_tag: id.image_tag.clone(),
    }
}

/// Severities and names of what is found in an image, the worst first; an image with the same
/// digest has the same vulnerabilities wherever it is.
fn findings(digest: &str) -> Vec<(&'static str, String)> {
    let hex = digest.rsplit(':').next().unwrap_or_default();
    let byte = |index: usize| {
        hex.get(index * 2..index * 2 + 2)
            .and_then(|it| usize::from_str_radix(it, 16).ok())
    };
    let mut found = Vec::new();
    for (index, (severity, most)) in SEVERITIES.into_iter().enumerate() {
        let count = byte(index).unwrap_or_default() % (most + 1);
        for number in 0..count {
            let year = 2016 + byte(8 + number).unwrap_or_default() % 10;
            let name = format!("CVE-{year}-{:05}", 1000 + index * 97 + number * 13);
            found.push((severity, name));
        }
    }
    found
}

fn finding(name: &str, severity: &str) -> Value {
    json!({
        "name": name,
        "description": "A made-up finding of the emulator",
        "uri": format!("https://cve.mitre.org/cgi-bin/cvename.cgi?name={name}"),
        "severity": severity,
        "attributes": [
            {"key": "package_version", "value": "1.0.0"},
            {"key": "package_name", "value": "emulated"},
        ],
    })
}

fn enhanced_finding(at: &RepositoryAt, arn: &str, name: &str, severity: &str) -> Value {
    json!({
        "awsAccountId": at.registry.account,
        "description": "A made-up finding of the emulator",
        "findingArn": format!("{}:finding/{name}", at.registry.arn().replace(":ecr:", ":inspector2:")),
        "packageVulnerabilityDetails": {
            "vulnerabilityId": name,
            "vendorSeverity": severity,
            "vulnerablePackages": [{"name": "emulated", "version": "1.0.0"}],
        },
        "resources": [{"id": arn, "type": "AWS_ECR_CONTAINER_IMAGE"}],
        "severity": severity,
        "status": "ACTIVE",
        "title": name,
        "type": "PACKAGE_VULNERABILITY",
    })
}
