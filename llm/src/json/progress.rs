/// Tells where an object ends whose text comes in pieces.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Progress {
    depth: u32,
    in_string: bool,
    escaped: bool,
    whole: bool,
}

impl Progress {
    pub(crate) fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.whole |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    /// The object is closed: nothing more can belong to it.
    pub(crate) fn is_whole(self) -> bool {
        self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_in_pieces_is_whole_at_its_last_brace_and_not_before() {
        let json = r#"{"a":"}\"}","b":[{"c":"\\"}],"d":{}}"#;
        let mut progress = Progress::default();
        for (index, _) in json.char_indices() {
            assert!(!progress.is_whole(), "at {index}");
            progress.push(&json[index..=index]);
        }
        assert!(progress.is_whole());
    }
}
