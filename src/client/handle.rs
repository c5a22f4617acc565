//! The handle of a session: every operation of the protocol.
//!
//! # Invariants
//!
//! * Requests of one task leave in the order in which their futures were first polled.
//! * Paths are checked here as Java's client checks them; [`Client::raw`] checks nothing.

use super::config::ClientConfig;
use super::error::ClientError;
use super::event::WatchedEvent;
use super::reply;
use super::session::{Command, Control, Session, SessionState, Trouble};
use super::watches::Effect;
use super::wire::Reply;
use crate::error::Code;
use crate::limits::{CLIENT_EVENT_BACKLOG, CLIENT_PENDING};
use crate::proto::{AddWatchMode, CreateKind, OpCode, Request, WatcherType};
use crate::types::{Acl, CreateMode, Stat, path};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// A session. Clones share it. When the last clone is dropped the connection is, and the
/// session lives on until its time-out; [`Client::close`] ends it at once.
#[derive(Clone)]
pub struct Client {
    commands: mpsc::Sender<Command>,
    control: mpsc::Sender<Control>,
    state: watch::Receiver<SessionState>,
    config: Arc<ClientConfig>,
    trouble: Trouble,
}

/// The server's verdict on an identity, when it comes.
pub type Verdict = oneshot::Receiver<Result<Reply, ClientError>>;

/// Events of a session, in order. Dropping it means that nobody cares.
pub type Events = mpsc::Receiver<WatchedEvent>;

impl Client {
    /// Starts a session on the current tokio runtime and returns at once; requests wait
    /// for the connection, and fail with the first attempt that fails.
    pub fn start(config: ClientConfig) -> (Client, Events) {
        let (commands, commands_rx) = mpsc::channel(CLIENT_PENDING);
        let (control, control_rx) = mpsc::channel(8);
        let (events, events_rx) = mpsc::channel(CLIENT_EVENT_BACKLOG);
        let (state_tx, state) = watch::channel(SessionState::Connecting);
        let client = Client {
            commands,
            control,
            state,
            config: Arc::new(config.clone()),
            trouble: Trouble::default(),
        };
        let trouble = Trouble::clone(&client.trouble);
        tokio::spawn(Session::new(config, commands_rx, control_rx, events, state_tx, trouble).run());
        (client, events_rx)
    }

    /// Starts a session and waits until it is served, at most for its time-out.
    pub async fn connect(config: ClientConfig) -> Result<(Client, Events), ClientError> {
        let limit = config.timeout;
        let (client, events) = Client::start(config);
        client.wait_connected(limit).await?;
        Ok((client, events))
    }

    /// Waits until the session is served.
    pub async fn wait_connected(&self, limit: Duration) -> Result<(), ClientError> {
        let mut state = self.state.clone();
        let served = state.wait_for(|s| !matches!(s, SessionState::Connecting));
        match tokio::time::timeout(limit, served).await {
            Ok(Ok(now)) => match &*now {
                SessionState::Over(why) => Err(why.clone()),
                _ => Ok(()),
            },
            Ok(Err(_)) => Err(ClientError::Closed),
            Err(_) => {
                let (servers, ms) = (self.servers(), limit.as_millis());
                let trouble =
                    self.trouble.lock().as_ref().map(|t| format!(" (last: {t})")).unwrap_or_default();
                let what = format!("no server of {servers} took the session within {ms} ms{trouble}");
                Err(ClientError::Unreachable(what))
            }
        }
    }

    fn servers(&self) -> String {
        let names: Vec<String> = self.config.servers.servers.iter().map(ToString::to_string).collect();
        names.join(",")
    }

    /// Where the session stands.
    pub fn state(&self) -> SessionState {
        self.state.borrow().clone()
    }

    /// Follows where the session stands.
    pub fn states(&self) -> watch::Receiver<SessionState> {
        self.state.clone()
    }

    /// Ends the session: its ephemeral znodes go, requests made before are done first.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.control.send(Control::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }

    /// Breaks the connection and makes another one, to the next server of the list.
    pub async fn reconnect(&self) {
        let _ = self.control.send(Control::Reconnect).await;
    }

