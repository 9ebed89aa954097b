"""Asks a running emulator every operation of ECR's service model with boto3, and checks each answer,
as it came over the wire, against the model's output shapes: unknown members, missing required ones,
wrong types, values outside an enumeration.

    pip install boto3
    ecr-operator emulator --listen 127.0.0.1:4566 &
    python3 e2e/emulator/conformance.py http://127.0.0.1:4566

The address of another emulator, such as moto's server, shows where the two differ. Exit code 1
when anything is wrong.
"""

import base64
import hashlib
import json
import sys
import time
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URL = next((it for it in sys.argv[1:] if it.startswith("http")), "http://127.0.0.1:4566")
ACCOUNT, REGION = "111111111111", "eu-central-1"
ASKED, WRONG, CHECKS = set(), [], []


def client(service="ecr", account=ACCOUNT, region=REGION, **more):
    config = Config(retries={"max_attempts": 0}, parameter_validation=False)
    made = boto3.client(
        service, endpoint_url=URL, region_name=region, aws_access_key_id=account,
        aws_secret_access_key="secret", config=config, **more)
    if service == "ecr":
        made.meta.events.register("after-call.ecr", examine)
    return made


def examine(http_response, model, **_):
    """Checks an answer against the operation's output shape."""
    ASKED.add(model.name)
    body = json.loads(http_response.content or b"{}")
    if http_response.status_code == 200:
        conform(model.name, body, model.output_shape, model.name)
        return
    code = body.get("__type", "").split("#")[-1]
    known = {it.name for it in model.error_shapes} | {
        "AccessDeniedException", "SerializationException", "ThrottlingException"}
    if code not in known:
        WRONG.append(f"{model.name} does not declare the error {code}: {body.get('message')}")


def conform(name, value, shape, at):
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            return WRONG.append(f"{at} is no structure: {value!r}")
        for member in value:
            if member not in shape.members:
                WRONG.append(f"{at} has an unknown member {member}")
        for member in shape.required_members:
            if member not in value:
                WRONG.append(f"{at} lacks {member}")
        for member, inner in shape.members.items():
            if value.get(member) is not None:
                conform(name, value[member], inner, f"{at}.{member}")
            elif member in value:
                WRONG.append(f"{at}.{member} is null")
    elif kind == "list":
        for index, item in enumerate(value):
            conform(name, item, shape.member, f"{at}[{index}]")
    elif kind == "map":
        for key, item in value.items():
            conform(name, key, shape.key, f"{at} key")
            conform(name, item, shape.value, f"{at}.{key}")
    elif kind == "string":
        if not isinstance(value, str):
            WRONG.append(f"{at} is no string: {value!r}")
        elif shape.enum and value not in shape.enum:
            WRONG.append(f"{at} is {value!r}, not one of {shape.enum}")
    elif kind in ("integer", "long"):
        if isinstance(value, bool) or not isinstance(value, int):
            WRONG.append(f"{at} is no {kind}: {value!r}")
    elif kind == "boolean" and not isinstance(value, bool):
        WRONG.append(f"{at} is no boolean: {value!r}")
    elif kind in ("timestamp", "double", "float") and (
            isinstance(value, bool) or not isinstance(value, (int, float))):
        WRONG.append(f"{at} is no {kind}: {value!r}")


def check(what, holds):
    CHECKS.append((what, bool(holds)))
    if not holds:
        print("FAILED", what)


def refused(what, code, call, **arguments):
    try:
        call(**arguments)
        check(f"{what}: expected {code}, got an answer", False)
    except ClientError as error:
        got = error.response["Error"]["Code"]
        check(f"{what}: expected {code}, got {got}", got == code)


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def upload(ecr, repository, content):
    begun = ecr.initiate_layer_upload(repositoryName=repository)
    ecr.upload_layer_part(
        repositoryName=repository, uploadId=begun["uploadId"], partFirstByte=0,
        partLastByte=len(content) - 1, layerPartBlob=content)
    return ecr.complete_layer_upload(
        repositoryName=repository, uploadId=begun["uploadId"], layerDigests=[digest(content)])


