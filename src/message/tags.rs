//! The tags of an HTML document, in one pass over whatever was written. Pure.

use super::style;

/// Elements whose content is no text.
const SILENT: &[&str] =
    &["head", "script", "style", "title", "template", "noscript", "svg", "select"];

/// The tags of a document from here on.
#[derive(Clone)]
pub struct Tags<'x> {
    pub rest: &'x str,
    ended: bool,
    /// Once there is no `>` ahead there is none later: no further tag is looked for.
    more: bool,
    quotes: Quotes,
    /// Likewise for each silent element that is opened and never closed.
    endless: Vec<String>,
}

pub struct Tag<'x> {
    /// Lower case, at most 16 characters.
    pub name: String,
    /// All between the angle brackets.
    pub inside: &'x str,
    pub closes: bool,
}

impl<'x> Tags<'x> {
    pub fn new(html: &'x str) -> Tags<'x> {
        let quotes = Quotes { double: true, single: true };
        Tags { rest: html, ended: false, more: true, quotes, endless: Vec::new() }
    }

    /// The text up to the next tag, and that tag; comments and silent elements are passed over.
    pub fn next(&mut self) -> Option<(&'x str, Option<Tag<'x>>)> {
        let Some(at) = self.rest.find('<') else {
            if std::mem::replace(&mut self.ended, true) {
                return None;
            }
            return Some((std::mem::take(&mut self.rest), None));
        };
        let (before, tag) = self.rest.split_at_checked(at)?;
        if let Some(comment) = tag.strip_prefix("<!--") {
            self.rest = after_comment(comment);
            return Some((before, None));
        }
        let is_tag = tag
            .as_bytes()
            .get(1)
            .is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!' | b'?'));
        let end = if is_tag && self.more { tag_end(tag, &mut self.quotes) } else { None };
        self.more = self.more && (!is_tag || end.is_some());
        let Some(end) = end else {
            let text = self.rest.get(..=at)?;
            self.rest = tag.get(1..)?;
            return Some((text, None));
        };
        let inside = tag.get(1..end)?;
        self.rest = tag.get(end + 1..)?;
        let closes = inside.starts_with('/');
        let name: String = inside
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .take(16)
            .collect::<String>()
            .to_ascii_lowercase();
        let silent = !closes && SILENT.contains(&name.as_str()) && !inside.ends_with('/');
        if silent && !self.endless.contains(&name) {
            match after_element(self.rest, &name) {
                Some(after) => self.rest = after,
                // A browser would show none of it, but a person asks where the mail's text is.
                None => self.endless.push(name),
            }
            return Some((before, None));
        }
        Some((before, Some(Tag { name, inside, closes })))
    }

    /// Where the element ends whose start tag was just read, if all of it is hidden. One that is
    /// not closed hides nothing, for the same reason.
    pub fn end_of(
        &self,
        name: &str,
        hidden: style::Hidden,
        budget: &mut usize,
    ) -> Option<Tags<'x>> {
        let mut ahead = self.clone();
        let found = ahead.pass(name, *budget);
        let looked = self.rest.len() - ahead.rest.len();
        // What was looked through for nothing will be once more.
        *budget = budget.saturating_sub(looked);
        let content = self.rest.get(..looked)?;
        (found && !style::is_undone(hidden, content)).then_some(ahead)
    }

    /// Goes behind the end of the element; false if it is not among the next `most` bytes.
    fn pass(&mut self, name: &str, most: usize) -> bool {
        let start = self.rest.len();
        let mut depth = 1usize;
        let mut around = Around::default();
        while start - self.rest.len() < most {
            let before = self.rest;
            let Some((_, tag)) = self.next() else {
                return false;
            };
            let Some(tag) = tag else {
                continue;
            };
            let same = tag.name == name;
            // The next paragraph ends one that is not closed (HTML standard, "closes a p element").
            let next_block =
                name == "p" && !(same && tag.closes) && ENDS_PARAGRAPH.contains(&tag.name.as_str());
            if same && tag.closes {
                depth -= 1;
                if depth == 0 {
                    return true;
                }
            }
            let outside = if next_block { Outside::Table } else { around.pass(name, &tag) };
            match outside {
                Outside::No => {}
                Outside::Table => {
                    let at = before.find('<').unwrap_or(before.len());
                    self.rest = before.get(at..).unwrap_or_default();
                    return true;
                }
                // What only the document's end would close was not closed.
                Outside::Document => return false,
            }
            if same && !tag.closes && !tag.inside.ends_with('/') {
                depth += 1;
            }
        }
        false
    }
}

