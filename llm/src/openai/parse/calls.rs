use super::said::Call;
use crate::Dialect;
use crate::json::Fault;
use crate::neutral::{Event, Finish, Text};
use crate::translate::Names;

/// More calls in one answer than any model makes.
const MAX_CALLS: usize = 1024;

/// More bytes of arguments than this are not kept while a call's name is awaited.
const MAX_EARLY: usize = 1 << 20;

/// More of an answer's id does not go into an id that is made up: OpenAI takes forty characters.
const MAX_SEED: usize = 24;

pub(super) const NAMELESS: &str = "a tool call without a name";

/// The tool calls of a stream. Servers number them, or only name them, or neither.
#[derive(Debug, Default)]
pub(super) struct Calls {
    all: Vec<Known>,
    begun: u32,
    /// What makes ids that are made up differ between answers.
    seed: String,
    /// Names the calls as the client does.
    names: Names,
}

/// One call, as far as it came.
#[derive(Debug, Default)]
struct Known {
    /// The provider's number.
    index: Option<u64>,
    /// The provider's id; stays empty where one had to be made up.
    id: String,
    name: String,
    /// Arguments that came before the name.
    early: String,
    /// Its number for the client, once the client knows of it.
    number: Option<u32>,
    has_arguments: bool,
    /// It calls a tool that is no function, which no event tells.
    ignored: bool,
}

impl Calls {
    pub(super) fn new(names: Names) -> Self {
        Self { names, ..Self::default() }
    }

    pub(super) fn start(&mut self, id: &str) {
        self.seed = seed(id);
    }

    /// The client knows of a call.
    pub(super) fn any(&self) -> bool {
        self.begun > 0
    }

    /// Takes a piece of a call. The call begins when its name and id are known; arguments show that no id will come.
    pub(super) fn push<'e>(&mut self, piece: Call<'e>, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        let at = match self.find(&piece) {
            Some(at) => at,
            None if self.all.len() == MAX_CALLS => return Err(Fault::new(0, "too many tool calls")),
            None => {
                self.all.push(Known { index: piece.index, ..Known::default() });
                self.all.len() - 1
            }
        };
        let call = &mut self.all[at];
        call.ignored |= piece.other.is_some();
        if call.ignored {
            return Ok(());
        }
        keep_first(&mut call.id, piece.id);
        keep_first(&mut call.name, piece.name);
        if call.number.is_none() && !call.name.is_empty() && (!call.id.is_empty() || piece.arguments.is_some()) {
            call.begin(&mut self.begun, &self.seed, &self.names, each);
        }
        if let Some(index) = call.number {
            let told = |extra| Event::ToolExtra { index, origin: Dialect::OpenAI, extra: Box::new(extra) };
            piece.extra.into_iter().map(told).for_each(&mut *each);
        }
        piece.arguments.map_or(Ok(()), |json| call.arguments(json, each))
    }

    /// No more pieces come: calls that still waited for an id begin, and those without arguments have an empty object
    /// of them.
    pub(super) fn finish<'e>(&mut self, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        for call in self.all.iter_mut().filter(|call| !call.ignored) {
            if call.name.is_empty() {
                if call.id.is_empty() && call.early.is_empty() {
                    continue;
                }
                return Err(Fault::new(0, NAMELESS));
            }
            if call.number.is_none() {
                call.begin(&mut self.begun, &self.seed, &self.names, each);
            }
            if !call.has_arguments {
                call.arguments("{}".into(), each)?;
            }
        }
        Ok(())
    }

    /// The call that a piece belongs to, if it is known already.
    fn find(&self, piece: &Call<'_>) -> Option<usize> {
        if let Some(index) = piece.index {
            let at = self.all.iter().rposition(|call| call.index == Some(index))?;
            return (!self.all[at].differs(piece)).then_some(at);
        }
        if let Some(id) = &piece.id
            && let Some(at) = self.all.iter().rposition(|call| call.id == **id)
        {
            return Some(at);
        }
        let last = self.all.last()?;
        let awaited = piece.id.is_none() && last.name.is_empty();
        let begins = piece.name.is_some() || (piece.id.is_some() && piece.arguments.is_none());
        (awaited || !begins).then(|| self.all.len() - 1)
    }
}

impl Known {
    /// Some servers give all calls the same number. Others give each piece an id of its own, but only the first a name.
    fn differs(&self, piece: &Call<'_>) -> bool {
        let other = |mine: &str, theirs: &Text<'_>| !mine.is_empty() && mine != theirs;
        piece.name.as_ref().is_some_and(|name| {
            other(&self.name, name) || piece.id.as_ref().is_some_and(|id| other(&self.id, id) && !self.name.is_empty())
        })
    }

    fn begin<'e>(&mut self, begun: &mut u32, seed: &str, names: &Names, each: &mut impl FnMut(Event<'e>)) {
        let index = *begun;
        *begun += 1;
        self.number = Some(index);
        let id = if self.id.is_empty() { made_up_id(seed, index as usize) } else { self.id.clone() };
        let (id, name) = (names.client_call(id.into()), names.client_name(self.name.clone().into()));
        each(Event::ToolStart { index, id, name });
        if !self.early.is_empty() {
            each(Event::ToolArguments { index, json: std::mem::take(&mut self.early).into() });
        }
    }

    fn arguments<'e>(&mut self, json: Text<'e>, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        self.has_arguments |= !json.trim_ascii().is_empty();
        match self.number {
            Some(index) => each(Event::ToolArguments { index, json }),
            None if self.early.len() + json.len() > MAX_EARLY => return Err(Fault::new(0, NAMELESS)),
            None => self.early.push_str(&json),
        }
        Ok(())
    }
}

fn keep_first(known: &mut String, said: Option<Text<'_>>) {
    if let Some(said) = said.filter(|_| known.is_empty()) {
        *known = said.into_owned();
    }
}

/// Some servers say stop where tools are to be called.
pub(super) fn finish(finish: Finish, has_calls: bool) -> Finish {
    if finish == Finish::Stop && has_calls { Finish::ToolCalls } else { finish }
}

/// The end of an answer's id, where it differs most, in the letters that every provider takes in the id of a call.
pub(crate) fn seed(id: &str) -> String {
    let letters: Vec<char> = id.chars().rev().filter(char::is_ascii_alphanumeric).take(MAX_SEED).collect();
    letters.into_iter().rev().collect()
}

/// An id for a call that came without one: the same for the same call, and another for each call and each answer.
pub(crate) fn made_up_id(seed: &str, number: usize) -> String {
    if seed.is_empty() { format!("call_{number}") } else { format!("call_{seed}_{number}") }
}
