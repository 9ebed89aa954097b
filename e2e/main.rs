//! Tests from the outside: the sources themselves, the program, and a real control plane.

mod architecture;
