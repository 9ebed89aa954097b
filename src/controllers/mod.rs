//! Watches, the driver, status and the outcome table: the only code that writes to Kubernetes.

pub mod certificates;
pub mod lease;
pub mod webhook_configuration;
