//! Admission from the outside: the listener over real TLS, and a real API server that calls it.

mod called;
mod cluster;
mod fixture;
mod listener;
mod load;
mod rotation;
