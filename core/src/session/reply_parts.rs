//! Large answers of the peer's that come in parts.

use std::collections::BTreeMap;

use super::chunking::Assembly;
use super::code::CloseCode;
use super::config::Limits;
use super::wire::{Parsed, violation};

/// One answer of which parts have come.
#[derive(Debug)]
struct InParts {
    failure: bool,
    assembly: Assembly,
}

/// A whole answer: of which call, whether a failure, and its content unless nobody wants it.
#[derive(Debug)]
pub(super) struct WholeAnswer {
    pub(super) failure: bool,
    pub(super) content: Vec<u8>,
}

/// The answers in parts, by the number of their call. There are few: the limit is told in Hello.
#[derive(Debug)]
pub(super) struct ReplyParts {
    answers: BTreeMap<u64, InParts>,
    max_partial: usize,
    max_message: usize,
}

impl ReplyParts {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            answers: BTreeMap::new(),
            max_partial: limits.max_partial as usize,
            max_message: limits.max_message,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.answers.clear();
    }

    pub(super) fn buffered(&self) -> usize {
        let parts = self.answers.values();
        parts.fold(0, |sum, answer| {
            sum.saturating_add(answer.assembly.buffered())
        })
    }

    /// One call is answered once.
    #[inline]
    pub(super) fn check_not_begun(&self, seq: u64) -> Parsed<()> {
        if self.answers.contains_key(&seq) {
            return violation(CloseCode::DuplicateId, "a second answer within the first");
        }
        Ok(())
    }

    /// The first part came; what is not `wanted` is counted and thrown away.
    pub(super) fn begin(
        &mut self,
        seq: u64,
        failure: bool,
        total: usize,
        first: &[u8],
        wanted: bool,
    ) -> Parsed<()> {
        if self.answers.len() >= self.max_partial {
            return violation(CloseCode::TooManyParts, "too many answers in parts");
        }
        let assembly = Assembly::begin(total, self.max_message, first, wanted)?;
        self.answers.insert(seq, InParts { failure, assembly });
        Ok(())
    }

    /// What has come of an answer.
    pub(super) fn assembly(&mut self, seq: u64) -> Parsed<&mut Assembly> {
        match self.answers.get_mut(&seq) {
            Some(answer) => Ok(&mut answer.assembly),
            None => violation(
                CloseCode::UnknownId,
                "a part of an answer that was never begun",
            ),
        }
    }

    /// All of an answer has come.
    pub(super) fn whole(&mut self, seq: u64) -> Option<WholeAnswer> {
        let answer = self.answers.remove(&seq)?;
        Some(WholeAnswer {
            failure: answer.failure,
            content: answer.assembly.into_bytes(),
        })
    }

    /// Nobody waits for this answer any more.
    pub(super) fn discard(&mut self, seq: u64) {
        if let Some(answer) = self.answers.get_mut(&seq) {
            answer.assembly.discard();
        }
    }
}
