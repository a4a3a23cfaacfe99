//! The way to a field.

use std::fmt;

use crate::validation::FieldError;

/// The way to a field, as Kubernetes spells it: `spec.targets[0].weight`, `metadata.labels[example.com/tier]`.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root(&'a str),
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    pub(crate) const fn field<'b>(&'b self, name: &'b str) -> Path<'b> {
        Path::Field(self, name)
    }

    pub(crate) const fn item(&self, index: usize) -> Path<'_> {
        Path::Item(self, index)
    }

    pub(crate) fn error(&self, message: &str) -> FieldError {
        FieldError { path: self.to_string(), message: message.to_owned() }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(name) => f.write_str(name),
            Self::Field(parent, name) if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => match parent {
                Path::Root("") => f.write_str(name),
                _ => write!(f, "{parent}.{name}"),
            },
            Self::Field(parent, name) => write!(f, "{parent}[{name}]"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_those_of_kubernetes() {
        let spec = Path::Root("spec");
        assert_eq!(spec.field("targets").item(0).field("weight").to_string(), "spec.targets[0].weight");
        assert_eq!(
            spec.field("matchLabels").field("example.com/tier").to_string(),
            "spec.matchLabels[example.com/tier]"
        );
        assert_eq!(Path::Root("").field("kind").to_string(), "kind");
    }
}
