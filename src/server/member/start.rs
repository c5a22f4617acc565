//! From settings to a running member of an ensemble.
//!
//! # Invariants
//!
//! * Quorum and election port are bound before the member takes part: a start that fails has
//!   promised nothing to anybody.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tracing::{info, warn};

use super::core::MemberCore;
use super::disk::{DiskThread, MemberDisk};
use super::edge::Edge;
use super::face::Face;
use super::figures::Figures;
use super::learners::Learners;
use super::store::MemberStore;
use crate::config::Settings;
use crate::config::quorum::Role;
use crate::config::settings::Quorum;
use crate::driver::{MemberFiles, MemberRules, MemberWorker, SnapshotPolicy};
use crate::error::ExitCode;
use crate::metrics::Metrics;
use crate::net::links::{LinkEvent, Links, LinksConfig};
use crate::net::mesh::{Mesh, MeshConfig, MeshEvent};
use crate::net::peering::Gate;
use crate::os::disk::RealDisk;
use crate::os::{clock, entropy};
use crate::replica::ReplicaConfig;
use crate::replica::member::{Member, MemberConfig, MemberInput, MemberStart};
use crate::server::Failure;
use crate::server::config_files::ConfigFiles;
use crate::server::core::CoreMessage;
use crate::server::front::Serving;
use crate::server::observer::Observer;
use crate::server::queue::Queue;
use crate::server::restore::{LiveDesk, Waiting};
use crate::server::snapshots::{LogDesk, SnapshotThread};
use crate::server::start::Starting;
use crate::server::stop::{Running, VitalThread};
use crate::server::throttle::RequestThrottle;
use crate::storage::{Dirs, Rules};
use crate::types::ServerId;

/// Who this server is, from its `myid`.
///
/// # Errors
///
/// There is no `myid`, or no line of this server.
pub fn who_am_i(quorum: &Quorum) -> Result<ServerId, Failure> {
    let missing = |text: String| Failure::new(ExitCode::Invocation, text);
    let id = quorum.my_id.ok_or_else(|| {
        missing(
            "config: the file myid is missing in dataDir: write the number of this server's line into it"
                .into(),
        )
    })?;
    if !quorum.ensemble.members.contains_key(&id) {
        return Err(missing(format!("config: there is no line server.{id}: add it, or correct myid")));
    }
    i64::try_from(id).map(ServerId).map_err(|_| missing(format!("config: myid {id} is too large")))
}

/// Settings of the member.
pub fn config(settings: &Settings, me: ServerId, replica: ReplicaConfig) -> MemberConfig {
    let quorum = &settings.quorum;
    let millis = |ms: u32| Duration::from_millis(u64::from(ms));
    MemberConfig {
        last_seen: quorum.last_seen.clone(),
        init_limit: quorum.init_limit,
        sync_limit: quorum.sync_limit,
        connect_limit: quorum.connect_to_learner_master_limit,
        min_notification: millis(quorum.min_notification_interval),
        max_notification: millis(quorum.max_notification_interval),
        dial_retry: millis(quorum.leader_connect_delay_ms),
        window: settings.storage.commit_log_count as usize,
        snapshot_size_factor: quorum.snapshot_size_factor.unwrap_or(-1.0),
        force_snapshot: quorum.force_snapshot_sync,
        max_snap_syncs: quorum.max_concurrent_snap_syncs as usize,
        max_diff_syncs: quorum.max_concurrent_diff_syncs as usize,
        leader_serves: quorum.leader_serves,
        disloyal_after: quorum.max_time_to_wait_for_epoch.map(millis),
        relays: quorum.observer_master_port.is_some(),
        reconnect_delay: Duration::from_millis(quorum.observer_reconnect_delay_ms),
        observer_delay: Duration::from_millis(quorum.observer_election_delay_ms),
        observer: quorum.peer_type == Role::Observer,
        multi_address: quorum.multi_address_enabled,
        standalone_enabled: quorum.standalone_enabled,
        ..MemberConfig::new(me, quorum.ensemble.clone(), replica, entropy::seed())
    }
}

