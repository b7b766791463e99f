//! The lines that the quickstart prints.

/// What happens next, and why.
pub(crate) fn explain(text: &str) {
    println!("\n{text}");
}

/// What the server does or sees.
pub(crate) fn server(text: &str) {
    println!("  server     {text}");
}

/// What the connector does or sees.
pub(crate) fn connector(text: &str) {
    println!("  connector  {text}");
}
