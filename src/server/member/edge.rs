//! What a member wants of the world beside its disk, carried out: notifications, connections,
//! packets, and what its role means for clients.
//!
//! # Invariants
//!
//! * What goes to a link is handed over in the member's order.
//! * Clients are let in only after the member serves, and are let go before it does anything else.

use std::sync::Arc;

use tracing::{error, info};

use super::face::Face;
use super::figures::Figures;
use super::learners::Learners;
use super::store::{LogChunks, SnapshotChunks};
use crate::config::quorum::Ensemble;
use crate::disk::Disk;
use crate::driver::SnapshotSender;
use crate::net::Kill;
use crate::net::links::{LinkOut, Links, Port};
use crate::net::mesh::Mesh;
use crate::net::peering::Gate;
use crate::os::clock;
use crate::replica::member::{LinkItem, Member, MemberOutput, Role, RoleChange};
use crate::server::config_files::ConfigFiles;
use crate::server::front::Front;
use crate::storage::Dirs;

/// The ways out of a member.
pub struct Edge<D: Disk> {
    /// Election and quorum connections; `None` when the server ends.
    pub net: Option<(Mesh, Links)>,
    /// Where clients are.
    pub front: Arc<Front>,
    /// What others are told of the role.
    pub face: Arc<Face>,
    /// Who may log in as a member.
    pub gate: Arc<Gate>,
    /// The configuration in force.
    pub active: Arc<Ensemble>,
    /// One that was proposed and is not in force yet.
    pub next: Option<Arc<Ensemble>>,
    /// Where configurations are kept; `None` where the server runs without a zoo.cfg.
    pub files: Option<ConfigFiles<D>>,
    /// Where the log is read from.
    pub medium: D,
    /// Where on it.
    pub dirs: Dirs,
    /// What is counted.
    pub figures: Figures,
    /// Who learns from here.
    pub learners: Learners,
    /// The server ends: with the last role all connections to members do.
    pub ending: bool,
}

impl<D: Disk + Sync> Edge<D> {
    /// Carries out one output; [`MemberOutput::Disk`] is the core's.
    pub fn carry_out(&mut self, output: MemberOutput) {
        match output {
            MemberOutput::Role(change) => self.role(&change),
            MemberOutput::NewConfig { ensemble, active } => self.new_config(ensemble, active),
            MemberOutput::Transferred(outcome) => self.face.handed_over(&outcome),
            MemberOutput::Disk(_) => {}
            output => self.tell(output),
        }
    }

    /// What goes to other members.
    fn tell(&mut self, output: MemberOutput) {
        let Some((mesh, links)) = &self.net else { return };
        match output {
            MemberOutput::Notify { to, note } => mesh.send(to, &note),
            MemberOutput::Dial { link, to, relay } => {
                links.dial(link, to, if relay { Port::Observers } else { Port::Quorum });
            }
            MemberOutput::Send { link, item } => {
                self.learners.sent(link);
                links.send(link, self.out(item));
            }
            MemberOutput::Hangup { link, why } => links.hangup(link, &why),
            _ => {}
        }
    }

    fn out(&self, item: LinkItem) -> LinkOut {
        match item {
            LinkItem::Bytes(bytes) => LinkOut::Bytes(bytes),
            LinkItem::Snapshot(open) => LinkOut::Stream(Box::new(SnapshotChunks(SnapshotSender::of(open)))),
            LinkItem::Log { after, upto } => {
                let (medium, dirs) = (self.medium.clone(), self.dirs.clone());
                LinkOut::Stream(Box::new(LogChunks { medium, dirs, after, upto, sender: None }))
            }
        }
    }

    fn new_config(&mut self, ensemble: Ensemble, active: bool) {
        self.keep(&ensemble, active);
        if active {
            info!(version = %format_args!("{:x}", ensemble.version), "a configuration is in force");
            self.face.ensemble_is(&ensemble);
            let newer = |next: &Arc<Ensemble>| next.version > ensemble.version;
            self.next = self.next.take().filter(newer);
            self.follow_own_line(&ensemble);
            self.active = Arc::new(ensemble);
        } else {
            self.next = Some(Arc::new(ensemble));
        }
        self.members();
    }

    /// Ports are where the own server line says: a configuration that changes it moves them.
    fn follow_own_line(&self, ensemble: &Ensemble) {
        let Ok(me) = u64::try_from(self.face.me.0) else { return };
        let (Some(own), before) = (ensemble.members.get(&me), self.active.members.get(&me)) else { return };
        if let Some((mesh, links)) = &self.net
            && before.is_none_or(|before| before.addresses != own.addresses)
        {
            mesh.move_to(own);
            links.move_to(own);
        }
        if let Some(client) = &own.client
            && before.is_none_or(|before| before.client != own.client)
        {
            self.front.move_client_port(client);
        }
    }

    /// Writes what a configuration changes in files. The member goes on without: what is in force it
    /// learns again from the others at its next start.
    fn keep(&mut self, ensemble: &Ensemble, active: bool) {
        let Some(files) = &mut self.files else { return };
        let kept = if active { files.committed(ensemble) } else { files.proposed(ensemble) };
        if let Err(e) = kept {
            error!("disk: the configuration cannot be written beside zoo.cfg: {e}; make the folder writable");
        }
    }

    /// Tells everybody who the members are.
    pub fn members(&self) {
        let (active, next) = (&self.active, self.next.as_ref());
        self.gate.set_ensembles(active, next.map(|next| &**next));
        if let Some((mesh, links)) = &self.net {
            mesh.set_ensembles(active, next);
            links.set_ensembles(active, next);
        }
    }

    fn role(&mut self, change: &RoleChange) {
        let leader = change.leader.map(|l| l.to_string()).unwrap_or_else(|| "nobody".to_owned());
        let (role, epoch, serving) = (change.role, change.epoch, change.serving);
        info!(?role, %leader, epoch, serving, "{}", change.why);
        if let Some((_, links)) = &self.net {
            let opened = [
                links.lead(role == Role::Leading),
                links.serve_observers(role == Role::Following && serving),
            ];
            opened.into_iter().filter_map(Result::err).for_each(|why| error!("{why}"));
        }
        self.face.role_is(change);
        self.figures.role(change, clock::mono());
        if !serving {
            self.front.kill_all(Kill::NotServing);
        }
        if role == Role::Out && self.ending {
            // The others see at once that this member is gone, and wait for nothing.
            self.net = None;
        }
    }

    /// After a batch: figures of the member, for words and metrics.
    pub fn flush(&mut self, member: &Member) {
        self.figures.committed(member.node().committed());
        self.face.status_is(member.status());
        self.learners.tell(member, &self.face);
    }
}
