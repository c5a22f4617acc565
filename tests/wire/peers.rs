//! What Java servers of an ensemble said to each other: read as a dissector of its own read it, written again to the
//! same bytes.
//!
//! # Invariants
//!
//! * A file that cannot be read to its end fails the test.

use crate::golden::files;
use bytes::BytesMut;
use oxkeeper::config::quorum::Ensemble;
use oxkeeper::peer::payload::{decode_designated, decode_number, encode_designated, encode_number};
use oxkeeper::peer::{
    Activation, Forwarded, Initial, InitialDecoded, InitialProtocol, LearnerInfo, Notification, Packet,
    PacketKind, Revalidation, Touch,
};
use std::collections::BTreeSet;
use std::fs;

/// One recorded message.
struct Message {
    place: String,
    /// Number of its connection within the recording.
    connection: u32,
    /// Did whoever dialled send it?
    from_dialler: bool,
    line: String,
    bytes: Vec<u8>,
}

fn messages(of: &str) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::new();
    let found = files("peer");
    for file in found.iter().filter(|f| f.file_name().is_some_and(|n| n.to_string_lossy().starts_with(of))) {
        let text = fs::read_to_string(file).expect("a recording");
        for (number, line) in text.lines().enumerate() {
            let place = format!("{}:{}", file.display(), number + 1);
            if let Some(hex) = line.strip_prefix("    ") {
                let digits = hex.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).expect("hex"));
                let bytes = digits.map(|two| u8::from_str_radix(two, 16).expect("hex"));
                all.last_mut().expect("a message").bytes.extend(bytes);
            } else if !line.starts_with('#') {
                let mut parts = line.splitn(3, ' ');
                let connection = parts.next().and_then(|n| n.parse().ok()).expect("a connection");
                let from_dialler = parts.next() == Some(">");
                let line = parts.next().expect("a line").to_owned();
                all.push(Message { place, connection, from_dialler, line, bytes: Vec::new() });
            }
        }
    }
    assert!(!all.is_empty(), "no recording {of}");
    all
}

/// The payload as the dissector shows it, once it was decoded and encoded again to what it was.
fn payload(packet: &Packet, from_dialler: bool) -> String {
    let Some(data) = &packet.data else { return "null".to_owned() };
    match packet.kind {
        PacketKind::Request => {
            let f = Forwarded::decode(data).expect("a request");
            assert_eq!(f.encode(), data);
            format!("session={:#x} cxid={} op={} record={}", f.session.0, f.cxid, f.op, f.record.len())
        }
        PacketKind::Revalidate if !from_dialler => {
            let word = Revalidation::decode(data).expect("a word on a session");
            assert_eq!(word.encode(), data);
            format!("session={:#x} valid={}", word.session.0, i32::from(word.valid))
        }
        PacketKind::Ping | PacketKind::Revalidate => {
            let list = Touch::decode_list(data).expect("sessions");
            assert_eq!(Touch::encode_list(&list), data);
            let shown: Vec<_> =
                list.iter().map(|t| format!("touch={:#x}:{}", t.session.0, t.timeout)).collect();
            if shown.is_empty() { "touches=0".to_owned() } else { shown.join(" ") }
        }
        PacketKind::NewLeader => format!("config={}", config(data)),
        PacketKind::FollowerInfo | PacketKind::ObserverInfo => {
            let info = LearnerInfo::decode(data).expect("a learner");
            assert_eq!(info.encode(), data);
            let (server, version) = (info.server.expect("an id"), info.config_version.expect("a version"));
            format!("sid={} protocol={:#x} version={version:#x}", server.0, info.protocol)
        }
        PacketKind::LeaderInfo | PacketKind::AckEpoch => {
            let number = decode_number(data).expect("a number");
            assert_eq!(encode_number(number), data);
            format!("number={number}")
        }
        PacketKind::CommitAndActivate => {
            let leader = decode_designated(data).expect("a leader");
            assert_eq!(encode_designated(leader), data);
            format!("leader={}", leader.0)
        }
        PacketKind::InformAndActivate => {
            let activation = Activation::decode(data).expect("a reconfiguration");
            assert_eq!(activation.encode(), data);
            format!("leader={} txn={}", activation.leader.0, activation.txn.len())
        }
        _ => format!("bytes={}", data.len()),
    }
}

/// The text of a configuration, which is read and written again to itself.
fn config(text: &[u8]) -> String {
    let text = std::str::from_utf8(text).expect("a text");
    let ensemble = Ensemble::parse(text, false).unwrap_or_else(|e| panic!("{text}: {}", e.what));
    assert_eq!(ensemble.to_string(), text);
    text.replace('\n', "|")
}

