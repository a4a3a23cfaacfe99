use super::escape::plain_run;

/// Appends JSON to a buffer. Commas are placed by looking at the last byte, so members and items are just written.
pub(crate) struct Writer<'o> {
    pub(crate) out: &'o mut Vec<u8>,
}

impl<'o> Writer<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    /// `{`, the members that `body` writes, `}`.
    pub(crate) fn object<E>(&mut self, body: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.separate();
        self.out.push(b'{');
        body(self)?;
        self.out.push(b'}');
        Ok(())
    }

    /// `[`, the items that `body` writes, `]`.
    pub(crate) fn array<E>(&mut self, body: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.separate();
        self.out.push(b'[');
        body(self)?;
        self.out.push(b']');
        Ok(())
    }

    /// A key of the dialect's own and its colon; the value comes next. It must need no escapes.
    pub(crate) fn key(&mut self, key: &'static str) -> &mut Self {
        debug_assert_eq!(plain_run(key.as_bytes(), 0), key.len(), "only plain keys");
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self
    }

    /// A key that came from outside.
    pub(crate) fn any_key(&mut self, key: &str) -> &mut Self {
        self.separate();
        write_string(self.out, key);
        self.out.push(b':');
        self
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.separate();
        write_string(self.out, text);
    }

    /// JSON that is known to be valid, as it stands.
    pub(crate) fn raw(&mut self, json: &str) {
        self.separate();
        self.out.extend_from_slice(json.as_bytes());
    }

    pub(crate) fn unsigned(&mut self, number: u64) {
        self.separate();
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    /// A comma, if what stands before is a finished member or item.
    fn separate(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':' | b',' | b'\n' | b' ')) {
            self.out.push(b',');
        }
    }
}

/// Appends a string with its quotes and the escapes that JSON demands, and no other.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut from = 0;
    loop {
        let at = plain_run(bytes, from);
        out.extend_from_slice(&bytes[from..at]);
        let Some(&byte) = bytes.get(at) else { break };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            low => {
                out.extend_from_slice(b"\\u00");
                out.extend([HEX[usize::from(low >> 4)], HEX[usize::from(low & 15)]]);
            }
        }
        from = at + 1;
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_string_is_written_so_that_serde_json_reads_it(text in any::<String>()) {
            let mut out = Vec::new();
            write_string(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).expect("must be valid"), text);
        }
    }

    #[test]
    fn commas_stand_between_members_and_items_only() {
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        let done: Result<(), ()> = w.object(|w| {
            w.key("a").unsigned(1);
            w.key("b").array(|w| {
                w.string("x,");
                w.string("{");
                w.bool(true);
                w.object(|_| Ok(()))
            })?;
            w.key("c").raw("null");
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(String::from_utf8_lossy(&out), r#"{"a":1,"b":["x,","{",true,{}],"c":null}"#);
    }
}
