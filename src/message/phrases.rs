//! Many phrases looked for in a text in one pass. Pure.

use std::collections::HashMap;

/// Phrases by their first character: of a few hundred only some are compared at each place.
pub struct Phrases(HashMap<char, Vec<&'static str>>);

impl Phrases {
    pub fn new(phrases: &[&'static str]) -> Phrases {
        let mut by_first: HashMap<char, Vec<&'static str>> = HashMap::new();
        for phrase in phrases {
            if let Some(first) = phrase.chars().next() {
                by_first.entry(first).or_default().push(phrase);
            }
        }
        Phrases(by_first)
    }

    /// Whether one of them is in the text, case as it is.
    pub fn are_in(&self, text: &str) -> bool {
        text.char_indices().any(|(at, c)| {
            let phrases = self.0.get(&c);
            phrases.is_some_and(|phrases| {
                let rest = text.get(at..).unwrap_or_default();
                phrases.iter().any(|phrase| rest.starts_with(phrase))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_wherever_they_stand() {
        let phrases = Phrases::new(&["user unknown", "user", "退信", ""]);
        for text in ["user unknown", "no such user", "系统退信了"] {
            assert!(phrases.are_in(text), "{text}");
        }
        for text in ["", "use", "退"] {
            assert!(!phrases.are_in(text), "{text}");
        }
    }
}
