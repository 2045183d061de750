//! Charsets by the numbers that Windows and DOS give them, and two that the table of decoders
//! lacks: 437 and 852. Pure.
//!
//! Programs that run in a console, such as cash desks and scanners, still write in those.

/// What the octets from 128 on stand for in code page 437.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ\
    áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
    └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// What they stand for in code page 852.
const CP852: &str = "ÇüéâäůćçłëŐőîŹÄĆÉĹĺôöĽľŚśÖÜŤťŁ×č\
    áíóúĄąŽžĘę¬źČş«»░▒▓│┤ÁÂĚŞ╣║╗╝Żż┐\
    └┴┬├─┼Ăă╚╔╩╦╠═╬¤đĐĎËďŇÍÎě┘┌█▄ŢŮ▀\
    ÓßÔŃńňŠšŔÚŕŰýÝţ´\u{ad}˝˛ˇ˘§÷¸°¨˙űŘř■\u{a0}";

/// The charset that Windows knows by this number.
pub fn label_of(codepage: u32) -> Option<&'static str> {
    Some(match codepage {
        437 => "cp437",
        850 => "cp850",
        852 => "cp852",
        866 => "cp866",
        874 => "windows-874",
        932 | 50_220..=50_222 => {
            if codepage == 932 {
                "shift_jis"
            } else {
                "iso-2022-jp"
            }
        }
        936 | 20_936 | 52_936 => "gbk",
        949 | 51_949 => "euc-kr",
        950 => "big5",
        1250 => "windows-1250",
        1251 => "windows-1251",
        1252 => "windows-1252",
        1253 => "windows-1253",
        1254 => "windows-1254",
        1255 => "windows-1255",
        1256 => "windows-1256",
        1257 => "windows-1257",
        1258 => "windows-1258",
        10_000 => "macintosh",
        10_007 => "x-mac-cyrillic",
        20_866 => "koi8-r",
        21_866 => "koi8-u",
        28_591 => "iso-8859-1",
        28_592 => "iso-8859-2",
        28_595 => "iso-8859-5",
        28_597 => "iso-8859-7",
        28_599 => "iso-8859-9",
        28_605 => "iso-8859-15",
        51_932 => "euc-jp",
        54_936 => "gb18030",
        20_127 | 65_001 => "utf-8",
        _ => return None,
    })
}

/// Decodes `bytes` if the label (lower case, with `_`) is one of these.
pub fn decode(label: &str, bytes: &[u8]) -> Option<String> {
    let table = match label {
        "cp437" => CP437,
        "cp852" => CP852,
        _ => return None,
    };
    let upper: Vec<char> = table.chars().collect();
    let char = |byte: &u8| match byte.checked_sub(128) {
        None => char::from(*byte),
        Some(at) => upper.get(usize::from(at)).copied().unwrap_or('\u{fffd}'),
    };
    Some(bytes.iter().map(char).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_has_its_character() {
        assert_eq!((CP437.chars().count(), CP852.chars().count()), (128, 128));
        assert_eq!(decode("cp437", b"a\x81\xe1\xff").as_deref(), Some("aüß\u{a0}"));
        assert_eq!(decode("cp852", b"\x9d\xa2d\xab").as_deref(), Some("Łódź"));
        assert_eq!(decode("cp850", b"a"), None);
    }
}
