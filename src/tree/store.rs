//! The shape of the tree: nodes, names, data, children. No rules of ZooKeeper.
//!
//! # Invariants
//!
//! * A live node stands in the index under (parent, name) and in its parent's list of
//!   children at its own position; the root in neither.
//! * While a barrier stands, a number below it that was freed is not used again: a
//!   number at or above it belongs to a node younger than the barrier.

use super::chunked::Chunked;
use super::index::{Index, KeyHash};
use super::node::{NONE, Node, ROOT};
use super::payload::Payloads;
use crate::types::StatPersisted;

#[derive(Debug)]
pub(super) struct Store {
    nodes: Chunked<Node>,
    payloads: Payloads,
    index: Index,
    lists: Chunked<Vec<u32>>,
    free_lists: Vec<u32>,
    free: Vec<u32>,
    barrier: Option<Barrier>,
    live: usize,
    /// Holds a name while its bytes move; kept to save the allocation.
    scratch: Vec<u8>,
}

#[derive(Debug, Default)]
struct Barrier {
    /// Numbers from here on are younger.
    from: u32,
    /// Freed numbers that may be used again: all at or above `from`.
    fresh: Vec<u32>,
    /// Freed numbers that may not.
    parked: Vec<u32>,
}

impl Store {
    /// A root with empty data.
    pub(super) fn new(seed: u64) -> Store {
        let mut nodes = Chunked::new();
        let mut root = Node::new(&StatPersisted::default());
        let mut payloads = Payloads::new();
        root.set_payload(payloads.store(b"", b""), 0, Some(0));
        nodes.push(root);
        Store {
            nodes,
            payloads,
            index: Index::new(seed),
            lists: Chunked::new(),
            free_lists: Vec::new(),
            free: Vec::new(),
            barrier: None,
            live: 1,
            scratch: Vec::new(),
        }
    }

    /// Live nodes, the root once.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    #[inline]
    pub(super) fn node(&self, id: u32) -> &Node {
        &self.nodes[id]
    }

    #[inline]
    pub(super) fn node_mut(&mut self, id: u32) -> &mut Node {
        &mut self.nodes[id]
    }

