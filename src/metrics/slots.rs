//! Where the numbers live: one block of cells per thread, summed when read.
//!
//! A thread that counts owns a slot, process-wide, for as long as it lives. In
//! every [`Pool`] its slot has a block of cells that no other thread writes, so
//! counting is a plain load and store in the thread's own cache lines: no lock,
//! no locked instruction, no line that travels between cores. Threads beyond
//! [`METRIC_THREAD_SLOTS`](crate::limits::METRIC_THREAD_SLOTS) share slot 0 and
//! count there with atomic additions.
//!
//! # Invariants
//!
//! * Only the owner of a slot stores into its blocks; readers only load.
//! * A block whose generation is not the pool's is empty: resetting a pool is
//!   one increment, and each owner clears its own block at its next sample.
//! * A zero cell means "nothing recorded", for every use of a cell.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, AtomicUsize};

use super::histogram::Histogram;
use crate::limits::METRIC_THREAD_SLOTS;

/// Slots of a pool: those owned by one thread each, and slot 0.
const SLOTS: usize = METRIC_THREAD_SLOTS + 1;
/// The slot of all threads that own none.
const SHARED: usize = 0;
/// A thread that has not counted yet.
const UNCLAIMED: usize = usize::MAX;
/// Cells of one cache line.
const LINE: usize = 8;

/// Slots in use by living threads; bit `n` is slot `n + 1`.
static CLAIMED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static CURRENT: Cell<usize> = const { Cell::new(UNCLAIMED) };
    static GUARD: Guard = const { Guard { slot: Cell::new(SHARED) } };
}

/// Gives the slot back when its thread ends.
struct Guard {
    slot: Cell<usize>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let slot = self.slot.get();
        if slot != SHARED {
            let _ = CURRENT.try_with(|c| c.set(SHARED));
            CLAIMED.fetch_and(!(1 << (slot - 1)), Release);
        }
    }
}

/// The slot of this thread, claimed at its first sample.
#[inline]
fn current() -> usize {
    let slot = CURRENT.with(Cell::get);
    if slot == UNCLAIMED { claim() } else { slot }
}

#[cold]
fn claim() -> usize {
    let mut claimed = CLAIMED.load(Relaxed);
    let slot = loop {
        let free = (!claimed).trailing_zeros() as usize;
        if free >= METRIC_THREAD_SLOTS {
            break SHARED;
        }
        match CLAIMED.compare_exchange_weak(claimed, claimed | 1 << free, AcqRel, Relaxed) {
            Ok(_) => break free + 1,
            Err(now) => claimed = now,
        }
    };
    // A thread whose locals are already going keeps to the shared slot.
    let guarded = slot == SHARED || GUARD.try_with(|g| g.slot.set(slot)).is_ok();
    if guarded {
        CURRENT.with(|c| c.set(slot));
        slot
    } else {
        CLAIMED.fetch_and(!(1 << (slot - 1)), Release);
        SHARED
    }
}

/// One cache line of cells, so that no two threads share one.
#[repr(align(64))]
#[derive(Default)]
struct Line([AtomicU64; LINE]);

/// The cells and histograms of one slot.
#[repr(align(128))]
struct Block {
    generation: AtomicU64,
    lines: Box<[Line]>,
    histograms: Box<[OnceLock<Box<Histogram>>]>,
}

impl Block {
    fn new(cells: usize, histograms: usize, generation: u64) -> Self {
        Self {
            generation: AtomicU64::new(generation),
            lines: (0..cells.div_ceil(LINE)).map(|_| Line::default()).collect(),
            histograms: (0..histograms).map(|_| OnceLock::new()).collect(),
        }
    }

    #[inline]
    fn cell(&self, at: usize) -> Option<&AtomicU64> {
        self.lines.get(at / LINE)?.0.get(at % LINE)
    }

    fn clear(&self) {
        for cell in self.lines.iter().flat_map(|line| line.0.iter()) {
            cell.store(0, Relaxed);
        }
        for histogram in self.histograms.iter().filter_map(OnceLock::get) {
            histogram.clear();
        }
    }
}

