//! Which fields a strict provider knows.

use serde_json::Value;

/// The fields of an object.
pub(crate) struct Fields(pub(crate) &'static [(&'static str, Within)]);

/// What is within a field.
#[derive(Clone, Copy)]
pub(crate) enum Within {
    /// Not looked at.
    Any,
    Object(&'static Fields),
    List(&'static Fields),
    /// An object whose keys are anybody's.
    Map(&'static Fields),
}

/// A step on the way to a place in JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl Fields {
    /// The way to the first field that is not known; the last step is its name. `spelling` brings keys into the form of the
    /// table.
    pub(crate) fn unknown(&self, value: &Value, spelling: fn(&str) -> String) -> Option<Vec<Step>> {
        let mut way = Vec::new();
        self.look(value, spelling, &mut way).then_some(way)
    }

    /// The same value with every key of the table spelled as there.
    pub(crate) fn spelled(&self, value: &Value, spelling: fn(&str) -> String) -> Value {
        let Some(members) = value.as_object() else {
            return value.clone();
        };
        let all = |fields: &Self, items: &[Value]| items.iter().map(|item| fields.spelled(item, spelling)).collect();
        let spell = |(key, value): (&String, &Value)| {
            let name = spelling(key);
            let within = self.0.iter().find(|(known, _)| *known == name).map(|(_, within)| within);
            let value = match (within, value) {
                (Some(Within::Object(fields)), _) => fields.spelled(value, spelling),
                (Some(Within::List(fields)), Value::Array(items)) => all(fields, items),
                (Some(Within::Map(fields)), Value::Object(entries)) => {
                    entries.iter().map(|(key, item)| (key.clone(), fields.spelled(item, spelling))).collect()
                }
                _ => value.clone(),
            };
            (if within.is_some() { name } else { key.clone() }, value)
        };
        Value::Object(members.iter().map(spell).collect())
    }

    fn look(&self, value: &Value, spelling: fn(&str) -> String, way: &mut Vec<Step>) -> bool {
        for (key, value) in value.as_object().into_iter().flatten() {
            way.push(Step::Key(key.clone()));
            let name = spelling(key);
            let Some((_, within)) = self.0.iter().find(|(known, _)| *known == name) else {
                return true;
            };
            let is_unknown = match within {
                Within::Any => false,
                Within::Object(fields) => fields.look(value, spelling, way),
                Within::List(fields) => {
                    let items = value.as_array().into_iter().flatten().enumerate();
                    fields.any(items.map(|(index, item)| (Step::Index(index), item)), spelling, way)
                }
                Within::Map(fields) => {
                    let entries = value.as_object().into_iter().flatten();
                    fields.any(entries.map(|(key, item)| (Step::Key(key.clone()), item)), spelling, way)
                }
            };
            if is_unknown {
                return true;
            }
            way.pop();
        }
        false
    }

    fn any<'a>(
        &self,
        mut items: impl Iterator<Item = (Step, &'a Value)>,
        spelling: fn(&str) -> String,
        way: &mut Vec<Step>,
    ) -> bool {
        items.any(|(step, item)| {
            way.push(step);
            let is_unknown = self.look(item, spelling, way);
            if !is_unknown {
                way.pop();
            }
            is_unknown
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static TREE: Fields =
        Fields(&[("name", Within::Any), ("children", Within::List(&TREE)), ("byName", Within::Map(&TREE))]);

    #[test]
    fn an_unknown_field_is_found_wherever_it_is_and_what_is_free_is_left_alone() {
        let unknown = |value: Value| TREE.unknown(&value, str::to_owned);
        assert_eq!(unknown(json!({"name": {"any": 1}, "children": [{"name": 1}], "byName": {"x": {}}})), None);
        let key = |key: &str| Step::Key(key.to_owned());
        let way = unknown(json!({"children": [{}, {"byName": {"x": {"size": 1}}}]}));
        assert_eq!(way, Some(vec![key("children"), Step::Index(1), key("byName"), key("x"), key("size")]));
    }
}
