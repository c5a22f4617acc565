//! Does the ring notice? Each assumption about the medium, switched off.

use crate::enumerate;
use crate::paths;
use oxkeeper::disk::media::Lies;

fn violations(lies: Lies, only: &[&str]) -> Vec<String> {
    let paths = paths::all();
    let chosen = paths.iter().filter(|p| only.contains(&p.name));
    chosen.flat_map(|p| enumerate::path(p, lies).violations).collect()
}

#[test]
fn a_file_sync_that_does_nothing_is_noticed() {
    let found =
        violations(Lies { sync_file: true, ..Lies::default() }, &["append", "snapshot beside appends"]);
    assert!(!found.is_empty());
}

#[test]
fn a_folder_sync_that_does_nothing_is_noticed() {
    let lies = Lies { sync_dir: true, ..Lies::default() };
    for path in ["append", "epochs", "install a snapshot"] {
        assert!(!violations(lies, &[path]).is_empty(), "{path}");
    }
}

#[test]
fn a_rename_that_is_not_atomic_is_noticed() {
    let lies = Lies { rename_in_two_steps: true, ..Lies::default() };
    assert!(!violations(lies, &["epochs"]).is_empty());
}

#[test]
fn a_torn_write_that_takes_its_neighbours_along_is_noticed() {
    let lies = Lies { tear_neighbours: true, ..Lies::default() };
    assert!(!violations(lies, &["append"]).is_empty());
}
