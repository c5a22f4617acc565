//! An error at every operation of every path: what was promised before it stays, and nothing is
//! promised that the medium did not take.

use crate::paths;
use crate::verdict::{Trace, judge};
use oxkeeper::disk::mem::{Fault, MemDisk};

const FAULTS: [(Fault, bool); 4] =
    [(Fault::Io, false), (Fault::Io, true), (Fault::NoSpace, false), (Fault::NoSpace, true)];

#[test]
fn an_error_at_any_operation_loses_nothing_that_was_promised() {
    let mut images = 0;
    for path in paths::every() {
        let disk = MemDisk::new();
        (path.prepare)(&disk);
        let before = disk.ops();
        (path.run)(&disk, &mut Trace::default()).unwrap();
        for at in 1..=disk.ops() - before {
            for (fault, for_ever) in FAULTS {
                let disk = MemDisk::new();
                (path.prepare)(&disk);
                disk.record();
                disk.fail_at(disk.ops() + at, fault, for_ever);
                let mut trace = Trace::default();
                // The script ends with the error, or lives with it.
                let end = (path.run)(&disk, &mut trace);
                disk.heal();
                disk.set_capacity(None);
                for image in [disk.crash_losing_all(), disk.crash(&mut |_| 0)] {
                    images += 1;
                    if let Err(e) = judge(&image, &path.rules, &trace.at(usize::MAX)) {
                        panic!(
                            "{}: {fault:?} (for ever: {for_ever}) at operation {at}, {end:?}: {e}",
                            path.name
                        );
                    }
                }
            }
        }
    }
    println!("{images} images behind injected errors");
    assert!(images > 2000);
}