/// What was opened and not closed within an element of those that hold it together: the end of one
/// that was not opened within is the end of one around.
#[derive(Default)]
struct Around {
    tables: usize,
    /// These two in no table but the one around.
    rows: usize,
    cells: usize,
    bodies: usize,
    documents: usize,
}

/// Whether a tag belongs to what stands around the element, and ends it.
enum Outside {
    No,
    /// To the table, or another block.
    Table,
    Document,
}

impl Around {
    /// Counts a tag within the element `name` (HTML standard, "in table", "in row", "in cell").
    fn pass(&mut self, name: &str, tag: &Tag<'_>) -> Outside {
        let inner = self.tables > 0;
        let (count, outside) = match tag.name.as_str() {
            "table" => (&mut self.tables, Outside::Table),
            // The cells and rows of a table within go with it, closed or not.
            "tr" | "td" | "th" if inner => return Outside::No,
            // The next cell or row ends one that is not closed.
            "td" | "th" if !tag.closes && matches!(name, "td" | "th") => return Outside::Table,
            "tr" if !tag.closes && matches!(name, "td" | "th" | "tr") => return Outside::Table,
            "td" | "th" => (&mut self.cells, Outside::Table),
            "tr" => (&mut self.rows, Outside::Table),
            "body" => (&mut self.bodies, Outside::Document),
            "html" => (&mut self.documents, Outside::Document),
            _ => return Outside::No,
        };
        if !tag.closes {
            *count += 1;
        } else if *count == 0 {
            return outside;
        } else {
            *count -= 1;
        }
        Outside::No
    }
}

/// Tags that end a paragraph.
const ENDS_PARAGRAPH: &[&str] =
    &["p", "div", "table", "td", "tr", "ul", "ol", "blockquote", "body", "html", "h1", "h2", "h3"];

/// Whether a quote of this kind may still be closed.
#[derive(Clone)]
struct Quotes {
    double: bool,
    single: bool,
}

/// Where the tag that begins `tag` ends: at the first `>` that is in no quoted value; at the first
/// one if the quotes do not add up, for a browser that shows nothing is no help to the reader.
fn tag_end(tag: &str, quotes: &mut Quotes) -> Option<usize> {
    let bytes = tag.as_bytes();
    // After `=`, where alone a quote is one: `<p title=it's>`.
    let mut value = false;
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        let hope = match byte {
            b'>' => return Some(at),
            b'"' => quotes.double,
            b'\'' => quotes.single,
            _ => false,
        };
        if value && hope {
            let inside = bytes.get(at + 1..).unwrap_or_default();
            let end = inside.iter().position(|other| *other == byte).map(|end| at + 1 + end);
            let Some(end) = end else {
                *(if byte == b'"' { &mut quotes.double } else { &mut quotes.single }) = false;
                continue;
            };
            // `<a href="x>y</a><a href="z">`: what closes it was to open the next.
            let next = bytes.get(end + 1);
            if next.is_some_and(|next| !next.is_ascii_whitespace() && !matches!(next, b'>' | b'/'))
            {
                return tag.find('>');
            }
            at = end;
        }
        value = byte == b'=' || value && byte.is_ascii_whitespace();
        at += 1;
    }
    // No tag behind this one ends outside its quotes either.
    *quotes = Quotes { double: false, single: false };
    tag.find('>')
}

