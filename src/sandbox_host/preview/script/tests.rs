//! The script's position in a page, and the policies that admit it.

use proptest::prelude::*;

use super::*;

#[test]
fn the_tag_goes_to_the_start_of_the_head_wherever_that_is() {
    for (before, after) in [
        (
            "<!DOCTYPE html><html lang=\"en\"><head>",
            "<meta charset=\"utf-8\"></head>",
        ),
        (
            "<!doctype html>\n<!-- <head> -->\n<HTML data-x='>'>\n<Head\nid=a>",
            "<title>x</title>",
        ),
        ("<!doctype html>", "<h1>Shop</h1>"),
        ("", "<h1>Shop</h1>"),
        ("", "<header>Shop</header><head>"),
        ("<!doctype html><html>", "<body>x"),
        ("\u{feff}<!doctype html>", "<body>"),
        ("<head/>", "x"),
        ("", "plain words"),
    ] {
        assert_eq!(
            start_of_head(format!("{before}{after}").as_bytes()),
            Spot::Found(before.len()),
            "{before}"
        );
    }
    for (before, after) in [
        ("", ""),
        ("<!doctype html>", "<!-- not"),
        ("<!doctype html>", "<he"),
        ("<html>", "<head class='"),
        ("", "<"),
    ] {
        assert_eq!(
            start_of_head(format!("{before}{after}").as_bytes()),
            Spot::Unclear(before.len()),
            "{before}{after}"
        );
    }
}

proptest! {
    #[test]
    fn however_a_page_is_cut_into_pieces_the_place_is_the_same(
        page in "(<!doctype html>)?[ \n]?(<!-- <head> -->)?(<html( a='>')?>)?(<head>|<header>|<body>)x{0,9}",
        cut in 0_usize..60,
    ) {
        let page = page.as_bytes();
        let Spot::Found(place) = start_of_head(page) else {
            return Err(TestCaseError::fail("no place"));
        };
        if let Spot::Found(early) = start_of_head(&page[..cut.min(page.len())]) {
            prop_assert_eq!(early, place);
        }
    }

    #[test]
    fn any_bytes_have_a_place_within_them(page in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (Spot::Found(at) | Spot::Unclear(at)) = start_of_head(&page);
        prop_assert!(at <= page.len());
    }
}

#[tokio::test]
async fn a_page_keeps_its_bytes_where_the_tag_has_no_place() {
    let wide: Vec<u8> = "\u{feff}<html><head>"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    for (page, markup, expected) in [
        (
            "<html><head><title>",
            Markup::Html,
            "<html><head>TAG<title>",
        ),
        ("", Markup::Html, ""),
        ("Shop", Markup::Html, "TAGShop"),
        (
            "<?xml version='1.0'?>\n<html xmlns='x'><head><title>",
            Markup::Xhtml,
            "<?xml version='1.0'?>\n<html xmlns='x'><head>TAG<title>",
        ),
        (
            "<html xmlns='x'><body>",
            Markup::Xhtml,
            "<html xmlns='x'><body>",
        ),
        (
            "<html xmlns='x'><head/>",
            Markup::Xhtml,
            "<html xmlns='x'><head/>",
        ),
        (
            "<x:html xmlns:x='x'>",
            Markup::Xhtml,
            "<x:html xmlns:x='x'>",
        ),
    ] {
        let body = Injecting::new(Body::from(page), markup, "TAG".to_owned());
        let bytes = axum::body::to_bytes(Body::new(body), usize::MAX).await;
        assert_eq!(bytes.ok().as_deref(), Some(expected.as_bytes()), "{page}");
    }
    let body = Injecting::new(Body::from(wide.clone()), Markup::Html, "TAG".to_owned());
    let bytes = axum::body::to_bytes(Body::new(body), usize::MAX).await;
    assert_eq!(bytes.ok().as_deref(), Some(&wide[..]));
}

#[test]
fn only_whole_pages_that_begin_with_ascii_get_the_script() {
    let markup = |headers: &[(&str, &str)], body: &'static str| {
        let mut response = Response::new(Body::from(body));
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok();
            if let Some((name, value)) = name.zip(HeaderValue::from_str(value).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        Markup::of(&response)
    };
    let html = ("content-type", "Text/HTML; charset=utf-8");
    assert_eq!(markup(&[html], "x"), Some(Markup::Html));
    assert_eq!(
        markup(&[html, ("content-disposition", "inline")], "x"),
        Some(Markup::Html)
    );
    let xhtml = ("content-type", "application/xhtml+xml");
    assert_eq!(markup(&[xhtml], "x"), Some(Markup::Xhtml));
    for other in [
        &[][..],
        &[("content-type", "text/htmlx")],
        &[("content-type", "text/html; charset=UTF-16LE")],
        &[html, ("content-encoding", "zstd")],
        &[html, ("content-range", "bytes 0-1/9")],
        &[html, ("content-disposition", "Attachment; filename=x")],
    ] {
        assert_eq!(markup(other, "x"), None, "{other:?}");
    }
    assert_eq!(markup(&[html], ""), None);
}

#[test]
fn a_policy_lets_the_script_run_by_the_page_s_nonce_or_its_address() {
    for (sent, expected, by_nonce) in [
        ("default-src 'self'", "default-src 'self'", None),
        ("img-src 'none'", "img-src 'none'", None),
        (
            "script-src 'self' 'nonce-a+b/c=' 'strict-dynamic'",
            "script-src 'self' 'nonce-a+b/c=' 'strict-dynamic'",
            Some("a+b/c="),
        ),
        (
            "default-src 'none'",
            "script-src-elem 'self'; default-src 'none'",
            None,
        ),
        (
            "default-src 'self'; script-src https://cdn.example 'unsafe-inline'",
            "script-src-elem https://cdn.example 'unsafe-inline' 'self'; default-src 'self'; \
             script-src https://cdn.example 'unsafe-inline'",
            None,
        ),
        (
            "script-src 'nonce-a\"b'",
            "script-src-elem 'nonce-a\"b' 'self'; script-src 'nonce-a\"b'",
            None,
        ),
        (
            "frame-ancestors 'self', script-src 'none'",
            "frame-ancestors 'self',script-src-elem 'self'; script-src 'none'",
            None,
        ),
    ] {
        let mut nonce = None;
        assert_eq!(allowed(sent, &mut nonce), expected, "{sent}");
        assert_eq!(nonce.as_deref(), by_nonce, "{sent}");
    }
    let mut nonce = None;
    let strict = allowed("script-src 'strict-dynamic' 'sha256-x'", &mut nonce);
    let own = nonce.unwrap_or_default();
    assert!(
        own.len() == 32
            && strict.starts_with(&format!(
                "script-src-elem 'strict-dynamic' 'sha256-x' 'nonce-{own}'; "
            )),
        "{strict}"
    );
}
