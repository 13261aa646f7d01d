//! H.264 and AAC in TS packets and MP4 boxes, as far as RFC 6381 names and keyframes go.

/// Bytes of a transport packet.
const PACKET: usize = 188;

/// Whether a film is a transport stream, and no MP4.
pub fn is_ts(film: &[u8]) -> bool {
    film.first() == Some(&0x47) && film.len().is_multiple_of(PACKET)
}

/// The payload of the PES packet that begins at `at`.
#[track_caller]
pub fn pes(film: &[u8], at: usize) -> Vec<u8> {
    let pid = |packet: &[u8]| u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
    let begins = |packet: &[u8]| packet[1] & 0x40 != 0;
    let mine = pid(&film[at..]);
    assert!(begins(&film[at..]), "no PES packet begins at {at}");
    let mut payload = Vec::new();
    for packet in film[at..].chunks_exact(PACKET).filter(|packet| pid(packet) == mine) {
        assert_eq!(packet[0], 0x47);
        if begins(packet) && !payload.is_empty() {
            break;
        }
        let skip = if packet[3] & 0x20 != 0 { 5 + usize::from(packet[4]) } else { 4 };
        payload.extend_from_slice(if packet[3] & 0x10 != 0 { &packet[skip..] } else { &[] });
    }
    assert_eq!(payload[..3], [0, 0, 1]);
    payload.split_off(9 + usize::from(payload[8]))
}

/// The NAL units of a picture between start codes, as in TS.
pub fn units_of_ts(picture: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> =
        picture.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([picture.len()]);
    starts.iter().zip(ends).map(|(start, end)| &picture[start + 3..end]).collect()
}

/// The NAL units of a picture with their lengths before them, as in MP4.
#[track_caller]
pub fn units_of_mp4(mut picture: &[u8]) -> Vec<&[u8]> {
    let mut units = Vec::new();
    while let Some((length, rest)) = picture.split_first_chunk() {
        let (unit, rest) = rest.split_at(usize::try_from(u32::from_be_bytes(*length)).unwrap());
        units.push(unit);
        picture = rest;
    }
    units
}

/// The type of a NAL unit: 5 is a slice of an IDR picture, 7 an SPS, 8 a PPS.
pub fn unit_type(unit: &[u8]) -> u8 {
    unit[0] & 0x1f
}

/// What RFC 6381 calls H.264 with these profile, constraints and level: the bytes after an SPS' first, or after an `avcC`'s.
fn avc1(bytes: &[u8]) -> String {
    format!("avc1.{:02X}{:02X}{:02X}", bytes[0], bytes[1], bytes[2])
}

/// Its name by an SPS.
pub fn avc1_of_sps(unit: &[u8]) -> String {
    avc1(&unit[1..])
}

/// Its name by an MP4's `avcC`, which must have the SPS in it.
#[track_caller]
pub fn avc1_of_mp4(film: &[u8]) -> String {
    let avcc = after(film, "avcC").expect("no avcC");
    assert_eq!((avcc[0], avcc[4] & 3, avcc[5] & 0x1f), (1, 3, 1), "version, size of lengths, number of SPS");
    let sps = &avcc[8..];
    assert_eq!((unit_type(sps), avc1_of_sps(sps)), (7, avc1(&avcc[1..])), "avcC and its SPS differ");
    avc1(&avcc[1..])
}

/// What RFC 6381 calls AAC with this ADTS header.
#[track_caller]
pub fn mp4a_of_adts(frame: &[u8]) -> String {
    assert!(frame[0] == 0xff && frame[1] & 0xf6 == 0xf0, "no ADTS: {:02x?}", &frame[..4]);
    format!("mp4a.40.{}", (frame[2] >> 6) + 1)
}

/// The same by an MP4's `esds` (ISO 14496-1 §7.2.6): the decoder's configuration in its descriptor.
#[track_caller]
pub fn mp4a_of_mp4(film: &[u8]) -> String {
    let esds = after(film, "esds").expect("no esds");
    // Version and flags; then ES, whose id and flags are 3 bytes; decoder configuration of 13 bytes; what is special to AAC.
    let (tag, es) = descriptor(&esds[4..]);
    assert_eq!(tag, 3);
    let (tag, config) = descriptor(&es[3..]);
    assert_eq!((tag, config[0]), (4, 0x40), "no MPEG-4 audio");
    let (tag, special) = descriptor(&config[13..]);
    assert_eq!(tag, 5);
    format!("mp4a.40.{}", special[0] >> 3)
}

/// A descriptor's tag, and what is after its length: seven bits a byte, the highest set where another byte follows.
fn descriptor(bytes: &[u8]) -> (u8, &[u8]) {
    let more = bytes[1..].iter().take_while(|byte| **byte & 0x80 != 0).count();
    (bytes[0], &bytes[more + 2..])
}

/// What is in the first box of a kind.
fn after<'a>(film: &'a [u8], kind: &str) -> Option<&'a [u8]> {
    film.windows(4).position(|window| window == kind.as_bytes()).map(|at| &film[at + 4..])
}