def push(ecr, repository, tag, content=b"layer", subject=None, **more):
    config = json.dumps({"architecture": "amd64", "os": "linux", "of": tag}).encode()
    for blob in (content, config):
        try:
            upload(ecr, repository, blob)
        except ecr.exceptions.LayerAlreadyExistsException:
            pass
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                   "digest": digest(config), "size": len(config)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": digest(content), "size": len(content)}],
    }
    if subject:
        manifest |= {"subject": subject, "artifactType": "application/vnd.example.sbom",
                     "annotations": {"made": "up"}}
    arguments = {"repositoryName": repository, "imageManifest": json.dumps(manifest), **more}
    if not subject:
        arguments["imageTag"] = tag
    return ecr.put_image(**arguments)["image"]


LIFECYCLE = json.dumps({"rules": [{
    "rulePriority": 1, "description": "keep one",
    "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
    "action": {"type": "expire"}}]})


def repositories(ecr):
    made = ecr.create_repository(repositoryName="web", tags=[{"Key": "team", "Value": "a"}])["repository"]
    arn = made["repositoryArn"]
    check("a repository's URI", made["repositoryUri"] == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web")
    refused("twice", "RepositoryAlreadyExistsException", ecr.create_repository, repositoryName="web")
    refused("a bad name", "InvalidParameterException", ecr.create_repository, repositoryName="Bad_")
    refused("no name", "InvalidParameterException", ecr.create_repository)
    refused("absent", "RepositoryNotFoundException", ecr.describe_repositories, repositoryNames=["nope"])
    ecr.put_image_tag_mutability(repositoryName="web", imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
                                 imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev*"}])
    refused("filters without exclusion", "InvalidParameterException", ecr.put_image_tag_mutability,
            repositoryName="web", imageTagMutability="MUTABLE",
            imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev*"}])
    ecr.put_image_scanning_configuration(repositoryName="web", imageScanningConfiguration={"scanOnPush": True})
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "stage", "Value": "dev"}])
    ecr.untag_resource(resourceArn=arn, tagKeys=["team"])
    check("tags", ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "stage", "Value": "dev"}])
    refused("no policy", "RepositoryPolicyNotFoundException", ecr.get_repository_policy, repositoryName="web")
    policy = {"Version": "2012-10-17", "Statement": [{
        "Sid": "pull", "Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": ["ecr:BatchGetImage"]}]}
    ecr.set_repository_policy(repositoryName="web", policyText=json.dumps(policy))
    got = json.loads(ecr.get_repository_policy(repositoryName="web")["policyText"])
    check("a root ARN", got["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::222222222222:root"})
    ecr.delete_repository_policy(repositoryName="web")
    refused("a bad policy", "InvalidParameterException", ecr.set_repository_policy, repositoryName="web", policyText="{}")
    names = [f"many/{it:02}" for it in range(12)]
    for name in names:
        ecr.create_repository(repositoryName=name)
    pages = list(ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 5}))
    check("pages", [len(it["repositories"]) for it in pages] == [5, 5, 3])


