//! Takes a spec that is right and breaks it in every way that its schema forbids, one at a time.

use std::collections::BTreeSet;

use penstock_crds::Kind;
use serde_json::{Map, Value, json};

/// A spec with one thing wrong.
pub(super) struct Broken {
    /// The field, as the API server names it; of a list's item, the list.
    pub(super) field: String,
    /// What was done to it.
    pub(super) how: String,
    pub(super) spec: Value,
}

/// Breaks every bound of every field that `spec` has, and adds those fields to `tried`.
pub(super) fn break_every_bound(kind: Kind, spec: &Value, tried: &mut BTreeSet<String>) -> Vec<Broken> {
    let mut walk = Walk { whole: spec, tried, broken: Vec::new() };
    walk.visit(&super::schema(kind), spec, &Place::root());
    walk.broken
}

/// Every field of a kind's spec, without the numbers of list items.
pub(super) fn fields(kind: Kind) -> BTreeSet<String> {
    fn collect(schema: &Value, field: &str, into: &mut BTreeSet<String>) {
        into.insert(field.to_owned());
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            collect(property, &format!("{field}.{name}"), into);
        }
        if schema.get("items").is_some() {
            collect(&schema["items"], &format!("{field}[]"), into);
        }
    }
    let mut all = BTreeSet::new();
    collect(&super::schema(kind), "spec", &mut all);
    all
}

/// Where a value is: as a JSON pointer into the spec, as the server's path, and as a field of the schema.
#[derive(Clone)]
struct Place {
    pointer: String,
    path: String,
    field: String,
}

impl Place {
    fn root() -> Self {
        Self { pointer: String::new(), path: "spec".to_owned(), field: "spec".to_owned() }
    }

    fn member(&self, name: &str) -> Self {
        Self {
            pointer: format!("{}/{name}", self.pointer),
            path: format!("{}.{name}", self.path),
            field: format!("{}.{name}", self.field),
        }
    }

    fn item(&self, index: usize) -> Self {
        Self {
            pointer: format!("{}/{index}", self.pointer),
            path: format!("{}[{index}]", self.path),
            field: format!("{}[]", self.field),
        }
    }
}

struct Walk<'a> {
    whole: &'a Value,
    tried: &'a mut BTreeSet<String>,
    broken: Vec<Broken>,
}

impl Walk<'_> {
    fn visit(&mut self, schema: &Value, value: &Value, place: &Place) {
        self.tried.insert(place.field.clone());
        self.put(place, "of another type", if value.is_string() { json!(7) } else { json!("text") });
        match value {
            Value::Object(members) => self.visit_object(schema, members, place),
            Value::Array(items) => self.visit_list(schema, items, place),
            Value::String(_) => self.visit_text(schema, place),
            Value::Number(_) => self.visit_number(schema, place),
            Value::Bool(_) | Value::Null => {}
        }
    }

    fn visit_object(&mut self, schema: &Value, members: &Map<String, Value>, place: &Place) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let mut without = members.clone();
            without.remove(name);
            self.put(place, &format!("without {name}"), Value::Object(without));
        }
        if let Some(most) = schema["maxProperties"].as_u64() {
            let many = (0..=most).map(|number| (format!("k{number}"), json!("v"))).collect();
            self.put(place, "with too many entries", Value::Object(many));
        }
        for (name, member) in members {
            let property = schema["properties"].get(name).unwrap_or(&schema["additionalProperties"]);
            self.visit(property, member, &place.member(name));
        }
    }

    fn visit_list(&mut self, schema: &Value, items: &[Value], place: &Place) {
        if schema["minItems"].as_u64().is_some_and(|least| least > 0) {
            self.put(place, "with too few items", json!([]));
        }
        let Some(first) = items.first() else { return };
        if let Some(most) = schema["maxItems"].as_u64() {
            let many = (0..=most).map(|_| first.clone()).collect();
            self.put(place, "with too many items", Value::Array(many));
        }
        if schema.get("x-kubernetes-list-type").is_some() {
            self.put(place, "with an item twice", json!([first, first]));
        }
        for (index, item) in items.iter().enumerate() {
            self.visit(&schema["items"], item, &place.item(index));
        }
    }

    fn visit_text(&mut self, schema: &Value, place: &Place) {
        if schema.get("enum").is_some() {
            self.put(place, "with a word that is not known", json!("Nonsense"));
        }
        if schema.get("pattern").is_some() {
            self.put(place, "in another form", json!("not this!"));
        }
        if schema["minLength"].as_u64().is_some_and(|least| least > 0) {
            self.put(place, "empty", json!(""));
        }
        if let Some(most) = schema["maxLength"].as_u64() {
            self.put(place, "too long", Value::String((0..=most).map(|_| 'a').collect()));
        }
    }

    fn visit_number(&mut self, schema: &Value, place: &Place) {
        #[expect(clippy::cast_possible_truncation, reason = "bounds are far below 2^53")]
        let bound = |name: &str| schema[name].as_f64().map(|bound| bound as i64);
        if let Some(least) = bound("minimum") {
            self.put(place, "too small", json!(least - 1));
        }
        if let Some(most) = bound("maximum") {
            self.put(place, "too large", json!(most + 1));
        }
    }

    fn put(&mut self, place: &Place, how: &str, value: Value) {
        let mut spec = self.whole.clone();
        *spec.pointer_mut(&place.pointer).expect("must be there: the walk came from it") = value;
        self.broken.push(Broken { field: place.path.clone(), how: how.to_owned(), spec });
    }
}
