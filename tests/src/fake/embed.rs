//! Embeddings: a few numbers that depend on the text and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How many numbers a vector has when nobody asks for another length.
pub(crate) const LENGTH: usize = 8;

/// The vector of a text: sixteenths from 0 to 1, which every number format has exactly.
pub(crate) fn vector(text: &str, length: usize) -> Vec<f32> {
    // FNV-1a, a step for every number.
    let mut hash: u32 = 0x811c_9dc5;
    let mut step = |byte: u8| {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        u8::try_from(hash >> 28).unwrap_or_default()
    };
    for byte in text.bytes() {
        step(byte);
    }
    (0..length).map(|_| f32::from(step(0)) / 16.0).collect()
}

/// The same as little-endian floats in base64.
pub(crate) fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_has_one_vector_and_another_has_another() {
        assert_eq!(vector("hello", 4), vector("hello", 8)[..4]);
        assert_ne!(vector("hello", 4), vector("world", 4));
    }
}