fn packet_line(message: &Message) -> String {
    let mut stream = BytesMut::from(&message.bytes[..]);
    let packet = Packet::decode(&mut stream, 1 << 20).expect("a packet").expect("a whole one");
    assert!(stream.is_empty(), "{}", message.place);
    let (again, mut bytes) = (packet.to_bytes(), message.bytes.clone());
    if packet.kind == PacketKind::Request && bytes.ends_with(&[0xff; 4]) {
        // Java's learner opens and closes sessions with a null list; we always write a list with a request.
        let list = bytes.len() - 4;
        bytes[list..].fill(0);
    }
    assert_eq!(again, bytes, "{}", message.place);
    let auth: Vec<String> = packet.auth.iter().map(|id| format!("{}:{}", id.scheme, id.id)).collect();
    let auth = if auth.is_empty() { "none".to_owned() } else { auth.join(",") };
    let name = format!("{:?}", packet.kind).to_uppercase();
    format!("{name} zxid={:#x} {} auth={auth}", packet.zxid.0, payload(&packet, message.from_dialler))
}

#[test]
fn packets_of_java_are_read_and_written_to_the_same_bytes() {
    let mut kinds = BTreeSet::new();
    for message in messages("quorum") {
        if message.line == "snapshot" {
            continue;
        }
        assert_eq!(packet_line(&message), message.line, "{}", message.place);
        kinds.insert(message.line.split(' ').next().unwrap_or_default().to_owned());
    }
    // TRUNC alone is missing: it has no payload of its own.
    assert_eq!(kinds.len(), PacketKind::ALL.len() - 1, "{kinds:?}");
}

/// Each direction of each connection as the stream it was, in pieces of all sizes, snapshots cut out.
#[test]
fn streams_of_java_give_the_same_packets_whatever_the_pieces() {
    let all = messages("quorum");
    let count = |name: &str| all.iter().filter(|m| m.line.starts_with(name)).count();
    assert!(count("SNAP") >= 2 && count("DIFF") >= 2 && count("INFORM ") >= 10);
    for size in [1, 7, 64, 4096] {
        let mut streams = std::collections::BTreeMap::<_, (Vec<u8>, usize)>::new();
        for m in all.iter().filter(|m| m.line != "snapshot") {
            let file = m.place.split(':').next().unwrap_or_default().to_owned();
            let stream = streams.entry((file, m.connection, m.from_dialler)).or_default();
            stream.0.extend(&m.bytes);
            stream.1 += 1;
        }
        for (which, (stream, packets)) in streams {
            let (mut buffer, mut got) = (BytesMut::new(), 0);
            for piece in stream.chunks(size) {
                buffer.extend_from_slice(piece);
                while Packet::decode(&mut buffer, 1 << 20).expect("packets").is_some() {
                    got += 1;
                }
            }
            assert_eq!((got, buffer.len()), (packets, 0), "{which:?}");
        }
    }
}

fn election_line(message: &Message) -> String {
    let bytes = &message.bytes[..];
    if message.line.starts_with("INITIAL") {
        let Ok(InitialDecoded::Initial(initial, used)) = Initial::decode(bytes) else {
            panic!("{}", message.place)
        };
        assert_eq!(used, bytes.len());
        let mut again = Vec::new();
        initial.encode(&mut again);
        assert_eq!(again, bytes);
        assert_eq!(initial.protocol, InitialProtocol::One);
        return format!("INITIAL protocol=-65536 sid={} at={}", initial.server.0, initial.addresses[0]);
    }
    let body = &bytes[4..];
    let note = Notification::decode(body).expect("a notification").expect("one of 3.5 and later");
    let mut again = Vec::new();
    note.encode(&mut again);
    assert_eq!(again, body, "{}", message.place);
    let text = config(note.config.as_deref().expect("a configuration").as_bytes());
    format!(
        "NOTE state={} leader={} zxid={:#x} round={} epoch={} version=2 config={text}",
        note.state.number(),
        note.leader.0,
        note.zxid.0,
        note.election_epoch,
        note.peer_epoch
    )
}

#[test]
fn elections_of_java_are_read_and_written_to_the_same_bytes() {
    let mut states = BTreeSet::new();
    for message in messages("election") {
        assert_eq!(election_line(&message), message.line, "{}", message.place);
        states.extend(message.line.strip_prefix("NOTE state=").map(|rest| rest[..1].to_owned()));
    }
    assert_eq!(states.into_iter().collect::<String>(), "012", "looking, following and leading were said");
}
