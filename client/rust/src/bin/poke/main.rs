//! The `poke` command.

fn main() {}
