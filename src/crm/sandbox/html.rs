//! HTML that cannot be written without escaping. Pure.

/// A page in the making. Markup is literal text of this program; all else is escaped.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Adds markup: a literal, so that nothing a mail says can get here.
    pub(super) fn markup(&mut self, literal: &'static str) -> &mut Html {
        self.0.push_str(literal);
        self
    }

    /// Adds text, fit for an element's content and for a quoted attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Html {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Control characters are not allowed in HTML, except for white space.
                c if c.is_control() && !matches!(c, '\n' | '\t') => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        self
    }

    pub(super) fn number(&mut self, number: i64) -> &mut Html {
        self.text(&number.to_string())
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let mut html = Html::default();
        html.markup("<p title=\"").text("\"><script>'&\u{0}").markup("\">");
        assert_eq!(
            html.into_bytes(),
            "<p title=\"&quot;&gt;&lt;script&gt;&#39;&amp;\u{fffd}\">".as_bytes()
        );
    }
}
