//! The charset of text that says none, or one that nobody knows. Pure.

use std::sync::LazyLock;

use super::charset::by_label;

/// Bytes that are looked at, from the first that is not ASCII.
const SAMPLE: usize = 64 * 1024;

/// Of the East Asian characters that the bytes give, so many in a hundred must be everyday ones.
/// Of real text three quarters are; of the readings that chance gives one in ten.
const EVERYDAY_SHARE: usize = 40;

/// What mail of one script is full of: its most frequent characters, and those of letters and
/// offers.
static SIMPLIFIED: LazyLock<Vec<char>> = LazyLock::new(|| {
    sorted(
        "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而\
    子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进\
    好小部其些主样理心她本前开但因只从想实日者意无力它与长把机十民第公此已工使情明性知全三又关\
    点正业外将两高间由问很最重并物手应向头文体政美相见被利什二等产或新己制身西斯月话合回特代内\
    信表化老给世位次度门任常先海通教提立及比员解水名真论处走各入几口认条平系气题尔更别打四总何\
    电数安少报才结反受目太量再感建务做接必场件计管期市直资命金指至空决技算区队收价格联客户订货\
    款项单询请您谢复附品司寄付账税票样采购",
    )
});
static TRADITIONAL: LazyLock<Vec<char>> = LazyLock::new(|| {
    sorted(
        "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而\
    子那得於著下自之年過發後作裡用道行所然家種事成方多經麼去法學如都同現當沒動面起看定天分還進\
    好小部其些主樣理心她本前開但因只從想實日者意無力它與長把機十民第公此已工使情明性知全三又關\
    點正業外將兩高間由問很最重並物手應向頭文體政美相見被利什二等產或新己制身西斯月話合回特代內\
    信表化老給世位次度門任常先海通教提立及比員解水名真論處走各入幾口認條平系氣題爾更別打四總何\
    電數安少報才結反受目太量再感建務做接必場件計管期市直資命金指至空決技算區隊收價格聯客戶訂貨\
    款項單詢請您謝覆附品司寄付帳稅票樣採購",
    )
});
static HANGUL: LazyLock<Vec<char>> = LazyLock::new(|| {
    sorted(
        "이다는을에의가고하지은로한사서를기도리자시인어나대정일아수스해부전제보여과라니만\
    구상동주우그있장성신세공원문무조소선연유국방면내안녕요습합드까게트년월립감견적탁품격김박최",
    )
});

/// To be searched in few steps: a mail has thousands of parts.
fn sorted(characters: &str) -> Vec<char> {
    let mut characters: Vec<char> = characters.chars().collect();
    characters.sort_unstable();
    characters
}

/// A label that [`by_label`] knows, for bytes that are no UTF-8.
pub fn charset(bytes: &[u8]) -> &'static str {
    let start = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(bytes.len());
    let rest = bytes.get(start..).unwrap_or_default();
    let sample = rest.get(..rest.len().min(SAMPLE)).unwrap_or_default();
    // Cyrillic is asked first: its words pair up as Chinese by chance, the other way it is rare.
    let cyrillic = cyrillic(sample);
    if let Some(reading) = &cyrillic
        && reading.is_clean(sample)
    {
        return reading.label;
    }
    east_asian(sample, sample.len() < rest.len())
        .or(cyrillic.map(|reading| reading.label))
        .unwrap_or("windows-1252")
}

/// `cut` tells that the sample may end within a character.
fn east_asian(sample: &[u8], cut: bool) -> Option<&'static str> {
    let kana =
        |c: char| matches!(c, '\u{3041}'..='\u{3093}' | '\u{30a1}'..='\u{30fc}' | '、' | '。');
    let candidates: [(&str, &dyn Fn(char) -> bool); 5] = [
        ("gbk", &|c| SIMPLIFIED.binary_search(&c).is_ok()),
        ("big5", &|c| TRADITIONAL.binary_search(&c).is_ok()),
        ("shift_jis", &kana),
        ("euc_jp", &kana),
        ("euc_kr", &|c| HANGUL.binary_search(&c).is_ok()),
    ];
    let share = |(label, everyday): &(&'static str, &dyn Fn(char) -> bool)| {
        let text = by_label(label, sample);
        let text = if cut { text.trim_end_matches('\u{fffd}') } else { &text };
        let (mut wide, mut common, mut within) = (0usize, 0usize, 0usize);
        let mut before = ' ';
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\u{fffd}' {
                return None;
            }
            if !c.is_ascii() {
                wide += 1;
                common += usize::from(everyday(c));
                let next = chars.peek().copied().unwrap_or(' ');
                within += usize::from(before.is_ascii_alphabetic() || next.is_ascii_alphabetic());
            }
            before = c;
        }
        // `INFORMAÇÕES`: two marked letters in the midst of a Latin word are one character.
        if 2 * within > wide {
            return None;
        }
        let share = (100 * common).checked_div(wide)?;
        (common >= 2 && share >= EVERYDAY_SHARE).then_some((share, *label))
    };
    candidates.iter().filter_map(share).max_by_key(|(share, _)| *share).map(|(_, label)| label)
}

