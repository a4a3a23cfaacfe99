use super::{Fault, Kind, Reader};
use crate::neutral::{Extra, Raw, Text};

/// A name of protobuf's JSON in camel case: both that and snake case are taken for the same field (protobuf.dev,
/// programming-guides/json).
pub(crate) fn camel(name: Text<'_>) -> Text<'_> {
    if !name.contains('_') {
        return name;
    }
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for c in name.chars() {
        match c {
            '_' => raise = true,
            c if std::mem::take(&mut raise) => camel.push(c.to_ascii_uppercase()),
            c => camel.push(c),
        }
    }
    camel.into()
}

/// The members of a small object, each as it stands: what one means may hang on another that comes after it.
///
/// Values are read a second time, with a reader of their own. `base` is where the bytes of such a reader begin in the
/// request, and every fault that leaves this file counts from the start of the request.
pub(crate) struct Members<'a> {
    /// The offset of the object.
    pub(crate) at: usize,
    /// All of it.
    pub(crate) whole: Raw<'a>,
    list: Vec<Member<'a>>,
}

/// A member that is not null.
pub(crate) struct Member<'a> {
    name: Text<'a>,
    /// The offset of its value.
    pub(crate) at: usize,
    raw: &'a str,
}

impl<'a> Members<'a> {
    /// Reads an object of protobuf's JSON: its names are in camel case then.
    pub(crate) fn read_camel(reader: &mut Reader<'a>, base: usize) -> Result<Self, Fault> {
        let mut members = Self::read(reader, base)?;
        members.list.iter_mut().for_each(|member| member.name = camel(std::mem::take(&mut member.name)));
        Ok(members)
    }

    /// Reads an object; null members say nothing and are not there.
    pub(crate) fn read(reader: &mut Reader<'a>, base: usize) -> Result<Self, Fault> {
        Self::read_here(reader, base).map_err(|fault| Fault { at: base + fault.at, ..fault })
    }

    fn read_here(reader: &mut Reader<'a>, base: usize) -> Result<Self, Fault> {
        reader.peek()?;
        let start = reader.at();
        let mut list = Vec::with_capacity(4);
        reader.object(|reader, key| {
            reader.peek()?;
            let at = base + reader.at();
            let raw = reader.raw()?;
            if raw != "null" {
                list.push(Member { name: key.decode(), at, raw });
            }
            Ok::<(), Fault>(())
        })?;
        Ok(Self { at: base + start, whole: Raw(reader.slice(start, reader.at())), list })
    }

    /// Takes a member out. Given twice, the last one counts, as in most readers.
    pub(crate) fn take(&mut self, name: &str) -> Option<Member<'a>> {
        let last = self.list.iter().rposition(|member| member.name == name)?;
        let taken = self.list.remove(last);
        self.list.retain(|member| member.name != name);
        Some(taken)
    }

    /// Takes a member that must be there.
    pub(crate) fn need(&mut self, name: &str) -> Result<Member<'a>, Fault> {
        self.take(name).ok_or_else(|| Fault::new(self.at, format!("{name} is missing")))
    }

    pub(crate) fn string(&mut self, name: &str) -> Result<Option<Text<'a>>, Fault> {
        self.take(name).map(Member::string).transpose()
    }

    pub(crate) fn bool(&mut self, name: &str) -> Result<Option<bool>, Fault> {
        self.value(name, Reader::bool)
    }

    /// See [`Member::value`].
    pub(crate) fn value<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        self.take(name).map(|member| member.value(read)).transpose()
    }

    pub(crate) fn raw(&mut self, name: &str) -> Option<Raw<'a>> {
        self.take(name).map(|member| Raw(member.raw))
    }

    /// A member by its path, as it stands. It stays where it is.
    pub(crate) fn raw_extra(&self, path: &'static str, name: &str) -> Option<Extra<'a>> {
        let member = self.list.iter().rfind(|member| member.name == name)?;
        Some(Extra { name: format!("{path}.{name}").into(), value: Raw(member.raw) })
    }

    /// The names of what nobody took.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|member| &*member.name)
    }

    /// What nobody took.
    pub(crate) fn rest(self) -> Vec<Extra<'a>> {
        self.list.into_iter().map(Member::into_extra).collect()
    }

    /// What nobody took, each by its path.
    pub(crate) fn rest_in(self, path: &'static str) -> impl Iterator<Item = Extra<'a>> {
        self.rest().into_iter().map(move |extra| Extra { name: format!("{path}.{}", extra.name).into(), ..extra })
    }
}

impl<'a> Member<'a> {
    pub(crate) fn kind(&self) -> Result<Kind, Fault> {
        Reader::of(self.raw).peek()
    }

    /// Reads a value that is no object and no list.
    pub(crate) fn value<T>(self, read: impl FnOnce(&mut Reader<'a>) -> Result<T, Fault>) -> Result<T, Fault> {
        read(&mut Reader::of(self.raw)).map_err(|fault| Fault { at: self.at + fault.at, ..fault })
    }

    pub(crate) fn raw(&self) -> Raw<'a> {
        Raw(self.raw)
    }

    /// As it stands, with its name.
    pub(crate) fn into_extra(self) -> Extra<'a> {
        Extra { name: self.name, value: Raw(self.raw) }
    }

    pub(crate) fn string(self) -> Result<Text<'a>, Fault> {
        self.value(Reader::string)
    }

    /// An object, verbatim.
    pub(crate) fn object(self) -> Result<Raw<'a>, Fault> {
        match self.kind()? {
            Kind::Object => Ok(Raw(self.raw)),
            _ => Err(Fault::new(self.at, "expected an object")),
        }
    }

    pub(crate) fn members(self) -> Result<Members<'a>, Fault> {
        Members::read(&mut Reader::of(self.raw), self.at)
    }

    /// See [`Members::read_camel`].
    pub(crate) fn camel_members(self) -> Result<Members<'a>, Fault> {
        Members::read_camel(&mut Reader::of(self.raw), self.at)
    }

    /// Calls `item` for each item of a list, or for the one that stands for a list of it, with the base of the reader.
    pub(crate) fn each(self, mut item: impl FnMut(&mut Reader<'a>, usize) -> Result<(), Fault>) -> Result<(), Fault> {
        Reader::of(self.raw).each(|reader| item(reader, self.at))
    }

    /// Calls `item` for each item of a list, with the base of the reader.
    pub(crate) fn items(self, mut item: impl FnMut(&mut Reader<'a>, usize) -> Result<(), Fault>) -> Result<(), Fault> {
        if self.kind()? != Kind::Array {
            return Err(Fault::new(self.at, "expected a list"));
        }
        Reader::of(self.raw).array(|reader| item(reader, self.at))
    }
}