/// Where the member keeps configurations. As ZooKeeper does, zoo.cfg is kept beside itself as long as
/// the members stand in it and may have to leave it.
fn files_of(quorum: &Quorum, me: ServerId) -> Option<ConfigFiles<RealDisk>> {
    let zoo_cfg = quorum.config_file.clone().filter(|_| quorum.reconfig_enabled)?;
    let folder = match zoo_cfg.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let folder = std::fs::canonicalize(&folder).unwrap_or(folder);
    let zoo_cfg = folder.join(zoo_cfg.file_name()?);
    let me = u64::try_from(me.0).ok()?;
    let files = ConfigFiles::new(RealDisk::new(), zoo_cfg, me, quorum.last_seen.as_ref());
    if quorum.dynamic_config_file.is_none()
        && let Err(e) = files.back_up()
    {
        warn!(
            "disk: zoo.cfg cannot be kept beside itself: {e}; a reconfiguration will not be written either"
        );
    }
    Some(files)
}

/// How the member's disk works.
pub fn rules(settings: &Settings, replica: &ReplicaConfig) -> MemberRules {
    MemberRules {
        tree: replica.tree,
        window: settings.storage.commit_log_count as usize,
        snapshot_size_factor: settings.quorum.snapshot_size_factor,
    }
}

/// Starts threads and connections; from here on the member takes part.
pub fn serve(starting: Starting, files: MemberFiles<RealDisk>) -> Result<Running, Failure> {
    let Starting { settings, front, mut tasks, failed, replica, dirs, audit } = starting;
    let me = who_am_i(&settings.quorum)?;
    let metrics = Arc::clone(&front.metrics);
    let rules_of_disk = rules(&settings, &replica);
    let MemberFiles { start, epochs, promises, window } = files;
    let policy = SnapshotPolicy::new(&settings.storage, entropy::seed());
    let worker = MemberWorker::new(start.storage, epochs, promises.last, policy, rules_of_disk);
    let branch = worker.branch();
    let disk = Arc::new(MemberDisk::new(worker, Arc::clone(&metrics), settings.storage.clone()));
    let (inbox, snapshots) = (Arc::new(Queue::default()), Arc::new(Queue::default()));

    let face = Arc::new(Face::new(me, &settings.quorum.ensemble));
    let gate = Gate::new(&settings).map_err(|why| Failure::new(ExitCode::Invocation, why))?;
    let gate = Arc::new(gate);
    let guarded = Arc::clone(&gate);
    front.has_certificate("quorum", move || guarded.own_not_after());
    tasks.push(tokio::spawn(Arc::clone(&gate).watch()));
    let (mesh, links) = connect(&settings, me, &gate, &dirs, rules_of_disk, &disk, &inbox, &metrics)?;
    let observer = Arc::new(Observer::new(Arc::clone(&metrics), audit.clone(), &settings));
    let config = config(&settings, me, replica);
    let (recovered, doubtful) = (start.recovered, start.doubtful);
    let begin = MemberStart { recovered, doubtful, promises, window };
    let member = Member::new(config, begin, clock::now(), observer);
    let shared = member.shared();

    let looking = Arc::clone(&gate);
    let edge = Edge {
        net: Some((mesh, links)),
        front: Arc::clone(&front),
        face: Arc::clone(&face),
        gate,
        active: Arc::new(settings.quorum.ensemble.clone()),
        next: settings.quorum.last_seen.clone().map(Arc::new),
        files: files_of(&settings.quorum, me),
        medium: RealDisk::new(),
        dirs: dirs.clone(),
        figures: Figures::new(Arc::clone(&front.metrics), clock::mono()),
        learners: Learners::default(),
        ending: false,
    };
    edge.members();
    let (ending, waiting) = (Arc::new(AtomicBool::new(false)), Arc::new(Waiting::default()));
    let disk_thread = DiskThread { disk: Arc::clone(&disk), core: Arc::clone(&inbox) };
    let snapshot_thread = SnapshotThread {
        shared: Arc::clone(&shared),
        disk: RealDisk::new(),
        dirs,
        branch: branch.clone(),
        rules: Rules::of(&settings.storage),
        inbox: Arc::clone(&snapshots),
        waiting: Arc::clone(&waiting),
        log: Arc::clone(&disk) as Arc<dyn LogDesk>,
        ending: Arc::clone(&ending),
        metrics: Arc::clone(&metrics),
        purge_every: settings.storage.purge_interval.map(|h| Duration::from_secs(3600 * u64::from(h))),
    };
    let core = MemberCore {
        member,
        inbox: Arc::clone(&inbox),
        disk: Arc::clone(&disk),
        branch,
        snapshots: Arc::clone(&snapshots),
        throttle: RequestThrottle::new(&settings.throttle, metrics),
        front: Arc::clone(&front),
        edge,
        on_failure: Box::new(move |code, why| drop(failed.send(Failure::new(code, why)))),
    };
    front.show(face);
    front.snapshots_by(Arc::new(LiveDesk { snapshots: Arc::clone(&snapshots), waiting, restorer: None }));
    front.serve(Serving { shared, core: Arc::clone(&inbox) });
    let system = |e: io::Error| Failure::new(ExitCode::Unexpected, format!("cannot start a thread: {e}"));
    let threads = (
        VitalThread::spawn("core", move || core.run()).map_err(system)?,
        VitalThread::spawn("log", move || disk_thread.run()).map_err(system)?,
        VitalThread::spawn("snapshots", move || snapshot_thread.run()).map_err(system)?,
    );
    tasks.extend(Starting::announce(&settings, &front, audit.as_ref())?);
    info!(server = me.0, members = settings.quorum.ensemble.members.len(), "taking part in the ensemble");
    let trail = audit.map(|audit| Arc::clone(audit.trail()));
    Ok(Running { front, tasks, inbox, log: disk, snapshots, ending, threads, trail, gate: Some(looking) })
}

