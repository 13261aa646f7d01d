//! As much of JPEG (ITU-T T.81, annex B) as tells how large a picture is, and whether it is whole.

/// Width and height, if the picture has its end.
pub(super) fn size(bytes: &[u8]) -> Option<(u64, u64)> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?.strip_suffix(&[0xff, 0xd9])?;
    loop {
        let [0xff, marker, high, low, after @ ..] = rest else { return None };
        match (marker, after) {
            // Every frame header but what lies between them: Huffman tables, an extension, arithmetic conditioning.
            (0xc0..=0xcf, [_precision, h1, h0, w1, w0, ..]) if ![0xc4, 0xc8, 0xcc].contains(marker) => {
                return Some((u16::from_be_bytes([*w1, *w0]).into(), u16::from_be_bytes([*h1, *h0]).into()));
            }
            // The length counts its own two bytes.
            _ => rest = rest.get(2 + usize::from(u16::from_be_bytes([*high, *low]))..)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_in_the_frame_header_of_a_whole_picture() {
        let head = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc4, 0, 3, 9];
        let frame = [0xff, 0xc0, 0, 11, 8, 0, 90, 1, 64, 3, 0, 0, 0];
        let end = [0xff, 0xda, 0, 2, 7, 7, 0xff, 0xd9];
        let whole = [&head[..], &frame, &end].concat();
        assert_eq!(size(&whole), Some((320, 90)));
        for length in 0..whole.len() {
            assert_eq!(size(&whole[..length]), None, "{length}");
        }
        assert_eq!(size(&[&head[..], &end].concat()), None);
    }
}
