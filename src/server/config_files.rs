//! The files of a configuration that changes while the server runs: `.dynamic.next`,
//! `.dynamic.<version>`, zoo.cfg.
//!
//! # Invariants
//!
//! * Each file is replaced as a whole and durably: a crash leaves the old one or the new one.
//! * zoo.cfg names a dynamic file only after that file is durable; the proposed configuration is
//!   dropped only after zoo.cfg names the committed one.

use crate::config::dynamic::{backup_path, dynamic_path, dynamic_text, next_path, static_text};
use crate::config::quorum::Ensemble;
use crate::disk::Disk;
use crate::limits::CONFIG_MAX_BYTES;
use std::io;
use std::path::{Path, PathBuf};

/// Where a member's configuration is kept.
#[derive(Clone, Debug)]
pub struct ConfigFiles<D> {
    disk: D,
    zoo_cfg: PathBuf,
    me: u64,
    /// Version of the configuration in `.dynamic.next`.
    proposed: u64,
}

impl<D: Disk> ConfigFiles<D> {
    /// The files of server `me` beside `zoo_cfg`, whose path is absolute and without links, as
    /// ZooKeeper writes it into `dynamicConfigFile`; `proposed` is what `.dynamic.next` said at the
    /// start.
    pub fn new(disk: D, zoo_cfg: PathBuf, me: u64, proposed: Option<&Ensemble>) -> ConfigFiles<D> {
        ConfigFiles { disk, zoo_cfg, me, proposed: proposed.map_or(0, |e| e.version) }
    }

    /// Keeps zoo.cfg as it is beside itself, as ZooKeeper does at each start with
    /// `reconfigEnabled` as long as the members stand in zoo.cfg.
    ///
    /// # Errors
    ///
    /// The medium's; nothing has changed then.
    pub fn back_up(&self) -> io::Result<()> {
        let bytes = self.disk.read_small(&self.zoo_cfg, CONFIG_MAX_BYTES)?;
        self.disk.replace(&backup_path(&self.zoo_cfg), &bytes).map(drop)
    }

    /// Keeps a proposed configuration.
    ///
    /// # Errors
    ///
    /// The medium's; the one before is kept then.
    pub fn proposed(&mut self, ensemble: &Ensemble) -> io::Result<()> {
        self.proposed = ensemble.version;
        let text = dynamic_text(ensemble, true);
        self.disk.replace(&next_path(&self.zoo_cfg), text.as_bytes()).map(drop)
    }

    /// Makes zoo.cfg name this committed configuration. If none was proposed after it, none is
    /// kept beside it any more.
    ///
    /// # Errors
    ///
    /// The medium's, or a zoo.cfg that cannot be read any more. What zoo.cfg says is then as
    /// before, or as it should be.
    pub fn committed(&self, ensemble: &Ensemble) -> io::Result<()> {
        let dynamic = dynamic_path(&self.zoo_cfg, ensemble.version);
        let _durable = self.disk.replace(&dynamic, dynamic_text(ensemble, false).as_bytes())?;
        let own_client_port = ensemble.members.get(&self.me).is_some_and(|m| m.client.is_some());
        let before = self.disk.read_small(&self.zoo_cfg, CONFIG_MAX_BYTES)?;
        let after = static_text(&before, &dynamic.to_string_lossy(), own_client_port)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("{e:?}")))?;
        if after != before {
            let _durable = self.disk.replace(&self.zoo_cfg, &after)?;
        }
        let next = next_path(&self.zoo_cfg);
        if self.proposed <= ensemble.version && self.disk.exists(&next)? {
            self.disk.remove(&next)?;
            let _durable = self.disk.sync_dir(next.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::mem::MemDisk;

    const OLD: &str = "tickTime=2000\nclientPort=2181\nserver.1=a:1:2\nserver.2=b:1:2\n";

    fn files() -> (MemDisk, ConfigFiles<MemDisk>) {
        let disk = MemDisk::default();
        disk.create_dir_all(Path::new("/c")).expect("a folder");
        let _synced = disk.replace(Path::new("/c/zoo.cfg"), OLD.as_bytes()).expect("zoo.cfg");
        let files = ConfigFiles::new(disk.clone(), "/c/zoo.cfg".into(), 1, None);
        (disk, files)
    }

    fn read(disk: &MemDisk, name: &str) -> Option<String> {
        let bytes = disk.read_small(&Path::new("/c").join(name), 1 << 20).ok()?;
        Some(String::from_utf8(bytes).expect("text"))
    }

    fn ensemble() -> Ensemble {
        Ensemble::parse("server.2=b:1:2\nserver.1=a:1:2;2181\nversion=100000000", false).expect("members")
    }

    #[test]
    fn a_proposed_configuration_becomes_the_committed_one() {
        let (disk, mut files) = files();
        files.proposed(&ensemble()).expect("kept");
        let lines = "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2:participant";
        assert_eq!(read(&disk, "zoo.cfg.dynamic.next"), Some(format!("{lines}\nversion=100000000")));
        files.committed(&ensemble()).expect("written");
        assert_eq!(read(&disk, "zoo.cfg.dynamic.next"), None);
        assert_eq!(read(&disk, "zoo.cfg.dynamic.100000000").as_deref(), Some(lines));
        let zoo_cfg = "tickTime=2000\ndynamicConfigFile=/c/zoo.cfg.dynamic.100000000\n";
        assert_eq!(read(&disk, "zoo.cfg").as_deref(), Some(zoo_cfg));
    }

    #[test]
    fn a_newer_proposal_stays() {
        let (disk, mut files) = files();
        files.proposed(&Ensemble { version: 0x2_0000_0000, ..ensemble() }).expect("kept");
        files.committed(&ensemble()).expect("written");
        assert!(read(&disk, "zoo.cfg.dynamic.next").is_some());
    }

    #[test]
    fn zoo_cfg_is_kept_beside_itself() {
        let (disk, files) = files();
        files.back_up().expect("kept");
        assert_eq!(read(&disk, "zoo.cfg.bak").as_deref(), Some(OLD));
    }
}