/// Bytes read as Russian.
struct Reading {
    label: &'static str,
    score: i64,
    /// Letters beyond ASCII.
    letters: usize,
    /// A capital after a small letter within a word: seen where the table is wrong.
    odd: usize,
}

impl Reading {
    /// Whether nearly all that is not ASCII is Russian, without a letter out of place.
    fn is_clean(&self, bytes: &[u8]) -> bool {
        let high = bytes.iter().filter(|byte| !byte.is_ascii()).count();
        self.odd == 0 && 10 * self.letters >= 9 * high
    }
}

/// Cyrillic words have their letters in the upper half of the table, Latin words one here and
/// there: `None` for the latter.
fn cyrillic(bytes: &[u8]) -> Option<Reading> {
    let (mut cyrillic, mut latin) = (0usize, 0usize);
    for (before, next) in bytes.iter().zip(bytes.iter().skip(1)) {
        match (*before >= 0xc0, *next >= 0xc0) {
            (true, true) => cyrillic += 1,
            (true, false) => latin += usize::from(next.is_ascii_alphabetic()),
            (false, true) => latin += usize::from(before.is_ascii_alphabetic()),
            (false, false) => {}
        }
    }
    if cyrillic <= latin {
        return None;
    }
    let (windows, koi8) = (read("windows-1251", bytes), read("koi8-r", bytes));
    Some(if koi8.score > windows.score { koi8 } else { windows })
}

/// Ten times the logarithm of how often a letter stands in a thousand, from а to я.
const FREQUENCY: [i64; 32] = [
    44, 28, 38, 28, 34, 44, 22, 28, 43, 25, 36, 38, 35, 42, 47, 33, 39, 40, 41, 33, 11, 23, 16, 26,
    19, 14, 0, 29, 28, 11, 18, 30,
];
const VOWELS: &str = "аеиоуыэюя";

