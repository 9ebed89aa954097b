//! Bodies as they are on the wire. The SDK drops fields that are newer than it, and would so take
//! them away from whoever put them: documents that others have a part in are read and written raw.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ecr::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_ecr::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

/// Keeps the body of the answer to one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Answered(Arc<Mutex<Vec<u8>>>);

impl Answered {
    /// The answer; `None` where it is no JSON.
    pub(super) fn json(&self) -> Option<Value> {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::from_slice(&body).ok()
    }
}

impl Intercept for Answered {
    fn name(&self) -> &'static str {
        "Answered"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = body.to_vec();
        Ok(())
    }
}

/// Sends this in place of what the SDK wrote, before it is signed.
#[derive(Clone, Debug)]
pub(super) struct Body(pub(super) Value);

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "Body"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = self.0.to_string();
        let request = context.request_mut();
        let length = body.len().to_string();
        request.headers_mut().insert("content-length", length);
        *request.body_mut() = SdkBody::from(body);
        Ok(())
    }
}
