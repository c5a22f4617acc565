//! `snapshot` and `restore`: the database out as one file, and in again.
//!
//! # Invariants
//!
//! * Both are asked for once an interval, each for itself.
//! * Both need snapshots that say their last transaction (`serializeLastProcessedZxid.enabled`), as in ZooKeeper.

use std::fs::File;
use std::time::Duration;

use crate::admin::answers::finish;
use crate::admin::json::{self, Fields, Json};
use crate::admin::rate::RateLimiter;
use crate::config::Settings;
use crate::net::http::{Asked, HeaderName, Reply, ReplyBody, StatusCode};
use crate::os::clock;
use crate::server::front::Front;

const LAST_ZXID: HeaderName = HeaderName::from_static("last_zxid");
const SNAPSHOT_SIZE: HeaderName = HeaderName::from_static("snapshot_size");

/// Snapshots out, snapshots in.
pub struct Snapshots {
    snapshot: Option<RateLimiter>,
    restore: Option<RateLimiter>,
    /// `serializeLastProcessedZxid.enabled`.
    told_zxid: bool,
}

/// What an answer says, and what the audit log does.
type Answered = (Reply, String);

fn answer(name: &str, status: StatusCode, data: Fields, error: Option<&str>) -> Answered {
    let fields = finish(name, data, error);
    (Reply::json(status, json::print(&fields)), error.unwrap_or_default().to_owned())
}

impl Snapshots {
    /// By `admin.snapshot.*`, `admin.restore.*` and `admin.rateLimiterIntervalInMS`.
    pub fn new(settings: &Settings) -> Snapshots {
        let admin = &settings.admin;
        let interval = Duration::from_millis(u64::from(admin.rate_limiter_interval_ms));
        let limiter = |enabled: bool| enabled.then(|| RateLimiter::new(interval));
        Snapshots {
            snapshot: limiter(admin.snapshot_enabled),
            restore: limiter(admin.restore_enabled),
            told_zxid: settings.storage.serialize_last_processed_zxid,
        }
    }

    /// What stands against it, in ZooKeeper's order.
    fn against(&self, name: &str, limiter: &Option<RateLimiter>) -> Option<Answered> {
        let refuse = |status, why: &str| Some(answer(name, status, Fields::new(), Some(why)));
        let Some(limiter) = limiter else {
            return refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                &format!("config: admin.{name}.enabled is false"),
            );
        };
        if !self.told_zxid {
            let why = "config: serializeLastProcessedZxid.enabled is false, and snapshots do not say their last transaction";
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, why);
        }
        if !limiter.allow(clock::mono()) {
            let why = "asked for too often: see admin.rateLimiterIntervalInMS";
            return refuse(StatusCode::TOO_MANY_REQUESTS, why);
        }
        None
    }

    /// Takes a snapshot, and sends it unless `streaming=false`.
    pub fn take(&self, asked: &Asked, front: &Front) -> Answered {
        let name = "snapshot";
        if let Some(refusal) = self.against(name, &self.snapshot) {
            if refusal.0.status == StatusCode::TOO_MANY_REQUESTS {
                front.metrics.snapshot_rate_limited_count.inc();
            }
            return refusal;
        }
        let streaming = asked.parameter("streaming").is_none_or(|text| text.eq_ignore_ascii_case("true"));
        let taken = match front.snapshots() {
            Some(desk) => desk.take().and_then(|written| {
                let opened = File::open(&written.path).and_then(|file| Ok((file.metadata()?.len(), file)));
                opened.map(|(size, file)| (written.zxid, size, file)).map_err(|e| format!("disk: {e}"))
            }),
            None => Err("the server does not serve yet".to_owned()),
        };
        let (zxid, size, file) = match taken {
            Ok(taken) => taken,
            Err(why) => {
                front.metrics.snapshot_error_count.inc();
                return answer(name, StatusCode::INTERNAL_SERVER_ERROR, Fields::new(), Some(&why));
            }
        };
        let (reply, _) = match streaming {
            true => {
                let body = ReplyBody::Stream { length: Some(size), from: Box::new(file) };
                (Reply::new(StatusCode::OK, "application/octet-stream", body), String::new())
            }
            false => answer(name, StatusCode::OK, Fields::new(), None),
        };
        let reply = reply.with(LAST_ZXID, &format!("0x{:x}", zxid.0)).with(SNAPSHOT_SIZE, &size.to_string());
        (reply, format!("last zxid {zxid}, {size} bytes"))
    }

    /// Puts the snapshot in the body in place of everything.
    pub fn restore(&self, mut asked: Asked, front: &Front) -> Answered {
        let name = "restore";
        let Some(desk) = front.snapshots() else {
            let why = "the server does not serve yet";
            return answer(name, StatusCode::INTERNAL_SERVER_ERROR, Fields::new(), Some(why));
        };
        if self.restore.is_some()
            && let Err(why) = desk.restores()
        {
            return answer(name, StatusCode::CONFLICT, Fields::new(), Some(why));
        }
        if let Some(refusal) = self.against(name, &self.restore) {
            if refusal.0.status == StatusCode::TOO_MANY_REQUESTS {
                front.metrics.restore_rate_limited_count.inc();
            }
            return refusal;
        }
        let begun = clock::mono();
        match desk.restore(&mut asked.body) {
            Ok(zxid) => {
                let millis = clock::mono().since(begun).as_millis();
                front.metrics.restore_time.record(i64::try_from(millis).unwrap_or(i64::MAX));
                let (reply, _) =
                    answer(name, StatusCode::OK, Fields::new().with("last_zxid", Json::Int(zxid.0)), None);
                (reply, format!("last zxid {zxid}"))
            }
            Err(why) => {
                front.metrics.restore_error_count.inc();
                answer(name, StatusCode::INTERNAL_SERVER_ERROR, Fields::new(), Some(&why))
            }
        }
    }
}
