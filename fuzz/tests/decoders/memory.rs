use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Bytes that a decoder may hold for each byte it is given: one of `[0,0,0]` becomes a value of `serde_json`, one of
/// `{},{},{}` a part of the neutral form, and a buffer that grows is there twice.
const FOR_EACH_BYTE: u64 = 64;
/// And what it may hold for no bytes at all.
const FOR_NONE: u64 = 64 << 10;

/// Runs a decoder over so many bytes, and fails if it held too much at any time.
pub(crate) fn bounded<T>(len: usize, decode: impl FnOnce() -> T) -> T {
    let mut result = None;
    let held = allocation_counter::measure(|| result = Some(catch_unwind(AssertUnwindSafe(decode)))).bytes_max;
    let limit = FOR_NONE + FOR_EACH_BYTE * u64::try_from(len).expect("must fit");
    match result.expect("must have run") {
        Ok(result) => {
            assert!(held <= limit, "{held} bytes were held for {len}");
            result
        }
        Err(panic) => resume_unwind(panic),
    }
}