/// Election and quorum connections.
fn connect(
    settings: &Settings,
    me: ServerId,
    gate: &Arc<Gate>,
    dirs: &Dirs,
    rules: MemberRules,
    disk: &Arc<MemberDisk<RealDisk>>,
    inbox: &Arc<Queue<CoreMessage>>,
    metrics: &Arc<Metrics>,
) -> Result<(Mesh, Links), Failure> {
    let bound = |why| Failure::new(ExitCode::QuorumPort, why);
    let core = Arc::clone(inbox);
    let told = Arc::new(move |event| {
        core.push(of_mesh(event));
    });
    let mesh = Mesh::start(MeshConfig::of(settings, me), Arc::clone(gate), told).map_err(bound)?;
    let store = MemberStore {
        medium: RealDisk::new(),
        dirs: dirs.clone(),
        rules: Rules::of(&settings.storage),
        tree: rules.tree,
        disk: Arc::clone(disk),
    };
    let core = Arc::clone(inbox);
    let told = Arc::new(move |event| {
        core.push(of_link(event));
    });
    let links = Links::start(
        LinksConfig::of(settings, me),
        Arc::clone(gate),
        Arc::new(store),
        told,
        Arc::clone(metrics),
    );
    Ok((mesh, links.map_err(bound)?))
}

fn of_mesh(event: MeshEvent) -> CoreMessage {
    CoreMessage::Member(match event {
        MeshEvent::Notification { from, note } => MemberInput::Notification { from, note },
        MeshEvent::PeerLost(server) => MemberInput::PeerLost(server),
    })
}

fn of_link(event: LinkEvent) -> CoreMessage {
    CoreMessage::Member(match event {
        LinkEvent::Packets { link, packets, charge } => {
            return CoreMessage::Packets { link, packets, charge };
        }
        LinkEvent::Up { link } => MemberInput::LinkUp { link },
        LinkEvent::Accepted { link, from } => MemberInput::LinkAccepted { link, from },
        LinkEvent::Down { link, why } => MemberInput::LinkDown { link, why },
        LinkEvent::Progress { link } => MemberInput::Progress { link },
        LinkEvent::SnapshotReceived { link, zxid } => MemberInput::SnapshotReceived { link, zxid },
    })
}
