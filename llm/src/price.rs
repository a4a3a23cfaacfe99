//! What models cost, and what an answer cost: in integer picodollars (10^-12 dollars), since floats drift.
//!
//! An unknown price is `None`, never 0: a 0 would hide the gap.

mod dollars;
mod rates;

use std::borrow::Cow;

use crate::facts::{Provider, list};
use crate::neutral::{Terms, Usage};

pub use dollars::Dollars;
pub use rates::Rates;

/// What a model costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Up to the first tier.
    pub base: Rates,
    /// Rates of longer requests, by rising length.
    pub tiers: Cow<'static, [Tier]>,
    /// OpenAI's flex processing: picodollars for a token of the prompt and for one of the answer, in requests of the
    /// base tier. Others change by the same factor.
    pub flex: Option<[u64; 2]>,
}

/// What a longer request costs, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// More tokens than these in the prompt, cached ones included.
    pub above_input: u64,
    /// What it does not name is as [`Rates::over`] says.
    pub rates: Rates,
}

/// Each set of prices of the built-in list, once.
static PRICES: &[Price] = include!(concat!(env!("OUT_DIR"), "/prices.rs"));

impl Price {
    /// The list price of a provider's model; a dated name falls back to its alias. `None` for an unknown model, and for
    /// one that is not priced by what it reads and writes.
    pub fn of(provider: Provider, model: &str) -> Option<&'static Self> {
        let row = list::find(provider.name(), model)?;
        PRICES.get(usize::from(row.price)).filter(|price| price.base != Rates::default())
    }

    /// A price without tiers.
    pub fn flat(base: Rates) -> Self {
        Self { base, tiers: Cow::Borrowed(&[]), flex: None }
    }

    /// What an answer cost, in picodollars. `None` where a count or the price of what was counted is unknown, and where
    /// the answer was made on terms that no price is known for.
    pub fn cost(&self, usage: &Usage) -> Option<u64> {
        let input = usage.input?;
        let rates = self.rates(input, usage.terms)?;
        // Embedding models write nothing, and report nothing of it.
        let silent = matches!(self.base.output, None | Some(0)).then_some(0);
        let output = usage.output.or(silent)?;
        let cost = rates.input_cost(input, usage)?.checked_add(rates.output_cost(output, usage)?)?;
        u64::try_from(cost).ok()
    }

    /// The rates of a whole request of so many tokens.
    fn rates(&self, input: u64, terms: Option<Terms>) -> Option<Rates> {
        let tier = self.tiers.iter().rev().find(|tier| input > tier.above_input);
        let listed = tier.map_or(self.base, |tier| tier.rates.over(&self.base));
        match terms {
            None | Some(Terms::Listed) => Some(listed),
            Some(Terms::Flex) => {
                let [input, output] = self.flex?;
                Some(listed.scaled([input, self.base.input?], [output, self.base.output?]))
            }
            // platform.claude.com/docs/en/about-claude/pricing, "Data residency pricing": all tokens cost 1.1 times as much.
            Some(Terms::InCountry) => Some(listed.scaled([11, 10], [11, 10])),
            Some(Terms::Other) => None,
        }
    }
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;
