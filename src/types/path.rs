//! Znode paths: validation as `PathUtils.validatePath`, and cutting.
//!
//! # Invariants
//!
//! * A valid path starts with `/`, has no trailing `/` (but the root), no empty,
//!   `.` or `..` component, and none of the characters that ZooKeeper refuses.

/// Why a path is no znode path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathError {
    /// Zero length.
    Empty,
    /// Does not start with `/`.
    NoSlash,
    /// Ends with `/` and is not the root.
    TrailingSlash,
    /// `//` inside.
    EmptyComponent,
    /// `.` or `..` component.
    Relative,
    /// A character that znode names may not have.
    Character(char),
}

/// Checks a path. Non-BMP characters are surrogate pairs in Java and refused there.
pub fn validate(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if !path.starts_with('/') {
        return Err(PathError::NoSlash);
    }
    if path.len() == 1 {
        return Ok(());
    }
    if path.ends_with('/') {
        return Err(PathError::TrailingSlash);
    }
    for component in path.as_bytes()[1..].split(|byte| *byte == b'/') {
        match component {
            b"" => return Err(PathError::EmptyComponent),
            b"." | b".." => return Err(PathError::Relative),
            _ => {}
        }
    }
    if path.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        return Ok(()); // the usual path, without decoding it
    }
    match path.chars().find(|&c| !allowed(c)) {
        Some(c) => Err(PathError::Character(c)),
        None => Ok(()),
    }
}

/// As [`validate`], for a create: a sequential path may end in `/` because the counter follows.
pub fn validate_create(path: &str, sequential: bool) -> Result<(), PathError> {
    if sequential && path.ends_with('/') {
        let mut with_digit = String::with_capacity(path.len() + 1);
        with_digit.push_str(path);
        with_digit.push('1');
        validate(&with_digit)
    } else {
        validate(path)
    }
}

fn allowed(c: char) -> bool {
    !matches!(c as u32, 0..=0x1f | 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0..=0xffff | 0x10000..)
}

/// Parent and last component: `/a/b` gives (`/a`, `b`), `/a` gives (`/`, `a`).
/// `None` for the root, the empty path and paths without a slash.
pub fn split(path: &str) -> Option<(&str, &str)> {
    let at = path.rfind('/')?;
    if path.len() == 1 {
        return None;
    }
    let parent = if at == 0 { "/" } else { &path[..at] };
    Some((parent, &path[at + 1..]))
}

/// First component of a path, the "namespace" of metrics: `/a/b` gives `a`; `None` for the root.
pub fn top(path: &str) -> Option<&str> {
    let rest = path.strip_prefix('/')?;
    let first = rest.split('/').next()?;
    if first.is_empty() { None } else { Some(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_zookeeper_refuses() {
        for (path, want) in [
            ("/", Ok(())),
            ("/a/b", Ok(())),
            ("", Err(PathError::Empty)),
            ("a", Err(PathError::NoSlash)),
            ("/a/", Err(PathError::TrailingSlash)),
            ("/a//b", Err(PathError::EmptyComponent)),
            ("/a/./b", Err(PathError::Relative)),
            ("/a/..", Err(PathError::Relative)),
            ("/a\u{1}", Err(PathError::Character('\u{1}'))),
            ("/a\u{85}", Err(PathError::Character('\u{85}'))),
            ("/a\u{e000}", Err(PathError::Character('\u{e000}'))),
            ("/\u{1f600}", Err(PathError::Character('\u{1f600}'))),
            ("/...", Ok(())),
        ] {
            assert_eq!(validate(path), want, "{path:?}");
        }
        assert_eq!(validate_create("/p/", true), Ok(()));
        assert_eq!(validate_create("/p/", false), Err(PathError::TrailingSlash));
    }

    #[test]
    fn split_and_top() {
        assert_eq!(split("/a/b"), Some(("/a", "b")));
        assert_eq!(split("/a"), Some(("/", "a")));
        assert_eq!(split("/"), None);
        assert_eq!(split("x"), None);
        assert_eq!(top("/a/b"), Some("a"));
        assert_eq!(top("/"), None);
    }
}