/// A set of cells and histograms, addressed by index, one copy per thread.
pub(super) struct Pool {
    generation: AtomicU64,
    cells: usize,
    histograms: usize,
    slots: Box<[OnceLock<Box<Block>>]>,
    taken_cells: AtomicUsize,
    taken_histograms: AtomicUsize,
}

impl Pool {
    /// A pool of `cells` cells and `histograms` histograms, all empty. Blocks
    /// are allocated when a thread first counts.
    pub(super) fn new(cells: usize, histograms: usize) -> Self {
        Self {
            generation: AtomicU64::new(1),
            cells,
            histograms,
            slots: (0..SLOTS).map(|_| OnceLock::new()).collect(),
            taken_cells: AtomicUsize::new(0),
            taken_histograms: AtomicUsize::new(0),
        }
    }

    /// Reserves `count` neighbouring cells; the index of the first. Only while
    /// the pool is being laid out.
    pub(super) fn take_cells(&self, count: usize) -> usize {
        self.taken_cells.fetch_add(count, Relaxed)
    }

    /// Reserves one histogram.
    pub(super) fn take_histogram(&self) -> usize {
        self.taken_histograms.fetch_add(1, Relaxed)
    }

    /// True when what was reserved is what the pool was made for.
    pub(super) fn is_laid_out(&self) -> bool {
        self.taken_cells.load(Relaxed) == self.cells && self.taken_histograms.load(Relaxed) == self.histograms
    }

    /// The block of this thread, cleared if the pool was reset since.
    #[inline]
    pub(super) fn writer(&self) -> Option<Writer<'_>> {
        let slot = current();
        let cell = self.slots.get(slot)?;
        let block = match cell.get() {
            Some(block) => block,
            None => self.allocate(cell),
        };
        let generation = self.generation.load(Relaxed);
        if block.generation.load(Relaxed) != generation {
            renew(block, generation, slot == SHARED);
        }
        Some(Writer { block, owned: slot != SHARED })
    }

    #[cold]
    fn allocate<'a>(&self, slot: &'a OnceLock<Box<Block>>) -> &'a Block {
        let generation = self.generation.load(Relaxed);
        slot.get_or_init(|| Box::new(Block::new(self.cells, self.histograms, generation)))
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        let generation = self.generation.load(Relaxed);
        self.slots
            .iter()
            .filter_map(OnceLock::get)
            .map(Box::as_ref)
            .filter(move |block| block.generation.load(Acquire) == generation)
    }

    /// The cell `at` of all threads, added up (wrapping).
    pub(super) fn sum(&self, at: usize) -> u64 {
        self.blocks()
            .filter_map(|block| block.cell(at))
            .fold(0, |sum, cell| sum.wrapping_add(cell.load(Relaxed)))
    }

    /// The largest cell `at` of all threads; 0 when none was raised.
    pub(super) fn max(&self, at: usize) -> u64 {
        self.blocks().filter_map(|block| block.cell(at)).map(|cell| cell.load(Relaxed)).max().unwrap_or(0)
    }

    /// Adds histogram `at` of all threads into `into`.
    pub(super) fn merge(&self, at: usize, into: &mut super::histogram::Counts) {
        for block in self.blocks() {
            if let Some(histogram) = block.histograms.get(at).and_then(OnceLock::get) {
                into.add(histogram);
            }
        }
    }

    /// Forgets everything recorded so far. Samples recorded at the same moment
    /// may be forgotten or kept.
    pub(super) fn reset(&self) {
        self.generation.fetch_add(1, Relaxed);
    }
}

/// Clears a block that belongs to an earlier generation.
#[cold]
fn renew(block: &Block, generation: u64, shared: bool) {
    if shared {
        let old = block.generation.load(Relaxed);
        let won = block.generation.compare_exchange(old, generation, AcqRel, Relaxed);
        if won.is_ok() {
            block.clear();
        }
    } else {
        block.clear();
        block.generation.store(generation, Release);
    }
}

