//! `weir-hit-ratios`: see [`weir_testbed::hit_ratios`].

use std::io::Write;

fn main() {
    let _ = write!(std::io::stdout(), "{}", weir_testbed::hit_ratios::run());
}
