//! The console's files, as a browser asks for them. What they do is tested in one, see `tests/console.rs`.

use vantiq_simulator::Simulator;

use crate::client::simulator;
use crate::rest_client::bare;

#[tokio::test]
async fn the_page_is_served_without_a_token_and_with_a_strict_policy() {
    let simulator = simulator().await;
    for (path, kind) in
        [("/", "text/html"), ("/console/main.js", "text/javascript"), ("/console/style.css", "text/css")]
    {
        let answer = bare(&simulator, "GET", path).send().await;
        assert_eq!(answer.status, 200, "{path}");
        for header in [
            &format!("content-type: {kind}; charset=utf-8"),
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; \
             connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert!(answer.head.contains(header), "{path}: {header}: {}", answer.head);
        }
    }
}

#[tokio::test]
async fn its_address_has_the_token() {
    let simulator = Simulator::builder().token("a+b c/ü%").start().await.expect("it starts");
    let expected = format!("{}/#token=a%2Bb%20c%2F%C3%BC%25", simulator.url());
    assert_eq!(simulator.console_url(), expected);
}

#[tokio::test]
async fn what_is_no_part_of_it_is_answered_as_ever() {
    let simulator = simulator().await;
    for (method, path) in
        [("POST", "/"), ("GET", "/console/"), ("GET", "/console/other.js"), ("GET", "/elsewhere")]
    {
        let answer = bare(&simulator, method, path).send().await;
        assert_eq!(answer.status, 200, "{method} {path}");
        assert!(answer.head.contains("content-type: text/plain"), "{method} {path}: {}", answer.head);
    }
    let page = bare(&simulator, "GET", "/").header("Origin", "http://elsewhere.example").send().await;
    assert_eq!(page.status, 403);
}
