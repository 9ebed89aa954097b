//! Admission from the outside: the listener over real TLS, and a real API server that calls it.

mod attacked;
mod attacks;
mod called;
mod clients;
mod cluster;
mod fixture;
mod health;
mod listener;
mod load;
mod names;
mod rotation;
