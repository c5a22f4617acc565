//! An answer.
//!
//! # Invariants
//!
//! * No answer is stored by caches or guessed to be of another type.

use std::fmt;
use std::io::Read;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Headers, beside those of its length.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: ReplyBody,
}

/// The body of an answer.
pub enum ReplyBody {
    /// All of it.
    Bytes(Bytes),
    /// Read as the client takes it, on a thread of its own.
    Stream {
        /// Its bytes, where they are known.
        length: Option<u64>,
        /// Where it is read from.
        from: Box<dyn Read + Send>,
    },
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplyBody::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            ReplyBody::Stream { length, .. } => write!(f, "a stream of {length:?} bytes"),
        }
    }
}

impl Reply {
    /// An answer of this type.
    pub fn new(status: StatusCode, content_type: &'static str, body: ReplyBody) -> Reply {
        let headers = vec![
            (CONTENT_TYPE, HeaderValue::from_static(content_type)),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        Reply { status, headers, body }
    }

    /// Plain text.
    pub fn text(status: StatusCode, text: impl Into<String>) -> Reply {
        Reply::new(status, "text/plain; charset=utf-8", ReplyBody::Bytes(Bytes::from(text.into())))
    }

    /// JSON.
    pub fn json(status: StatusCode, text: impl Into<String>) -> Reply {
        Reply::new(status, "application/json", ReplyBody::Bytes(Bytes::from(text.into())))
    }

    /// A page.
    pub fn html(status: StatusCode, text: impl Into<String>) -> Reply {
        Reply::new(status, "text/html; charset=utf-8", ReplyBody::Bytes(Bytes::from(text.into())))
    }

    /// The same with one more header; a value that cannot stand in a header is left out.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Reply {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}
