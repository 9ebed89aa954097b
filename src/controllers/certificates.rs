//! The admission server's certificates are our own: an authority and a serving certificate in one
//! Secret, renewed when two thirds of their life are over, without a failed handshake. Only the
//! leader writes the Secret; every replica shows what it keeps. Private keys are never logged.

mod issue;
mod plan;
mod store;

pub use issue::{Authority, PrivateKey, Serving, Term};
pub use plan::{Lifetimes, Step, plan};
pub use store::{Store, Unusable};

#[cfg(test)]
mod tests;