fn after_comment(comment: &str) -> &str {
    // `<!-->` and `<!--->` are empty comments (HTML standard, "comment start state").
    if let Some(rest) = comment.strip_prefix('>').or_else(|| comment.strip_prefix("->")) {
        return rest;
    }
    comment.find("-->").and_then(|end| comment.get(end + 3..)).unwrap_or_default()
}

/// What follows the end tag; `None` if it is missing.
fn after_element<'x>(rest: &'x str, name: &str) -> Option<&'x str> {
    let mut from = 0;
    while let Some(at) = rest.get(from..)?.find("</") {
        let start = from + at + 2;
        let end = start + name.len();
        let tail = rest.get(end..).unwrap_or_default();
        // `</header>` is not the end of `<head>`.
        let whole = !tail.starts_with(|c: char| c.is_ascii_alphanumeric());
        if whole && rest.get(start..end).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            let inside = rest.get(..from + at).unwrap_or_default();
            // The end of another document's head, quoted in this one's body.
            if name == "head" && contains(inside, "<body") {
                return None;
            }
            return Some(tail.find('>').and_then(|at| tail.get(at + 1..)).unwrap_or_default());
        }
        from = start;
    }
    None
}

/// Whether `text` contains `what`, which is in lower case.
fn contains(text: &str, what: &str) -> bool {
    let (text, what) = (text.as_bytes(), what.as_bytes());
    text.windows(what.len()).any(|window| window.eq_ignore_ascii_case(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_elements_end_where_a_browser_ends_them() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("plain",            "<b>x</b>y",                     Some("y")),
            ("one inside another", "<b>x<b>y</b>z</b>w",          Some("w")),
            ("others inside",    "<b><i></b></i>x",               Some("</i>x")),
            ("closed at once",   "<b><b/>x</b>y",                 Some("y")),
            ("in a comment",     "<b><!-- </b> -->x</b>y",        Some("y")),
            ("in a script",      "<b><script></b></script>x</b>y", Some("y")),
            ("in quotes",        "<b><i title='</b>'>x</b>y",     Some("y")),
            ("not closed",       "<b>x",                          None),
            ("next paragraph",   "<p>x<p>y",                      Some("<p>y")),
            ("end of the parent", "<p>x</div>y",                  Some("</div>y")),
            ("end of the cell",  "<div>x</td>y</div>z",           Some("</td>y</div>z")),
            ("end of the row",   "<div>x</tr>y</div>z",           Some("</tr>y</div>z")),
            ("end of the table", "<div>x</TABLE>y</div>z",        Some("</TABLE>y</div>z")),
            ("end of the body",  "<div>x</body>y</div>z",         None),
            ("end of the page",  "<div>x</html>y</div>z",         None),
            ("a page inside",    "<div><html><body>x</body></html>y</div>z", Some("z")),
            ("a table inside",   "<div><table><tr><td>x</td></tr></table>y</div>z", Some("z")),
            ("cells not closed", "<div><table><tr><td>x<td>y</table>z</div>w", Some("w")),
            ("after such cells", "<div><table><tr><td>x<td>y</table>z</td>w</div>", Some("</td>w</div>")),
            ("row of cells",     "<tr><td>x</td><td>y</td></tr>z", Some("z")),
            ("next cell",        "<td>x<td>y</td>z",              Some("<td>y</td>z")),
            ("next row",         "<td>x<tr>y</tr>z",              Some("<tr>y</tr>z")),
            ("cell of a table inside", "<td>x<table><tr><td>y</td></tr></table>z</td>w", Some("w")),
            ("table",            "<table><tr><td><table></table></td></tr></table>x", Some("x")),
            ("paragraph in a cell", "<p>x</td>y",                 Some("</td>y")),
        ];
        for (name, html, rest) in cases {
            let mut tags = Tags::new(html);
            let first = tags.next().and_then(|(_, tag)| tag).map(|tag| tag.name);
            let mut budget = 1_000;
            let end = tags.end_of(&first.unwrap_or_default(), style::Hidden::Wholly, &mut budget);
            assert_eq!(end.map(|tags| tags.rest), *rest, "{name}");
        }
    }
}
