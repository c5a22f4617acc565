//! How long requests stay in each stage of their way: histograms of our own.
//!
//! | stage | from | to |
//! |---|---|---|
//! | queue | the frame was read | the core has it |
//! | admit | the core begins with its batch | its transaction is made |
//! | fsync | the append of its batch begins | it is durable |
//! | quorum | it is durable on the leader | a quorum has it |
//! | apply | everything committed begins to be applied | its change shows, its reply waits |
//! | reply | its reply waits | it is handed to the socket by the core |
//!
//! # Invariants
//!
//! * Batches are measured, requests share their batch's time: one look at the clock a batch and stage.
//! * The series are in the exposition only, under a name that ZooKeeper does not use.

use std::sync::Arc;
use std::time::Duration;

use super::kinds::{Detail, SUMMARY_CELLS, Summary};
use super::slots::Pool;

/// The name of the series; label `stage`.
pub const NAME: &str = "oxkeeper_stage_seconds";

/// Upper bounds of the printed buckets, microseconds: 32 us to 8.4 s, each twice the one before.
pub const BOUNDS: [u64; 19] = {
    let mut bounds = [32; 19];
    let mut at = 1;
    while at < bounds.len() {
        bounds[at] = bounds[at - 1] * 2;
        at += 1;
    }
    bounds
};

/// One stage, in microseconds.
pub struct Stage {
    /// What was recorded.
    pub summary: Summary,
}

impl Stage {
    /// So many requests stayed `took` each.
    #[inline]
    pub fn record_many(&self, took: Duration, requests: usize) {
        self.summary.record_many(i64::try_from(took.as_micros()).unwrap_or(i64::MAX), requests);
    }

    /// So many requests stayed `took` together.
    #[inline]
    pub fn record_share(&self, took: Duration, requests: usize) {
        let share = u32::try_from(requests.max(1)).unwrap_or(u32::MAX);
        self.record_many(took / share, requests);
    }

    /// A request stayed so many nanoseconds.
    #[inline]
    pub fn record_ns(&self, nanos: u64) {
        self.record_many(Duration::from_nanos(nanos), 1);
    }
}

macro_rules! stages {
    ($($name:ident $is:literal;)*) => {
        /// All stages.
        pub struct Stages {
            $(#[doc = $is] pub $name: Stage,)*
        }

        impl Default for Stages {
            fn default() -> Self {
                let stages = [$(stringify!($name)),*].len();
                let pool = Arc::new(Pool::new(stages * SUMMARY_CELLS, stages));
                Self { $($name: Stage { summary: Summary::in_pool(&pool, Detail::Advanced, true) },)* }
            }
        }

        impl Stages {
            /// All stages by name, in the order of a request's way.
            pub fn all(&self) -> Vec<(&'static str, &Stage)> {
                vec![$((stringify!($name), &self.$name),)*]
            }
        }
    };
}

stages! {
    queue "From the frame to the core.";
    admit "From the core to the transaction.";
    fsync "From the append to the proof that it is durable.";
    quorum "From the leader's own proof to that of a quorum.";
    apply "From the commit to the change and the reply that waits.";
    reply "From the reply that waits to the socket, where the core sends it.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_recorded_in_microseconds_and_shared_by_a_batch() {
        let stages = Stages::default();
        stages.queue.record_ns(48_000);
        stages.queue.record_share(Duration::from_micros(3000), 3);
        stages.queue.record_share(Duration::from_micros(3000), 0);
        let reading = stages.queue.summary.read();
        assert_eq!((reading.count, reading.sum, reading.max), (4, 3048, 1000));
        assert_eq!(reading.at_most(&BOUNDS)[..7], [0, 1, 1, 1, 1, 4, 4]);
        assert_eq!(stages.reply.summary.read().count, 0);
        assert_eq!(BOUNDS[18], 8_388_608);
    }
}
