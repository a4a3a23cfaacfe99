//! Ids of tool calls: Mistral takes nine letters and digits.

use std::collections::HashSet;

use crate::neutral::{Part, Request};
use crate::translate::Names;

const LENGTH: usize = 9;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Gives each call of the history an id that Mistral takes. The same id becomes the same one in every request and in
/// every version, so that a conversation stays what the provider has in its cache.
pub(super) fn rename(request: &Request<'_>, names: &mut Names) {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let calls =
        || parts.clone().filter_map(|part| if let Part::ToolCall(call) = part { Some(&*call.id) } else { None });
    let plain: HashSet<&str> = calls().filter(|id| is_plain(id)).collect();
    for id in calls().filter(|id| !is_plain(id)) {
        if names.sent_call(id) != id {
            continue;
        }
        let taken = |short: &String| names.is_sent_call(short) || plain.contains(&**short);
        let short = (0..).map(|attempt| short(id, attempt)).find(|short| !taken(short)).unwrap_or_default();
        names.rename_call(id, short);
    }
}

fn is_plain(id: &str) -> bool {
    id.len() == LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// FNV-1a over the id, in base 62.
fn short(id: &str, attempt: u32) -> String {
    let bytes = id.bytes().chain(attempt.to_le_bytes());
    let mut hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let base = ALPHABET.len() as u64;
    (0..LENGTH)
        .map(|_| {
            let digit = (hash % base) as usize;
            hash /= base;
            char::from(ALPHABET[digit])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_becomes_the_same_nine_letters_and_digits_in_every_version() {
        assert_eq!(short("call_abc", 0), "aDZKrwVyX");
        for (id, attempt) in [("call_abc", 1), ("", 0), ("toolu_01A09q90qw90lq917835lq9", 0)] {
            assert!(is_plain(&short(id, attempt)), "{id}");
            assert_ne!(short(id, attempt), short("call_abc", 0), "{id}");
        }
    }
}