    /// Why nothing can be sent any more.
    fn over(&self) -> ClientError {
        match &*self.state.borrow() {
            SessionState::Over(why) => why.clone(),
            _ => ClientError::Closed,
        }
    }

    /// Sends a record under any op code number, with nothing checked, and returns the reply.
    pub async fn raw(&self, op: i32, record: Vec<u8>) -> Result<Reply, ClientError> {
        self.send(op, record, Effect::None).await
    }

    async fn send(&self, op: i32, record: Vec<u8>, effect: Effect) -> Result<Reply, ClientError> {
        let (answer, reply) = oneshot::channel();
        let command = Command::Request { op, record, effect, answer };
        if self.commands.send(command).await.is_err() {
            return Err(self.over());
        }
        reply.await.unwrap_or_else(|_| Err(self.over()))
    }

    /// Sends a typed request; errors name the caller's path.
    pub(super) async fn ask(
        &self,
        op: OpCode,
        request: Request<'_>,
        effect: Effect,
        mine: &str,
    ) -> Result<Bytes, ClientError> {
        let mut record = Vec::new();
        request.encode_record(&mut record);
        let reply = self.send(op.number(), record, effect).await.map_err(|e| e.about(mine))?;
        Ok(reply.body)
    }

    /// The server's path of a valid path.
    pub(super) fn path(&self, mine: &str) -> Result<String, ClientError> {
        path::validate(mine).map_err(|problem| ClientError::Path { path: mine.to_owned(), problem })?;
        Ok(self.config.servers.prepend(mine))
    }

    /// The caller's path of a server's path.
    pub(super) fn mine(&self, theirs: &str) -> String {
        self.config.servers.strip(theirs).to_owned()
    }
}

/// Options of a create: what Java's `CreateMode` and `ttl` say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CreateAs {
    /// Kind of znode.
    pub mode: CreateMode,
    /// Time to live in ms, for the two TTL modes.
    pub ttl: i64,
}

impl From<CreateMode> for CreateAs {
    fn from(mode: CreateMode) -> CreateAs {
        CreateAs { mode, ttl: -1 }
    }
}

impl CreateAs {
    /// The op that Java's client uses; `with_stat` chooses create2 over create.
    pub(super) fn kind(self, with_stat: bool) -> CreateKind {
        match self.mode {
            CreateMode::Container => CreateKind::Container,
            mode if mode.is_ttl() => CreateKind::Ttl(self.ttl),
            _ if with_stat => CreateKind::Create2,
            _ => CreateKind::Create,
        }
    }

    /// The flags field.
    pub(super) fn flags(self) -> i32 {
        match self.mode {
            CreateMode::Persistent => 0,
            CreateMode::Ephemeral => 1,
            CreateMode::PersistentSequential => 2,
            CreateMode::EphemeralSequential => 3,
            CreateMode::Container => 4,
            CreateMode::PersistentTtl => 5,
            CreateMode::PersistentSequentialTtl => 6,
        }
    }
}

/// Data of a znode (`None` is null) and its stat.
pub type Data = (Option<Bytes>, Stat);

impl Client {
    /// Creates a znode; the path with its sequence number, if it has one.
    pub async fn create(
        &self,
        path: &str,
        data: Option<&[u8]>,
        acl: &[Acl],
        how: impl Into<CreateAs>,
    ) -> Result<String, ClientError> {
        let body = self.create_as(path, data, acl, how.into(), false).await?;
        Ok(self.mine(&reply::path(&body)?))
    }

    /// Creates a znode; its path and stat.
    pub async fn create2(
        &self,
        path: &str,
        data: Option<&[u8]>,
        acl: &[Acl],
        how: impl Into<CreateAs>,
    ) -> Result<(String, Stat), ClientError> {
        let body = self.create_as(path, data, acl, how.into(), true).await?;
        let (theirs, stat) = reply::path_and_stat(&body)?;
        Ok((self.mine(&theirs), stat))
    }

