//! The request throttle in front of the node (`RequestThrottler`): off unless configured.
//!
//! # Invariants
//!
//! * Requests that wait keep their order; those of the same connection behind them wait too.
//! * A request that waited too long still takes its place in the order: it is answered
//!   THROTTLEDOP there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::config::settings;
use crate::metrics::Metrics;
use crate::replica::member::{Member, MemberInput};
use crate::replica::{Input, Node, Phase, Request};
use crate::types::{Instant, Now};

/// What stands behind the throttle: a node alone, or a member with its node.
pub trait Heart {
    /// Takes an input of a client.
    fn take(&mut self, input: Input, now: Now);
    /// Requests under way.
    fn in_process(&self) -> usize;
    /// Forgets a request that will not be answered.
    fn abandon(&mut self, request: Request);
}

impl Heart for Node {
    #[inline]
    fn take(&mut self, input: Input, now: Now) {
        self.handle(input, now);
    }

    fn in_process(&self) -> usize {
        Node::in_process(self)
    }

    fn abandon(&mut self, request: Request) {
        Node::abandon(self, request);
    }
}

impl Heart for Member {
    fn take(&mut self, input: Input, now: Now) {
        self.handle(MemberInput::Client(input), now);
    }

    fn in_process(&self) -> usize {
        Member::in_process(self)
    }

    fn abandon(&mut self, request: Request) {
        Member::abandon(self, request);
    }
}

/// Lets requests into the node, or makes them wait.
pub struct RequestThrottle {
    settings: settings::Throttle,
    metrics: Arc<Metrics>,
    waiting: VecDeque<Input>,
}

impl RequestThrottle {
    /// A throttle with these settings.
    pub fn new(settings: &settings::Throttle, metrics: Arc<Metrics>) -> RequestThrottle {
        RequestThrottle { settings: settings.clone(), metrics, waiting: VecDeque::new() }
    }

    /// An input on its way to the node.
    #[inline]
    pub fn offer(&mut self, node: &mut impl Heart, input: Input, now: Now) {
        if self.settings.request_throttle_max_requests.is_none() {
            self.hand_over(node, input, now);
            return;
        }
        self.waiting.push_back(input);
        self.advance(node, now);
        if !self.waiting.is_empty() {
            self.metrics.request_throttle_wait_count.inc();
        }
    }

    /// Lets in what may go in now.
    pub fn advance(&mut self, node: &mut impl Heart, now: Now) {
        let Some(max) = self.settings.request_throttle_max_requests else { return };
        while let Some(next) = self.waiting.front() {
            let stale = matches!(next, Input::Request(request) if self.is_stale(request, now.mono));
            let drops = stale && self.settings.request_throttle_drop_stale;
            if !drops && node.in_process() >= max as usize {
                return;
            }
            match self.waiting.pop_front() {
                Some(Input::Request(request)) if drops => {
                    self.metrics.stale_requests_dropped.inc();
                    node.abandon(request);
                }
                Some(input) => {
                    if stale {
                        self.metrics.stale_requests.inc();
                    }
                    self.hand_over(node, input, now);
                }
                None => return,
            }
        }
    }

    /// Requests that wait here.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Does none wait?
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The connection is gone, or its client has given up by now.
    fn is_stale(&self, request: &Request, now: Instant) -> bool {
        let conn = request.conn();
        let gone = self.settings.request_stale_connection_check && conn.phase() == Phase::Closed;
        let timeout = conn.session().map_or(u64::MAX, |s| u64::from(s.timeout_ms()));
        let late = self.settings.request_stale_latency_check
            && now.since(request.received()) > Duration::from_millis(timeout);
        gone || late
    }

    #[inline]
    fn hand_over(&self, node: &mut impl Heart, mut input: Input, now: Now) {
        if let Input::Request(request) = &mut input {
            let waited = now.mono.since(request.received());
            self.metrics.request_throttle_queue_time_ms.record_ns(waited.as_nanos() as u64);
            if let Some(limit) = self.settings.throttled_op_wait_time
                && waited > Duration::from_millis(u64::from(limit))
                && request.throttle()
            {
                self.metrics.throttled_ops.inc();
            }
        }
        node.take(input, now);
    }
}
