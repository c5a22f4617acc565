//! Tests of the benchmark's own arithmetic: a tool that decides whether a target is
//! met has to be right about medians, percentiles and the format it seeds.

#[allow(dead_code)]
mod seed;
#[allow(dead_code)]
mod stats;
#[allow(dead_code)]
mod wire;

use std::time::Duration;

#[test]
fn median_takes_the_middle_and_spread_the_range() {
    assert_eq!(stats::median(&[3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(stats::median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    assert_eq!(stats::median(&[]), None);
    assert_eq!(stats::spread(&[9.0, 10.0, 11.0]), Some(0.2));
    assert_eq!(stats::spread(&[10.0]), None);
}

#[test]
fn quantiles_are_at_most_two_percent_above_the_truth() {
    let mut h = stats::Histogram::default();
    for us in 1..=100_000u64 {
        h.record(Duration::from_micros(us));
    }
    for (q, truth) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.999, 99_900.0), (1.0, 100_000.0)] {
        let got = h.quantile_us(q).unwrap();
        assert!(got >= truth && got <= truth * 1.02, "{q}: {got} for {truth}");
    }
}

#[test]
fn replies_are_cut_wherever_the_stream_was_torn() {
    let mut stream = Vec::new();
    for xid in 1..=50i32 {
        let mut body = xid.to_be_bytes().to_vec();
        body.extend_from_slice(&7i64.to_be_bytes());
        body.extend_from_slice(&(-xid).to_be_bytes());
        body.resize(16 + xid as usize, 0);
        stream.extend_from_slice(&wire::frame(&body));
    }
    let mut replies = wire::Replies::with_capacity(8);
    let mut seen = Vec::new();
    for mut piece in stream.chunks(13) {
        while !piece.is_empty() {
            replies.fill(&mut piece).unwrap();
            while let Some(reply) = replies.next() {
                assert_eq!(reply.err, -reply.xid);
                seen.push(reply.xid);
            }
        }
    }
    assert_eq!(seen, (1..=50).collect::<Vec<_>>());
}

#[test]
fn a_seeded_snapshot_has_names_of_thirty_bytes_and_ends_in_a_seal() {
    let name = seed::leaf(12, 345);
    assert_eq!(name.rsplit('/').next().unwrap().len(), 30);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("snapshot.1");
    let nodes = seed::write(&file, 2000, b"value").unwrap();
    assert_eq!(nodes, 1 + 3 + 1 + 1000 + 2000);
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(&bytes[..4], b"ZKSN");
    assert_eq!(&bytes[bytes.len() - 5..], b"\0\0\0\x01/");
}
