//! From a trait's name to its topic.

/// `Greeter` is `greeter`, `FileIndexer` is `file_indexer`, `HTTPServer` is `http_server`.
pub(crate) fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| letters[at]);
        let after = letters.get(at + 1);
        let starts_word = letter.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            });
        if starts_word {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::snake;

    #[test]
    fn a_topic_is_the_name_in_snake_case() {
        for (name, topic) in [
            ("Greeter", "greeter"),
            ("FileIndexer", "file_indexer"),
            ("HTTPServer", "http_server"),
            ("Ipv4Table", "ipv4_table"),
            ("S3Store", "s3_store"),
            ("Layer2Switch", "layer2_switch"),
            ("Already_split", "already_split"),
            ("X", "x"),
        ] {
            assert_eq!(snake(name), topic);
        }
    }
}