    /// Name and data in one piece.
    #[inline]
    fn payload<'a>(&'a self, node: &Node) -> &'a [u8] {
        self.payloads.get(node.place(), node.payload_len())
    }

    #[inline]
    pub(super) fn name(&self, id: u32) -> &[u8] {
        let node = &self.nodes[id];
        &self.payload(node)[..node.name_len()]
    }

    #[inline]
    pub(super) fn data(&self, id: u32) -> Option<&[u8]> {
        let node = &self.nodes[id];
        node.data_len()?;
        Some(&self.payload(node)[node.name_len()..])
    }

    /// Numbers of the children, in no order that means anything.
    #[inline]
    pub(super) fn children(&self, id: u32) -> &[u32] {
        match self.nodes[id].children {
            NONE => &[],
            list => &self.lists[list],
        }
    }

    #[inline]
    pub(super) fn child(&self, parent: u32, name: &[u8]) -> Option<u32> {
        let hash = self.index.hash(parent, name);
        self.index.find(hash, |id| {
            let node = &self.nodes[id];
            node.parent == parent
                && node.name_len() == name.len()
                && &self.payload(node)[..name.len()] == name
        })
    }

    /// Walks from the root. `/` and the empty path are the root; a path without a slash
    /// at its start, or with an empty component, is nobody's.
    #[inline]
    pub(super) fn find(&self, path: &str) -> Option<u32> {
        let Some(rest) = path.strip_prefix('/') else {
            return if path.is_empty() { Some(ROOT) } else { None };
        };
        if rest.is_empty() {
            return Some(ROOT);
        }
        // Byte by byte: names are short, and a search for a character costs more than to look at them.
        let (mut at, mut rest) = (ROOT, rest.as_bytes());
        while let Some(end) = rest.iter().position(|byte| *byte == b'/') {
            let (name, below) = rest.split_at(end);
            at = self.child(at, name)?;
            rest = below.get(1..).unwrap_or_default();
        }
        self.child(at, rest)
    }

    /// Adds a node below `parent`, where no child of that name is.
    pub(super) fn attach(&mut self, parent: u32, name: &str, data: Option<&[u8]>, node: Node) -> u32 {
        let id = self.attach_unindexed(parent, name, data, node);
        self.index.insert(self.index.hash(parent, name.as_bytes()), id);
        id
    }

    /// As [`Store::attach`], but nobody finds the node before [`Store::index_from`].
    pub(super) fn attach_unindexed(
        &mut self,
        parent: u32,
        name: &str,
        data: Option<&[u8]>,
        mut node: Node,
    ) -> u32 {
        let place = self.payloads.store(name.as_bytes(), data.unwrap_or_default());
        node.set_payload(place, name.len(), data.map(<[u8]>::len));
        node.parent = parent;
        node.position = self.list_of(parent).len() as u32;
        node.children = NONE;
        let id = self.take_number(node);
        self.list_of(parent).push(id);
        self.live += 1;
        id
    }

    /// Indexes all nodes from number `from` on, none of which is indexed or was deleted.
    /// Fails with the number of the first one whose path another one has.
    pub(super) fn index_from(&mut self, from: u32) -> Result<(), u32> {
        let hash = |id| self.index.hash(self.nodes[id].parent, self.name(id));
        let hashes: Vec<KeyHash> = (from..self.nodes.len()).map(hash).collect();
        self.index.reserve(&hashes);
        for (id, hash) in (from..).zip(hashes) {
            let (parent, name) = (self.nodes[id].parent, self.name(id));
            let same = |other: u32| self.nodes[other].parent == parent && self.name(other) == name;
            if self.index.find(hash, same).is_some() {
                return Err(id);
            }
            self.index.insert(hash, id);
        }
        Ok(())
    }

    /// Numbers given so far.
    pub(super) fn numbers(&self) -> u32 {
        self.nodes.len()
    }

    /// Takes a node without children out of the tree; its number and bytes stay its own
    /// until [`Store::release`].
    pub(super) fn detach(&mut self, id: u32) {
        let (parent, position) = (self.nodes[id].parent, self.nodes[id].position as usize);
        let hash = self.index.hash(parent, self.name(id));
        self.index.remove(hash, id);
        let list = self.list_of(parent);
        list.swap_remove(position);
        if let Some(&moved) = list.get(position) {
            self.nodes[moved].position = position as u32;
        }
        self.tidy_list(parent);
        self.live -= 1;
    }

    /// Gives number and bytes of a detached node back.
    pub(super) fn release(&mut self, id: u32) {
        self.payloads.free(self.nodes[id].place());
        match &mut self.barrier {
            None => self.free.push(id),
            Some(b) if id >= b.from => b.fresh.push(id),
            Some(b) => b.parked.push(id),
        }
    }

    /// Replaces a node's data.
    pub(super) fn set_data(&mut self, id: u32, data: Option<&[u8]>) {
        let node = &mut self.nodes[id];
        let (old, name) = (node.payload_len(), node.name_len());
        let len = name + data.map_or(0, <[u8]>::len);
        let mut place = node.place();
        if Payloads::fits(old, len) {
            self.payloads.get_mut(place, len)[name..].copy_from_slice(data.unwrap_or_default());
        } else {
            self.scratch.clear();
            self.scratch.extend_from_slice(&self.payloads.get(place, old)[..name]);
            self.payloads.free(place);
            place = self.payloads.store(&self.scratch, data.unwrap_or_default());
        }
        node.set_payload(place, name, data.map(<[u8]>::len));
    }

    /// Full path; the root's is `/`.
    pub(super) fn path(&self, id: u32) -> String {
        let mut names = Vec::new();
        let mut at = id;
        while at != ROOT {
            names.push(self.name(at));
            at = self.nodes[at].parent;
        }
        let mut path = Vec::with_capacity(names.iter().map(|n| n.len() + 1).sum::<usize>().max(1));
        if names.is_empty() {
            path.push(b'/');
        }
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        text(path)
    }

    /// Sets a barrier at the present numbers (moves an older one up).
    pub(super) fn set_barrier(&mut self) -> u32 {
        let from = self.nodes.len();
        let b = self.barrier.get_or_insert_default();
        b.from = from;
        b.parked.append(&mut b.fresh);
        from
    }

    /// All freed numbers may be used again.
    pub(super) fn lift_barrier(&mut self) {
        if let Some(mut b) = self.barrier.take() {
            self.free.append(&mut b.fresh);
            self.free.append(&mut b.parked);
        }
    }

    fn take_number(&mut self, node: Node) -> u32 {
        let free = match &mut self.barrier {
            None => self.free.pop(),
            Some(b) => b.fresh.pop(),
        };
        match free {
            Some(id) => {
                self.nodes[id] = node;
                id
            }
            None => self.nodes.push(node),
        }
    }

    fn list_of(&mut self, parent: u32) -> &mut Vec<u32> {
        if self.nodes[parent].children == NONE {
            self.nodes[parent].children = match self.free_lists.pop() {
                Some(list) => list,
                None => self.lists.push(Vec::new()),
            };
        }
        &mut self.lists[self.nodes[parent].children]
    }

    /// Gives the memory of an empty or mostly empty list back.
    fn tidy_list(&mut self, parent: u32) {
        let number = self.nodes[parent].children;
        if number == NONE {
            return;
        }
        let list = &mut self.lists[number];
        if list.is_empty() {
            *list = Vec::new();
            self.nodes[parent].children = NONE;
            self.free_lists.push(number);
        } else if list.capacity() > 64 && list.len() < list.capacity() / 4 {
            list.shrink_to(list.len() * 2);
        }
    }
}

/// Bytes that were made of names, as a text: they are UTF-8 because names come from texts.
pub(super) fn text(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    }
}

#[cfg(test)]
impl Store {
    /// Checks the invariants of nodes, lists and index against each other.
    pub(super) fn check_shape(&self, mut each: impl FnMut(u32)) {
        let mut places = std::collections::HashSet::new();
        let (mut open, mut seen) = (vec![ROOT], 0);
        while let Some(id) = open.pop() {
            seen += 1;
            each(id);
            let node = self.node(id);
            if node.payload_len() > 0 {
                let place = node.place();
                assert!(places.insert((place.class, place.slot)), "two payloads in one place");
            }
            for (i, &child) in self.children(id).iter().enumerate() {
                let c = self.node(child);
                assert_eq!((c.parent, c.position), (id, i as u32));
                assert_eq!(self.child(id, self.name(child)), Some(child));
                open.push(child);
            }
        }
        assert_eq!(seen, self.live);
        assert_eq!(self.index.len(), self.live - 1);
        let lists = (0..self.lists.len()).filter(|l| !self.free_lists.contains(l)).count();
        let parents = (0..self.nodes.len()).filter(|&n| !self.children(n).is_empty()).count();
        assert!(lists >= parents);
    }
}
