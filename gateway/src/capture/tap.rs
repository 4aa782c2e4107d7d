//! What a port tells of its line: a copy into a bounded buffer, never a wait.

use super::bucket::Bucket;
use super::entry::{Block, What};
use super::{BLOCK, GATHER, PIECE, WAITING};
use crate::clock::Clock;
use orugate_protocol::time::Tick;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Where a port puts what comes and goes. Cheap to clone; all clones of one name are the same.
#[derive(Clone)]
pub struct Tap(Arc<Shared>);

struct Shared {
    clock: Clock,
    wake: Arc<Notify>,
    waiting: Mutex<Waiting>,
}

struct Waiting {
    /// Bytes of its ring; 0: nothing is kept.
    ring: u64,
    bucket: Bucket,
    blocks: VecDeque<Block>,
    bytes: usize,
    /// When the oldest entry came, and the newest.
    began: Tick,
    last: Tick,
    /// Not kept since the last entry.
    lost: u64,
    /// And since the start.
    lost_in_all: u64,
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("bytes", &self.waiting().bytes).finish_non_exhaustive()
    }
}

impl Tap {
    pub(super) fn new(clock: Clock, wake: Arc<Notify>, ring: u64) -> Self {
        let now = clock.tick();
        let waiting = Waiting {
            ring,
            bucket: Bucket::new(ring, now),
            blocks: VecDeque::new(),
            bytes: 0,
            began: now,
            last: now,
            lost: 0,
            lost_in_all: 0,
        };
        Self(Arc::new(Shared { clock, wake, waiting: Mutex::new(waiting) }))
    }

    /// One that keeps nothing.
    #[must_use]
    pub fn closed(clock: Clock) -> Self {
        Self::new(clock, Arc::default(), 0)
    }

    /// Bytes of the wire.
    pub fn bytes(&self, what: What, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            self.put(what, piece);
        }
    }

    /// What became of the line, in words without patients' data.
    pub fn says(&self, what: What, words: &str) {
        let end = (0..=PIECE.min(words.len())).rev().find(|at| words.is_char_boundary(*at)).unwrap_or(0);
        self.put(what, words.as_bytes().get(..end).unwrap_or_default());
    }

    fn put(&self, what: What, bytes: &[u8]) {
        let now = self.0.clock.tick();
        let mut waiting = self.waiting();
        if waiting.ring == 0 {
            return;
        }
        let cost = Block::cost(bytes.len());
        if waiting.bytes.saturating_add(cost) > WAITING || !waiting.bucket.take(now, cost) {
            let not_kept = if what.is_bytes() { bytes.len() as u64 } else { 0 };
            waiting.lost = waiting.lost.saturating_add(not_kept);
            waiting.lost_in_all = waiting.lost_in_all.saturating_add(not_kept);
            return;
        }
        if waiting.bytes == 0 {
            (waiting.began, waiting.last) = (now, now);
        }
        let lost = std::mem::take(&mut waiting.lost);
        if lost > 0 {
            waiting.push(&self.0.clock, now, What::Lost, lost.to_string().as_bytes());
        }
        waiting.push(&self.0.clock, now, what, bytes);
        if waiting.blocks.len() > 1 {
            self.0.wake.notify_one();
        }
    }

    /// Another size of the ring; 0 keeps nothing more.
    pub(super) fn resize(&self, ring: u64) {
        let now = self.0.clock.tick();
        let mut waiting = self.waiting();
        if waiting.ring == 0 {
            waiting.bucket = Bucket::new(ring, now);
        }
        waiting.bucket.resize(ring);
        waiting.ring = ring;
    }

    /// Whether something is to be written now.
    pub(super) fn is_due(&self, now: Tick) -> bool {
        let waiting = self.waiting();
        waiting.blocks.len() > 1 || (waiting.bytes > 0 && now.since(waiting.began) >= GATHER)
    }

    pub(super) fn ring(&self) -> u64 {
        self.waiting().ring
    }

    /// Bytes that were not kept since the start.
    pub(super) fn not_kept(&self) -> u64 {
        self.waiting().lost_in_all
    }

    /// What is to be written now: all, when the oldest of it has waited long enough or everything is asked for; else blocks
    /// that are full.
    pub(super) fn take(&self, now: Tick, all: bool) -> (Vec<Block>, bool) {
        let mut waiting = self.waiting();
        let due = all || (waiting.bytes > 0 && now.since(waiting.began) >= GATHER);
        let count = if due { waiting.blocks.len() } else { waiting.blocks.len().saturating_sub(1) };
        let taken: Vec<Block> = waiting.blocks.drain(..count).collect();
        waiting.bytes = waiting.blocks.iter().map(|block| block.body.len()).sum();
        (taken, due)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, clock: &Clock, now: Tick, what: What, bytes: &[u8]) {
        let full = self.blocks.back().is_none_or(|block| block.body.len() + Block::cost(bytes.len()) > BLOCK);
        if full {
            self.blocks.push_back(Block::new(clock.utc(), clock.quality()));
            self.last = now;
        }
        let after = now.since(self.last);
        self.last = now;
        if let Some(block) = self.blocks.back_mut() {
            block.push(after, what, bytes);
            self.bytes = self.bytes.saturating_add(Block::cost(bytes.len()));
        }
    }
}
