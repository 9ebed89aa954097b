//! Our finalizer on an object: put before the first thing is made in AWS, taken off when nothing of
//! ours is left there. Both are JSON patches that test what they expect, so a race is a conflict
//! and never a lost finalizer of somebody else.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation, TestOperation};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::Context;
use super::driver::{MANAGER, Reconcile};
use crate::api::FINALIZER;

/// Puts our finalizer on `object` if it is not there; gives the version that the object is of then.
///
/// # Errors
/// When the API server refuses, for instance because the object has changed meanwhile.
pub async fn put<K: Reconcile>(cx: &Context, object: &K) -> kube::Result<Option<String>> {
    if is_on(object) {
        return Ok(object.resource_version());
    }
    let finalizers = object.finalizers();
    let operations = if finalizers.is_empty() {
        vec![
            test("/metadata/finalizers", Value::Null),
            add("/metadata/finalizers", json!([FINALIZER])),
        ]
    } else {
        vec![
            test("/metadata/finalizers", json!(finalizers)),
            add("/metadata/finalizers/-", json!(FINALIZER)),
        ]
    };
    patch(cx, object, operations).await
}

/// Takes our finalizer off `object`, if it still is what it was when nothing was found to be left:
/// something may have been recorded since.
///
/// # Errors
/// When the API server refuses, for instance because the object has changed meanwhile. An object
/// that is gone already is no error.
pub async fn take_off<K: Reconcile>(cx: &Context, object: &K) -> kube::Result<()> {
    let Some(at) = object.finalizers().iter().position(|it| it == FINALIZER) else {
        return Ok(());
    };
    let path = format!("/metadata/finalizers/{at}");
    let remove = PatchOperation::Remove(RemoveOperation {
        path: pointer(&path),
    });
    let version = test(
        "/metadata/resourceVersion",
        json!(object.resource_version()),
    );
    let operations = vec![version, test(&path, json!(FINALIZER)), remove];
    match patch(cx, object, operations).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        result => result.map(drop),
    }
}

/// Whether our finalizer is on `object`.
pub fn is_on<K: ResourceExt>(object: &K) -> bool {
    object.finalizers().iter().any(|it| it == FINALIZER)
}

async fn patch<K: Reconcile>(
    cx: &Context,
    object: &K,
    operations: Vec<PatchOperation>,
) -> kube::Result<Option<String>> {
    let uid = test("/metadata/uid", json!(object.uid()));
    let operations = std::iter::once(uid).chain(operations).collect();
    let patch = Patch::<()>::Json(json_patch::Patch(operations));
    let params = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    object
        .api(&cx.client)
        .patch(&object.name_any(), &params, &patch)
        .await
        .map(|it| it.resource_version())
}

fn test(path: &str, value: Value) -> PatchOperation {
    PatchOperation::Test(TestOperation {
        path: pointer(path),
        value,
    })
}

fn add(path: &str, value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation {
        path: pointer(path),
        value,
    })
}

fn pointer(path: &str) -> PointerBuf {
    PointerBuf::parse(path).expect("the pointers above are written by hand or end in an index")
}
