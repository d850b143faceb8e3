//! Finding elements in a source, and changing nothing else in it.

use proptest::prelude::*;

use super::*;

const PAGE: &str = r#"export default function Home() {
  const title = "x";
  return (
    <main className={cn("p-8", title)}>
      <h1
        id="top"
        className="text-2xl font-bold" // large
      >
        Tom &amp; Jerry&apos;s
        shop
      </h1>
      <p className={'text-sm'} title={`a ${title ? `<p>` : "}"} b`}>{"Fresh hats"}</p>
      <b>{title}</b><b>Bold &eacute;</b> <i/>
      <Button onClick={() => { if (1 > 0) go("don't"); }} {...rest}>Buy</Button>
      <Select<string> size="sm">One {title}</Select>
      <em>don't <u>x</u></em>
    </main>
  );
}
"#;

fn find(tag: &str, line: u32, column: u32) -> Element<'static> {
    Element::find(PAGE, tag, line, column).unwrap_or_else(|| panic!("<{tag}> in line {line}"))
}

fn written(literal: &Literal) -> Option<&str> {
    match literal {
        Literal::Written { value, .. } => Some(value),
        Literal::Absent { .. } | Literal::Computed { .. } => None,
    }
}

#[test]
fn what_stands_in_the_source_is_read_and_what_is_computed_is_called_so() {
    let title = find("h1", 5, 7);
    assert_eq!(written(&title.text()), Some("Tom & Jerry's shop"));
    assert_eq!(written(&title.classes()), Some("text-2xl font-bold"));
    let fresh = find("p", 12, 7);
    assert_eq!(written(&fresh.text()), Some("Fresh hats"));
    assert_eq!(written(&fresh.classes()), Some("text-sm"));
    let main = find("main", 4, 5);
    let computed = Literal::Computed { forwards: false };
    assert_eq!(
        (main.classes(), main.text()),
        (computed.clone(), computed.clone())
    );
    // The nearest of its line; a reference that is not known here can't be compared.
    assert_eq!(find("b", 13, 7).text(), computed);
    assert_eq!(find("b", 13, 21).text(), computed);
    assert!(matches!(
        find("i", 13, 99).classes(),
        Literal::Absent { .. }
    ));
    let buy = find("Button", 14, 7);
    assert_eq!(written(&buy.text()), Some("Buy"));
    assert_eq!(buy.classes(), Literal::Computed { forwards: true });
    assert_eq!(find("Select", 15, 7).text(), computed);
    assert_eq!(find("em", 16, 7).text(), computed);
    for (tag, line) in [("h1", 6), ("h2", 5), ("h1", 0), ("h1", 99), ("", 5)] {
        assert!(Element::find(PAGE, tag, line, 1).is_none(), "{tag} {line}");
    }
}

#[test]
fn a_component_that_takes_classes_is_known() {
    // A variable has the place of the element that comes of it.
    let source = "<Comp data-slot=\"button\" className={cn(base({ size, className }))} {...props}>{children}</Comp>";
    let found =
        Element::find(source, "button", 1, 1).map(|element| (element.classes(), element.text()));
    let computed = |forwards| Literal::Computed { forwards };
    assert_eq!(found, Some((computed(true), computed(false))));
}

#[test]
fn a_change_leaves_the_rest_as_it_is_and_can_be_taken_back() {
    let title = find("h1", 5, 7);
    let changed = with_text(PAGE, &title.text(), " Anna & <Bert> {1} &copy; ").unwrap_or_default();
    let expected = PAGE.replace(
        "Tom &amp; Jerry&apos;s\n        shop",
        "Anna & &lt;Bert&gt; &#123;1&#125; &amp;copy;",
    );
    assert_eq!(changed, expected);
    let again = Element::find(&changed, "h1", 5, 7).map(|element| element.text());
    let again = again.as_ref().and_then(written);
    assert_eq!(again, Some("Anna & <Bert> {1} &copy;"));

    let classes = r#"after:content-["x"] [&>svg]:size-4"#;
    let changed = with_classes(PAGE, &title.classes(), classes).unwrap_or_default();
    let again = Element::find(&changed, "h1", 5, 7).map(|element| element.classes());
    assert_eq!(again.as_ref().and_then(written), Some(classes));

    let bare = find("i", 13, 99);
    let changed = with_classes(PAGE, &bare.classes(), "p-1").unwrap_or_default();
    assert_eq!(changed, PAGE.replace("<i/>", "<i className=\"p-1\"/>"));
    let back = Element::find(&changed, "i", 13, 99).map(|element| element.classes());
    let back = back.and_then(|literal| with_classes(&changed, &literal, ""));
    assert_eq!(back.as_deref(), Some(PAGE));
}

proptest! {
    #[test]
    fn any_text_and_any_classes_are_read_as_they_were_written(text in "\\PC{0,40}", classes in "[ -~]{0,40}") {
        let source = "<p className=\"a\">x</p>";
        let element = Element::find(source, "p", 1, 1);
        let changed = element.and_then(|element| with_classes(source, &element.classes(), &classes)).unwrap_or_default();
        let element = Element::find(&changed, "p", 1, 1);
        let changed = element.and_then(|element| with_text(&changed, &element.text(), &text)).unwrap_or_default();
        let element = Element::find(&changed, "p", 1, 1);
        let read = element.map(|element| (element.text(), element.classes()));
        let (read_text, read_classes) = read.ok_or_else(|| TestCaseError::fail("no element"))?;
        let expected = collapsed(&text);
        prop_assert_eq!(written(&read_text), Some(expected.as_str()));
        prop_assert_eq!(written(&read_classes).unwrap_or_default(), collapsed(&classes));
    }

    #[test]
    fn no_source_makes_it_fail(source in "[<>/{}'\"`$\\\\a-c =\n.&;ü]{0,80}", line in 0_u32..6, column in 0_u32..90) {
        for tag in ["a", "b.c", ""] {
            if let Some(element) = Element::find(&source, tag, line, column) {
                let _ = with_text(&source, &element.text(), "x");
                let _ = with_classes(&source, &element.classes(), "x");
            }
        }
    }
}