def images(ecr):
    ecr.create_repository(repositoryName="app")
    push(ecr, "app", "v0", b"zero")
    first = push(ecr, "app", "v1", b"one")
    push(ecr, "app", "v2", b"two")
    refused("the same again", "ImageAlreadyExistsException", push, ecr=ecr, repository="app", tag="v1", content=b"one")
    ecr.create_repository(repositoryName="bare")
    ecr.put_image(repositoryName="bare", imageManifest=first["imageManifest"], imageTag="v1")
    ecr.delete_repository(repositoryName="bare", force=True)
    refused("no layers", "LayersNotFoundException", ecr.put_image, repositoryName="app",
            imageManifest=first["imageManifest"].replace("sha256:", "sha256:0"), imageTag="v3")
    refused("another digest", "ImageDigestDoesNotMatchException", ecr.put_image, repositoryName="app",
            imageManifest=first["imageManifest"] + " ", imageDigest="sha256:" + "0" * 64)
    index = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        {"digest": first["imageId"]["imageDigest"], "size": len(first["imageManifest"]),
         "mediaType": "application/vnd.oci.image.manifest.v1+json"}]})
    ecr.put_image(repositoryName="app", imageManifest=index, imageTag="multi")
    refused("absent children", "ReferencedImagesNotFoundException", ecr.put_image, repositoryName="app",
            imageManifest=index.replace("sha256:", "sha256:0"), imageTag="multi2")
    failures = ecr.batch_delete_image(repositoryName="app", imageIds=[{"imageDigest": first["imageId"]["imageDigest"]}])["failures"]
    check("an index holds its image", failures[0]["failureCode"] == "ImageReferencedByManifestList")
    layer = digest(b"one")
    check("availability", [it["layerAvailability"] for it in ecr.batch_check_layer_availability(
        repositoryName="app", layerDigests=[layer, "sha256:" + "0" * 64])["layers"]] == ["AVAILABLE", "UNAVAILABLE"])
    url = ecr.get_download_url_for_layer(repositoryName="app", layerDigest=layer)["downloadUrl"]
    check("a layer's address works", urllib.request.urlopen(url).read() == b"one")
    refused("no such layer", "LayersNotFoundException", ecr.get_download_url_for_layer, repositoryName="app", layerDigest="sha256:" + "0" * 64)
    begun = ecr.initiate_layer_upload(repositoryName="app")["uploadId"]
    refused("nothing uploaded", "EmptyUploadException", ecr.complete_layer_upload, repositoryName="app", uploadId=begun, layerDigests=[layer])
    refused("a gap", "InvalidLayerPartException", ecr.upload_layer_part, repositoryName="app", uploadId=begun, partFirstByte=5, partLastByte=6, layerPartBlob=b"ab")
    refused("no upload", "UploadNotFoundException", ecr.complete_layer_upload, repositoryName="app", uploadId="0" * 8 + "-0000-0000-0000-" + "0" * 12, layerDigests=[layer])
    subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": first["imageId"]["imageDigest"], "size": len(first["imageManifest"])}
    push(ecr, "app", "sbom", b"sbom", subject=subject)
    found = ecr.list_image_referrers(repositoryName="app", subjectId={"imageDigest": subject["digest"]})["referrers"]
    check("a referrer", [it["artifactType"] for it in found] == ["application/vnd.example.sbom"])
    check("images", len(ecr.describe_images(repositoryName="app")["imageDetails"]) == 5)
    check("identifiers", len(ecr.list_images(repositoryName="app", filter={"tagStatus": "UNTAGGED"})["imageIds"]) == 1)
    got = ecr.batch_get_image(repositoryName="app", imageIds=[{"imageTag": "v1"}, {"imageTag": "nope"}])
    check("a batch", len(got["images"]) == 1 and got["failures"][0]["failureCode"] == "ImageNotFound")
    pulled = ecr.describe_images(repositoryName="app", imageIds=[{"imageTag": "v1"}])["imageDetails"][0]
    check("a pull is recorded", "lastRecordedPullTime" in pulled)
    refused("an index holds it", "ImageStorageClassUpdateNotSupportedException", ecr.update_image_storage_class,
            repositoryName="app", imageId={"imageTag": "v1"}, targetStorageClass="ARCHIVE")
    ecr.update_image_storage_class(repositoryName="app", imageId={"imageTag": "v2"}, targetStorageClass="ARCHIVE")
    refused("scan of an archived image", "ImageArchivedException", ecr.start_image_scan, repositoryName="app", imageId={"imageTag": "v2"})
    check("archived is not listed", len(ecr.describe_images(repositoryName="app")["imageDetails"]) == 4)
    archived = ecr.describe_images(repositoryName="app", filter={"imageStatus": "ARCHIVED"})["imageDetails"]
    check("archived on request", [it["imageStatus"] for it in archived] == ["ARCHIVED"])
    restored = ecr.update_image_storage_class(repositoryName="app", imageId={"imageTag": "v2"}, targetStorageClass="STANDARD")
    check("restoring", restored["imageStatus"] == "ACTIVATING")