/// The cells of the calling thread.
pub(super) struct Writer<'a> {
    block: &'a Block,
    owned: bool,
}

impl Writer<'_> {
    /// Adds `value` (wrapping) to cell `at`.
    #[inline]
    pub(super) fn add(&self, at: usize, value: u64) {
        let Some(cell) = self.block.cell(at) else {
            return;
        };
        if self.owned {
            cell.store(cell.load(Relaxed).wrapping_add(value), Relaxed);
        } else {
            cell.fetch_add(value, Relaxed);
        }
    }

    /// Raises cell `at` to `value` if that is more.
    #[inline]
    pub(super) fn raise(&self, at: usize, value: u64) {
        let Some(cell) = self.block.cell(at) else {
            return;
        };
        if cell.load(Relaxed) < value {
            if self.owned {
                cell.store(value, Relaxed);
            } else {
                cell.fetch_max(value, Relaxed);
            }
        }
    }

    /// Counts `value` in histogram `at`, so many times.
    #[inline]
    pub(super) fn observe(&self, at: usize, value: i64, times: u64) {
        if let Some(histogram) = self.block.histograms.get(at) {
            let histogram = match histogram.get() {
                Some(histogram) => histogram,
                None => histogram.get_or_init(Box::default),
            };
            histogram.observe(value, times, self.owned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn more_threads_than_slots_lose_no_count() {
        let pool = Arc::new(Pool::new(2, 1));
        let threads: Vec<_> = (0..METRIC_THREAD_SLOTS + 20)
            .map(|_| {
                let pool = Arc::clone(&pool);
                std::thread::spawn(move || {
                    for i in 0..1000 {
                        let writer = pool.writer().expect("a block");
                        writer.add(0, 1);
                        writer.raise(1, i);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("a thread that ends");
        }
        assert_eq!(pool.sum(0), (METRIC_THREAD_SLOTS as u64 + 20) * 1000);
        assert_eq!(pool.max(1), 999);
    }

    #[test]
    fn a_thread_that_ended_leaves_its_counts_and_its_slot() {
        let pool = Arc::new(Pool::new(1, 0));
        for _ in 0..3 * METRIC_THREAD_SLOTS {
            let pool = Arc::clone(&pool);
            let thread = std::thread::spawn(move || pool.writer().map(|w| w.add(0, 1)));
            thread.join().expect("a thread that ends");
        }
        assert_eq!(pool.sum(0), 3 * METRIC_THREAD_SLOTS as u64);
    }

    #[test]
    fn a_reset_forgets_every_thread_and_counting_goes_on() {
        let pool = Arc::new(Pool::new(1, 1));
        let count = |pool: &Pool, n| {
            let writer = pool.writer().expect("a block");
            writer.add(0, n);
            writer.observe(0, 5, 1);
        };
        count(&pool, 3);
        let other = Arc::clone(&pool);
        std::thread::spawn(move || count(&other, 4)).join().expect("a thread that ends");
        assert_eq!(pool.sum(0), 7);
        pool.reset();
        assert_eq!(pool.sum(0), 0);
        count(&pool, 2);
        assert_eq!(pool.sum(0), 2);
        let mut counts = super::super::histogram::Counts::default();
        pool.merge(0, &mut counts);
        assert_eq!(counts.total, 1);
    }

    #[test]
    fn threads_of_the_shared_slot_count_and_reset_too() {
        let pool = Pool::new(1, 0);
        let cell = pool.slots.first().expect("slot 0");
        let block = pool.allocate(cell);
        let shared = Writer { block, owned: false };
        shared.add(0, 9);
        assert_eq!(pool.sum(0), 9);
        pool.reset();
        renew(block, pool.generation.load(Relaxed), true);
        shared.add(0, 1);
        assert_eq!(pool.sum(0), 1);
    }
}
