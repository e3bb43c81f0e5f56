//! Kinds of processors that compute the same bits.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of processor: two of one kind give the same bits from the same graph, weights and inputs.
///
/// The kernels are compiled for several instruction sets and run in the best that a processor has,
/// as `pulp` finds it. Widths of registers decide in which order products are added up, and fused
/// multiply-add rounds once where two operations round twice, so the set decides the last bits;
/// nothing else of a processor does, neither its maker nor the number of its cores. What the
/// kernels do not compute themselves, such as `sin` and the exponential of `f64`, comes from the
/// mathematical library of the system, so this counts too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processor {
    /// The architecture, as Rust names it: `x86_64`, `aarch64`.
    pub architecture: String,
    /// The instruction set that the kernels run in.
    pub instructions: String,
    /// The system and its library: `linux-gnu`, `linux-musl`, `macos`.
    pub system: String,
}

impl Processor {
    /// The one that this runs on.
    pub fn this() -> Self {
        let system = match std::env::consts::OS {
            "linux" if cfg!(target_env = "gnu") => "linux-gnu",
            "linux" if cfg!(target_env = "musl") => "linux-musl",
            other => other,
        };
        Self {
            architecture: std::env::consts::ARCH.to_owned(),
            instructions: instructions().to_owned(),
            system: system.to_owned(),
        }
    }
}

/// The levels among which the kernels choose (`kernels/src/dispatch.rs`): those of the x86-64 psABI
/// from which on there are AVX2 with fused multiply-add and AVX-512.
#[cfg(target_arch = "x86_64")]
fn instructions() -> &'static str {
    macro_rules! has {
        ($($feature:tt),*) => { $(std::arch::is_x86_feature_detected!($feature))&&* };
    }
    let is_v3 = has!("sse4.2", "popcnt", "avx", "avx2", "bmi1", "bmi2", "fma", "lzcnt");
    if is_v3 && has!("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl") {
        "x86-64-v4"
    } else if is_v3 {
        "x86-64-v3"
    } else {
        "x86-64"
    }
}

/// Where an architecture is always compiled for one set, that is NEON on 64-bit Arm, its name says
/// all.
#[cfg(not(target_arch = "x86_64"))]
fn instructions() -> &'static str {
    if cfg!(target_arch = "aarch64") { "neon" } else { "scalar" }
}

impl fmt::Display for Processor {
    /// `x86-64-v4 on linux-gnu`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.architecture.as_str() {
            "x86_64" => write!(f, "{} on {}", self.instructions, self.system),
            other => write!(f, "{other} with {} on {}", self.instructions, self.system),
        }
    }
}
