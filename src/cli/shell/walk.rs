//! Walks over subtrees, for the recursive commands.
//!
//! # Invariants
//!
//! * A znode that vanishes under way is passed over; the root must exist.

use super::Shell;
use super::answer::Failure;
use super::reads::sort;
use crate::error::Code;

/// Visits `root`, then, level by level within each branch, everything below it: all
/// children of a znode before the grandchildren of the first, as `ZKUtil.visitSubTreeDFS`.
pub fn depth_first(
    sh: &mut Shell,
    root: &str,
    watch: bool,
    mut visit: impl FnMut(&mut Shell, &str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let zk = sh.zk();
    sh.run(root, zk.get(root, watch))?;
    visit(sh, root)?;
    let mut stack = vec![root.to_owned()];
    while let Some(path) = stack.pop() {
        let mut names = match sh.run(&path, zk.children2(&path, watch)) {
            Ok((names, _)) => names,
            Err(f) if f.code == Some(Code::NoNode) => continue,
            Err(f) => return Err(f),
        };
        sort(&mut names);
        let children: Vec<String> = names.iter().map(|name| child(&path, name)).collect();
        for path in &children {
            visit(sh, path)?;
        }
        stack.extend(children.into_iter().rev());
    }
    Ok(())
}

/// `root` and everything below it, parents before children.
pub fn breadth_first(sh: &Shell, root: &str) -> Result<Vec<String>, Failure> {
    let zk = sh.zk();
    let mut tree = vec![root.to_owned()];
    let mut at = 0;
    while let Some(path) = tree.get(at).cloned() {
        let names = sh.run(&path, zk.children(&path, false))?;
        tree.extend(names.iter().map(|name| child(&path, name)));
        at += 1;
    }
    Ok(tree)
}

/// The path of a child.
pub fn child(parent: &str, name: &str) -> String {
    if parent == "/" { format!("/{name}") } else { format!("{parent}/{name}") }
}