def scans(ecr):
    refused("never scanned", "ScanNotFoundException", ecr.describe_image_scan_findings, repositoryName="app", imageId={"imageTag": "v1"})
    ecr.start_image_scan(repositoryName="app", imageId={"imageTag": "v1"})
    refused("once a day", "LimitExceededException", ecr.start_image_scan, repositoryName="app", imageId={"imageTag": "v1"})
    refused("an index", "UnsupportedImageTypeException", ecr.start_image_scan, repositoryName="app", imageId={"imageTag": "multi"})
    found = ecr.describe_image_scan_findings(repositoryName="app", imageId={"imageTag": "v1"})
    check("a scan completes", found["imageScanStatus"]["status"] == "COMPLETE")
    ecr.put_registry_scanning_configuration(scanType="BASIC", rules=[
        {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "app*", "filterType": "WILDCARD"}]}])
    check("scanning", ecr.get_registry_scanning_configuration()["scanningConfiguration"]["scanType"] == "BASIC")
    got = ecr.batch_get_repository_scanning_configuration(repositoryNames=["app", "nope"])
    check("frequency", got["scanningConfigurations"][0]["scanFrequency"] == "SCAN_ON_PUSH")
    check("no such repository", got["failures"][0]["failureCode"] == "REPOSITORY_NOT_FOUND")
    refused("basic is not continuous", "ValidationException", ecr.put_registry_scanning_configuration, scanType="BASIC", rules=[
        {"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}])


def lifecycle(ecr):
    refused("no policy", "LifecyclePolicyNotFoundException", ecr.get_lifecycle_policy, repositoryName="app")
    refused("no policy to preview", "LifecyclePolicyNotFoundException", ecr.start_lifecycle_policy_preview, repositoryName="app")
    refused("no preview", "LifecyclePolicyPreviewNotFoundException", ecr.get_lifecycle_policy_preview, repositoryName="app")
    ecr.put_lifecycle_policy(repositoryName="app", lifecyclePolicyText=LIFECYCLE)
    ecr.get_lifecycle_policy(repositoryName="app")
    ecr.start_lifecycle_policy_preview(repositoryName="app")
    refused("one at a time", "LifecyclePolicyPreviewInProgressException", ecr.start_lifecycle_policy_preview, repositoryName="app")
    while (got := ecr.get_lifecycle_policy_preview(repositoryName="app"))["status"] == "IN_PROGRESS":
        time.sleep(0.2)
    check("a preview", got["summary"]["expiringImageTotalCount"] >= 1 and got["previewResults"][0]["action"]["type"] == "EXPIRE")
    refused("a bad policy", "InvalidParameterException", ecr.put_lifecycle_policy, repositoryName="app",
            lifecyclePolicyText=LIFECYCLE.replace("any", "some"))
    ecr.delete_lifecycle_policy(repositoryName="app")


def registry(ecr):
    refused("no registry policy", "RegistryPolicyNotFoundException", ecr.get_registry_policy)
    policy = {"Version": "2012-10-17", "Statement": [{
        "Sid": "replicate", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
        "Action": ["ecr:ReplicateImage", "ecr:CreateRepository"],
        "Resource": [f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/*"]}]}
    ecr.put_registry_policy(policyText=json.dumps(policy))
    ecr.get_registry_policy()
    ecr.delete_registry_policy()
    for name, value in (("BLOB_MOUNTING", "ENABLED"), ("BASIC_SCAN_TYPE_VERSION", "AWS_NATIVE"), ("REGISTRY_POLICY_SCOPE", "V2")):
        ecr.put_account_setting(name=name, value=value)
        check(name, ecr.get_account_setting(name=name)["value"] == value)
    refused("no such setting", "ValidationException", ecr.put_account_setting, name="NOPE", value="x")
    role = f"arn:aws:iam::{ACCOUNT}:role/scanner"
    ecr.register_pull_time_update_exclusion(principalArn=role)
    refused("twice", "ExclusionAlreadyExistsException", ecr.register_pull_time_update_exclusion, principalArn=role)
    check("exclusions", ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == [role])
    ecr.deregister_pull_time_update_exclusion(principalArn=role)
    refused("gone", "ExclusionNotFoundException", ecr.deregister_pull_time_update_exclusion, principalArn=role)
    refused("no signing", "SigningConfigurationNotFoundException", ecr.get_signing_configuration)
    profile = f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/ours"
    ecr.put_signing_configuration(signingConfiguration={"rules": [
        {"signingProfileArn": profile, "repositoryFilters": [{"filter": "app", "filterType": "WILDCARD_MATCH"}]}]})
    ecr.get_signing_configuration()
    push(ecr, "app", "signed", b"signed")
    signed = ecr.describe_image_signing_status(repositoryName="app", imageId={"imageTag": "signed"})
    check("signed", [it["status"] for it in signed["signingStatuses"]] == ["COMPLETE"])
    ecr.delete_signing_configuration()
    ecr.describe_registry()
    check("a token", base64.b64decode(ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]).startswith(b"AWS:"))


def templates(ecr):
    made = ecr.create_repository_creation_template(
        prefix="cache", description="caches", appliedFor=["PULL_THROUGH_CACHE", "REPLICATION"],
        imageTagMutability="IMMUTABLE", lifecyclePolicy=LIFECYCLE,
        encryptionConfiguration={"encryptionType": "AES256"}, resourceTags=[{"Key": "a", "Value": "b"}],
        customRoleArn=f"arn:aws:iam::{ACCOUNT}:role/templates")
    check("a template", made["repositoryCreationTemplate"]["imageTagMutability"] == "IMMUTABLE")
    refused("twice", "TemplateAlreadyExistsException", ecr.create_repository_creation_template, prefix="cache", appliedFor=["REPLICATION"])
    ecr.update_repository_creation_template(prefix="cache", description="all caches")
    got = ecr.describe_repository_creation_templates()["repositoryCreationTemplates"][0]
    check("changed", got["description"] == "all caches" and got["imageTagMutability"] == "IMMUTABLE")
    ecr.delete_repository_creation_template(prefix="cache")
    refused("gone", "TemplateNotFoundException", ecr.delete_repository_creation_template, prefix="cache")


def pull_through(ecr):
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="k8s", upstreamRegistryUrl="registry.k8s.io")
    refused("twice", "PullThroughCacheRuleAlreadyExistsException", ecr.create_pull_through_cache_rule,
            ecrRepositoryPrefix="k8s", upstreamRegistryUrl="registry.k8s.io")
    refused("unsupported", "UnsupportedUpstreamRegistryException", ecr.create_pull_through_cache_rule,
            ecrRepositoryPrefix="ex", upstreamRegistryUrl="registry.example.com")
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ecr-pullthroughcache/hub-AbCdEf"
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="hub", upstreamRegistryUrl="registry-1.docker.io", credentialArn=secret)
    ecr.update_pull_through_cache_rule(ecrRepositoryPrefix="hub", credentialArn=secret)
    check("rules", len(ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]) == 2)
    ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="k8s")
    ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="k8s")
    refused("gone", "PullThroughCacheRuleNotFoundException", ecr.delete_pull_through_cache_rule, ecrRepositoryPrefix="k8s")


def replication(ecr):
    there = client(region="eu-west-1")
    destination = {"region": "eu-west-1", "registryId": ACCOUNT}
    refused("to itself", "InvalidParameterException", ecr.put_replication_configuration, replicationConfiguration={
        "rules": [{"destinations": [{"region": REGION, "registryId": ACCOUNT}]}]})
    refused("not configured", "ValidationException", ecr.start_replication_backfill, destination=destination)
    ecr.put_replication_configuration(replicationConfiguration={"rules": [{
        "destinations": [destination], "repositoryFilters": [{"filter": "app", "filterType": "PREFIX_MATCH"}]}]})
    pushed = push(ecr, "app", "replicated", b"replicated")
    status = ecr.describe_image_replication_status(repositoryName="app", imageId=pushed["imageId"])
    check("replicated", [it["status"] for it in status["replicationStatuses"]] == ["COMPLETE"])
    check("there", there.describe_images(repositoryName="app")["imageDetails"][0]["imageTags"] == ["replicated"])
    begun = ecr.start_replication_backfill(destination=destination)["replicationBackfillId"]
    refused("one at a time", "ReplicationBackfillInProgressException", ecr.start_replication_backfill, destination=destination)
    ecr.list_replication_backfills()
    while (got := ecr.describe_replication_backfill_results(replicationBackfillId=begun))["status"] in ("PREPARING", "IN_PROGRESS"):
        time.sleep(0.2)
    check("a backfill", got["status"] == "COMPLETE" and got["results"])
    refused("over", "ReplicationBackfillInvalidStatusException", ecr.stop_replication_backfill, replicationBackfillId=begun)
    check("all there", len(there.describe_images(repositoryName="app")["imageDetails"]) == len(ecr.describe_images(repositoryName="app")["imageDetails"]))
    ecr.stop_replication_backfill(replicationBackfillId=ecr.start_replication_backfill(destination=destination)["replicationBackfillId"])


def main():
    ecr = client()
    for part in (repositories, images, scans, lifecycle, registry, templates, pull_through, replication):
        try:
            part(ecr)
        except Exception as error:  # one broken part must not hide the others
            check(f"{part.__name__} ended early: {error}", False)
    ecr.delete_repository(repositoryName="app", force=True)
    everything = set(ecr.meta.service_model.operation_names)
    for missing in sorted(everything - ASKED):
        WRONG.append(f"{missing} was never asked")
    for it in dict.fromkeys(WRONG):
        print("WRONG", it)
    failed = [what for what, holds in CHECKS if not holds]
    print(f"{len(ASKED)} of {len(everything)} operations, {len(CHECKS) - len(failed)} of {len(CHECKS)} checks, {len(set(WRONG))} answers out of shape")
    return 1 if failed or WRONG else 0


if __name__ == "__main__":
    sys.exit(main())