/// The two tables have the letters at the same places, but in another order and with small ones
/// for capitals, so that the case alone calls every text in capitals by the other's name. Russian
/// has its letters in known numbers, and vowels and consonants by turns.
fn read(label: &'static str, bytes: &[u8]) -> Reading {
    const VOWEL_BY_TURNS: i64 = 10;
    const SIGN_FIRST: i64 = 60;
    const ODD_CAPITAL: i64 = 100;
    const MOSTLY_SMALL: i64 = 8;
    let mut reading = Reading { label, score: 0, letters: 0, odd: 0 };
    let (mut small, mut capital) = (0usize, 0usize);
    let mut before: Option<(bool, bool)> = None;
    for c in by_label(label, bytes).chars() {
        let lower = c.to_lowercase().next().unwrap_or(c);
        let index = u32::from(lower).checked_sub(u32::from('а'));
        let frequency = index.and_then(|index| FREQUENCY.get(usize::try_from(index).ok()?));
        let Some(frequency) = frequency else {
            // ё and the letters of Russian's neighbours.
            reading.letters += usize::from(matches!(lower, 'ѐ'..='џ' | 'ґ'));
            before = None;
            continue;
        };
        let (vowel, is_small) = (VOWELS.contains(lower), c == lower);
        reading.letters += 1;
        reading.score += frequency;
        *(if is_small { &mut small } else { &mut capital }) += 1;
        match before {
            Some((other, _)) if other != vowel => reading.score += VOWEL_BY_TURNS,
            Some(_) => {}
            None if matches!(lower, 'ъ' | 'ы' | 'ь') => reading.score -= SIGN_FIRST,
            None => {}
        }
        if !is_small && matches!(before, Some((_, true))) {
            reading.odd += 1;
            reading.score -= ODD_CAPITAL;
        }
        before = Some((vowel, is_small));
    }
    if small > capital {
        reading.score += MOSTLY_SMALL;
    }
    reading
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes in hexadecimal: what follows can only be written so.
    fn bytes(hex: &str) -> Vec<u8> {
        let digit =
            |at: usize| hex.as_bytes().get(at).map_or(0, |digit| crate::message::word::hex(*digit));
        (0..hex.len() / 2).map(|at| digit(2 * at) << 4 | digit(2 * at + 1)).collect()
    }

    #[test]
    fn text_without_label_is_read_by_what_it_is_full_of() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str, &str)] = &[
            ("capitals, 1251", "d1d0ced7cdce2120cad3cfc8d2c5", "windows-1251", "СРОЧНО! КУПИТЕ"),
            ("capitals, koi8-r", "f3f2effeeeef2120ebf5f0e9f4e5", "koi8-r", "СРОЧНО! КУПИТЕ"),
            ("1251", "cff0e8e2e5f22c20ece8f0", "windows-1251", "Привет, мир"),
            ("koi8-r", "f0d2c9d7c5d42c20cdc9d2", "koi8-r", "Привет, мир"),
            ("koi8-r, pairs", "c3c5ced9", "koi8-r", "цены"),
            ("1251, pairs", "f6e5ede020f2eee2e0f0e0", "windows-1251", "цена товара"),
            ("1251, capitals in pairs", "d6c5cdc020d2cec2c0d0c0", "windows-1251", "ЦЕНА ТОВАРА"),
            ("1251, abbreviations", "d1f7b8f220cecece20abd0eeece0f8eae0bb20b92035", "windows-1251", "Счёт ООО «Ромашка» № 5"),
            ("ukrainian, 1251", "cde0e4b3f8ebb3f2fc20f6b3edf32c20e1f3e4fc20ebe0f1eae0", "windows-1251", "Надішліть ціну, будь ласка"),
            ("german", "536368f66e65204772fcdf6520617573204dfc6e6368656e", "windows-1252", "Schöne Grüße aus München"),
            ("german, capitals", "4752dc53534520415553204bd64c4e", "windows-1252", "GRÜSSE AUS KÖLN"),
            ("french", "c761207661203f20566f696ce0206c27e974e920e0204f726ce9616e73", "windows-1252", "Ça va ? Voilà l'été à Orléans"),
            ("portuguese, capitals", "494e464f524d41c7d54553204520434f4e4449c7d54553", "windows-1252", "INFORMAÇÕES E CONDIÇÕES"),
            ("polish quotes", "844772f6df6593209620352080", "windows-1252", "„Größe“ – 5 €"),
            ("gb2312", "c4fabac3a3acc7ebb7a2b1a8bcdbb5a5a1a3d0bbd0bb", "gbk", "您好，请发报价单。谢谢"),
            ("gb2312, subject", "d1afbcdbb5a5", "gbk", "询价单"),
            ("gb2312 and ascii", "52653a20b2fac6b7bcdbb8f120504f2d313233", "gbk", "Re: 产品价格 PO-123"),
            ("big5", "b17aa66ea141bdd0b148b3f8bbf9b3e6a143c1c2c1c2", "big5", "您好，請寄報價單。謝謝"),
            ("big5, subject", "b8dfbbf9b3e6", "big5", "詢價單"),
            ("shift_jis", "8ca990cf82e082e882cc82a88ae882a2", "shift_jis", "見積もりのお願い"),
            ("euc-jp", "a4aac0a4cfc3a4cba4caa4c3a4c6a4aaa4eaa4dea4b9a1a3", "euc_jp", "お世話になっております。"),
            ("euc-kr", "bec8b3e7c7cfbcbcbfe42c20b0dfc0fb20bacec5b9b5e5b8b3b4cfb4d92e", "euc_kr", "안녕하세요, 견적 부탁드립니다."),
        ];
        for (name, hex, label, text) in cases {
            let bytes = bytes(hex);
            assert_eq!(charset(&bytes), *label, "{name}");
            assert_eq!(by_label(label, &bytes), *text, "{name}");
        }
    }

    #[test]
    fn a_sample_that_ends_within_a_character_is_no_error() {
        let text = [b"x".to_vec(), bytes("c4e3bac3a3ac").repeat(3_000)].concat();
        assert_eq!(charset(&text), "gbk");
    }
}
