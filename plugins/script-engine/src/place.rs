//! Where something is in a script: the lines of stacks.

/// The first place of the file in a stack, such as `rules.js:3`.
pub(crate) fn place(stack: &str, file: &str) -> Option<String> {
    let name = format!("{file}:");
    stack.lines().find_map(|line| {
        let (_, rest) = line.split_once(&name)?;
        let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        let line = rest.get(..digits).filter(|line| !line.is_empty())?;
        Some(format!("{file}:{line}"))
    })
}

/// The place in a line of a stack, such as `rules.js:3` in `at <anonymous> (rules.js:3:5)`.
pub(crate) fn call_place(line: &str) -> Option<String> {
    let (_, rest) = line.rsplit_once(['(', ' '])?;
    let file = rest.split_once(':')?.0;
    place(line, file)
}