    async fn create_as(
        &self,
        mine: &str,
        data: Option<&[u8]>,
        acl: &[Acl],
        how: CreateAs,
        with_stat: bool,
    ) -> Result<Bytes, ClientError> {
        path::validate_create(mine, how.mode.is_sequential())
            .map_err(|problem| ClientError::Path { path: mine.to_owned(), problem })?;
        let kind = how.kind(with_stat);
        let request = Request::Create {
            kind,
            path: self.config.servers.prepend(mine).into(),
            data,
            acl: acl.to_vec(),
            flags: how.flags(),
        };
        self.ask(kind.op(), request, Effect::None, mine).await
    }

    /// Deletes a znode without children; version -1 is any.
    pub async fn delete(&self, mine: &str, version: i32) -> Result<(), ClientError> {
        let request = Request::Delete { path: self.path(mine)?.into(), version };
        self.ask(OpCode::Delete, request, Effect::None, mine).await.map(drop)
    }

    /// The stat of a znode, `None` if it does not exist; the watch is set either way.
    pub async fn exists(&self, mine: &str, watch: bool) -> Result<Option<Stat>, ClientError> {
        let path = self.path(mine)?;
        let effect = if watch { Effect::Exists(path.clone()) } else { Effect::None };
        match self.ask(OpCode::Exists, Request::Exists { path: path.into(), watch }, effect, mine).await {
            Ok(body) => Ok(Some(reply::stat(&body)?)),
            Err(ClientError::Refused { code: Code::NoNode, .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Data and stat.
    pub async fn get(&self, mine: &str, watch: bool) -> Result<Data, ClientError> {
        let path = self.path(mine)?;
        let effect = if watch { Effect::Data(path.clone()) } else { Effect::None };
        let request = Request::GetData { path: path.into(), watch };
        reply::data(&self.ask(OpCode::GetData, request, effect, mine).await?)
    }

    /// Sets data; version -1 is any.
    pub async fn set(&self, mine: &str, data: Option<&[u8]>, version: i32) -> Result<Stat, ClientError> {
        let request = Request::SetData { path: self.path(mine)?.into(), data, version };
        let body = self.ask(OpCode::SetData, request, Effect::None, mine).await?;
        reply::stat(&body)
    }

    /// Names of the children, in the server's order.
    pub async fn children(&self, mine: &str, watch: bool) -> Result<Vec<String>, ClientError> {
        let body = self.list(mine, watch, false).await?;
        reply::strings(&body)
    }

    /// Names of the children and the znode's stat.
    pub async fn children2(&self, mine: &str, watch: bool) -> Result<(Vec<String>, Stat), ClientError> {
        let body = self.list(mine, watch, true).await?;
        reply::strings_and_stat(&body)
    }

    async fn list(&self, mine: &str, watch: bool, with_stat: bool) -> Result<Bytes, ClientError> {
        let path = self.path(mine)?;
        let effect = if watch { Effect::Child(path.clone()) } else { Effect::None };
        let op = if with_stat { OpCode::GetChildren2 } else { OpCode::GetChildren };
        self.ask(op, Request::GetChildren { path: path.into(), watch, with_stat }, effect, mine).await
    }

    /// ACL and stat.
    pub async fn get_acl(&self, mine: &str) -> Result<(Vec<Acl>, Stat), ClientError> {
        let request = Request::GetAcl { path: self.path(mine)?.into() };
        let body = self.ask(OpCode::GetAcl, request, Effect::None, mine).await?;
        reply::acl_and_stat(&body)
    }

    /// Sets the ACL; `version` is the ACL's version, -1 is any.
    pub async fn set_acl(&self, mine: &str, acl: &[Acl], version: i32) -> Result<Stat, ClientError> {
        let request = Request::SetAcl { path: self.path(mine)?.into(), acl: acl.to_vec(), version };
        let body = self.ask(OpCode::SetAcl, request, Effect::None, mine).await?;
        reply::stat(&body)
    }

    /// Waits until the server has caught up with the leader.
    pub async fn sync(&self, mine: &str) -> Result<(), ClientError> {
        let request = Request::Sync { path: self.path(mine)?.into() };
        self.ask(OpCode::Sync, request, Effect::None, mine).await.map(drop)
    }

    /// Ephemeral znodes of this session whose path starts with `prefix`.
    pub async fn ephemerals(&self, prefix: &str) -> Result<Vec<String>, ClientError> {
        let request = Request::GetEphemerals { prefix: self.path(prefix)?.into() };
        let body = self.ask(OpCode::GetEphemerals, request, Effect::None, prefix).await?;
        let theirs = reply::strings(&body)?;
        Ok(theirs.iter().map(|p| self.mine(p)).collect())
    }

    /// Number of descendants.
    pub async fn all_children_number(&self, mine: &str) -> Result<i32, ClientError> {
        let request = Request::GetAllChildrenNumber { path: self.path(mine)?.into() };
        let body = self.ask(OpCode::GetAllChildrenNumber, request, Effect::None, mine).await?;
        reply::number(&body)
    }

    /// The identities of this connection: scheme and user.
    pub async fn who_am_i(&self) -> Result<Vec<(String, String)>, ClientError> {
        let body = self.ask(OpCode::WhoAmI, Request::WhoAmI, Effect::None, "").await?;
        reply::identities(&body)
    }

    /// Sets a persistent watch.
    pub async fn add_watch(&self, mine: &str, mode: AddWatchMode) -> Result<(), ClientError> {
        let path = self.path(mine)?;
        let effect = Effect::Add(path.clone(), mode);
        self.ask(OpCode::AddWatch, Request::AddWatch { path: path.into(), mode }, effect, mine)
            .await
            .map(drop)
    }

    /// Does the server hold a watch of this kind for us?
    pub async fn check_watches(&self, mine: &str, kind: WatcherType) -> Result<(), ClientError> {
        let request = Request::CheckWatches { path: self.path(mine)?.into(), kind };
        self.ask(OpCode::CheckWatches, request, Effect::None, mine).await.map(drop)
    }

    /// Removes watches; `local`: forget them even if the server could not be asked.
    pub async fn remove_watches(
        &self,
        mine: &str,
        kind: WatcherType,
        local: bool,
    ) -> Result<(), ClientError> {
        let path = self.path(mine)?;
        let effect = Effect::Remove { path: path.clone(), kind, local };
        let request = Request::RemoveWatches { path: path.into(), kind };
        self.ask(OpCode::RemoveWatches, request, effect, mine).await.map(drop)
    }

    /// Changes the ensemble; the new configuration's text and stat.
    pub async fn reconfig(
        &self,
        joining: Option<&str>,
        leaving: Option<&str>,
        members: Option<&str>,
        config_id: i64,
    ) -> Result<Data, ClientError> {
        let request = Request::Reconfig {
            joining: joining.map(Into::into),
            leaving: leaving.map(Into::into),
            members: members.map(Into::into),
            config_id,
        };
        reply::data(&self.ask(OpCode::Reconfig, request, Effect::None, "").await?)
    }

    /// Presents an identity, now and on every later connection of this session, and waits
    /// for the server's verdict.
    pub async fn add_auth(&self, scheme: &str, auth: &[u8]) -> Result<(), ClientError> {
        let reply = self.offer_auth(scheme, auth).await?;
        reply.await.unwrap_or_else(|_| Err(self.over())).map(drop)
    }

    /// As [`Client::add_auth`], done when the identity is on its way: a refusal ends the
    /// session, which its events tell.
    pub async fn offer_auth(&self, scheme: &str, auth: &[u8]) -> Result<Verdict, ClientError> {
        let (answer, reply) = oneshot::channel();
        let command = Command::Auth { scheme: scheme.to_owned(), auth: auth.to_vec().into(), answer };
        self.commands.send(command).await.map_err(|_| self.over())?;
        Ok(reply)
    }

    /// The ensemble's configuration node, outside any chroot.
    pub async fn config(&self, watch: bool) -> Result<Data, ClientError> {
        const NODE: &str = "/zookeeper/config";
        let effect = if watch { Effect::Data(NODE.to_owned()) } else { Effect::None };
        let request = Request::GetData { path: NODE.into(), watch };
        reply::data(&self.ask(OpCode::GetData, request, effect, NODE).await?)
    }
}
