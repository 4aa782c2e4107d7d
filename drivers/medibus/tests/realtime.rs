//! The realtime stream decoded, as far as the protocol's own example goes: a test that the bytes which the driver skips are what
//! they are taken for. The product decodes none of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// A record of the configuration response: 2 code, 8 interval, 5 least, 5 most, 3 hexadecimal of the highest number.
fn scale(record: &[u8]) -> (i64, i64, i64) {
    let text = |from: usize, to: usize| std::str::from_utf8(&record[from..to]).unwrap().replace(' ', "");
    (
        text(10, 15).parse().unwrap(),
        text(15, 20).parse().unwrap(),
        i64::from_str_radix(&text(20, 23), 16).unwrap(),
    )
}

/// Value times 1000: least plus number times the span over the highest number.
fn thousandths(number: i64, (least, most, highest): (i64, i64, i64)) -> i64 {
    least * 1000 + number * (most - least) * 1000 / highest
}

/// Which streams a record has, and their numbers.
fn record(bytes: &[u8]) -> Vec<(u8, i64)> {
    let (sync, mut rest) = bytes.split_first().unwrap();
    assert_eq!(sync >> 4, 0b1101);
    // Pairs that command something stand before the data.
    while let [0xC0..=0xCF, 0xC0..=0xCF, after @ ..] = rest {
        rest = after;
    }
    let streams = (0..4).filter(|stream| sync >> stream & 1 == 1);
    streams
        .zip(rest.chunks_exact(2))
        .map(|(stream, pair)| {
            assert!(pair.iter().all(|byte| byte >> 6 == 0b10));
            (stream, i64::from(pair[0] & 0x3F) | i64::from(pair[1] & 0x3F) << 6)
        })
        .collect()
}

#[test]
fn the_worked_example_is_an_eighth_of_a_millibar() {
    let pressure = scale(b"00   16000-  10  100370");
    let flow = scale(b"06   16000-  20  100460");
    assert_eq!((pressure, flow), ((-10, 100, 0x370), (-20, 100, 0x460)));
    let streams = record(&[0xD3, 0x91, 0x81, 0x8D, 0x83]);
    assert_eq!(streams, [(0, 81), (1, 205)]);
    assert_eq!(thousandths(streams[0].1, pressure), 125);
    // Each of those bytes is one that the driver skips.
    assert!([0xD3u8, 0x91, 0x81, 0x8D, 0x83].iter().all(|byte| *byte >= 0x80));
}

#[test]
fn the_recorded_stream_is_made_of_such_records() {
    let Some(folder) = std::env::var_os("ORUGATE_CORPUS") else { return };
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let bytes = std::fs::read(folder.join("bedside/medibus/rt_stream.bin")).unwrap();
    let starts: Vec<_> =
        (0..bytes.len()).filter(|at| bytes[*at] >> 4 == 0b1101).chain([bytes.len()]).collect();
    assert_eq!(starts[0], 0);
    let records: Vec<_> = starts.windows(2).map(|pair| record(&bytes[pair[0]..pair[1]])).collect();
    let numbers: Vec<_> = records.iter().map(Vec::len).collect();
    assert_eq!(numbers, [0, 2, 1, 1, 2]);
}
