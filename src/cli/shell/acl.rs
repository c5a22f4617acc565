//! ACL lists as the shell reads them: `scheme:id:perms,…`.
//!
//! # Invariants
//!
//! * An entry of another form, and a letter that is no permission, is named and left out.

use crate::types::{Acl, Id, perms};

/// The list, and what was left out of it, as zkCli.sh says it.
pub fn parse(text: &str) -> (Vec<Acl>, Vec<String>) {
    let (mut list, mut complaints) = (Vec::new(), Vec::new());
    for entry in text.split(',') {
        let parts = entry.split_once(':').and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once(':')?)));
        let Some((scheme, (id, letters))) = parts else {
            complaints.push(format!("{entry} does not have the form scheme:id:perm"));
            continue;
        };
        let mut bits = 0;
        for letter in letters.chars() {
            bits |= match letter {
                'r' => perms::READ,
                'w' => perms::WRITE,
                'c' => perms::CREATE,
                'd' => perms::DELETE,
                'a' => perms::ADMIN,
                other => {
                    complaints.push(format!("Unknown perm type: {other}"));
                    0
                }
            };
        }
        list.push(Acl { perms: bits, id: Id::new(scheme, id) });
    }
    (list, complaints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_and_others_are_named() {
        let (list, complaints) = parse("world:anyone:cdrwa,ip:::1:r,nonsense,digest:u:h:rx");
        assert_eq!(
            list,
            [
                Acl::open(),
                Acl { perms: perms::READ, id: Id::new("ip", "::1") },
                Acl { perms: perms::READ, id: Id::new("digest", "u:h") },
            ]
        );
        assert_eq!(complaints, ["nonsense does not have the form scheme:id:perm", "Unknown perm type: x"]);
    }
}
