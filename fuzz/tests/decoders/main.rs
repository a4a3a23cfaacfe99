//! Fuzz targets for everything that reads bytes of a client or a provider.
//!
//! Each is an ordinary test: on stable it runs for a second with inputs made from seeds, and `cargo bolero` runs the same
//! function under a real fuzzer (see `CONTRIBUTING.md`). What must hold is the same everywhere: no bytes make a decoder
//! panic, or hold more memory than in proportion to them, and how a stream was split is never seen.

mod case;
mod dialects;
mod memory;
mod seeds;
mod targets;

use case::Seeds;

/// A test that is a fuzz target: its name, where its inputs start from, and what is done with each.
macro_rules! fuzz {
    ($($name:ident: $seeds:expr => $target:expr;)*) => {$(
        #[test]
        fn $name() {
            bolero::check!().with_generator($seeds).for_each($target);
        }
    )*};
}

fuzz! {
    a_scan_reads_what_serde_json_reads: Seeds::new(seeds::REQUESTS) => targets::request::json;
    any_request_is_scanned_and_spliced_or_refused: Seeds::new(seeds::REQUESTS) => targets::request::scan;
    any_request_is_translated_or_refused_from_and_to_every_dialect: Seeds::new(seeds::REQUESTS) => targets::request::translate;
    any_answer_is_read_or_refused_from_and_to_every_dialect: Seeds::new(seeds::ANSWERS) => targets::answer::whole;
    any_error_is_classified: Seeds::new(seeds::ERRORS) => targets::answer::error;
    any_stream_is_relayed_the_same_however_it_is_split: Seeds::new(seeds::STREAMS) => targets::stream::relay;
    any_bytes_are_the_same_events_however_they_are_split: Seeds::new(seeds::STREAMS) => targets::stream::split;
}
