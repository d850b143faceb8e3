//! Calls out of pieces: those of the specification, and those of providers with a way of their own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::{collection::vec, prelude::*, test_runner::TestRunner};

use super::*;

/// A piece: index, id, name, arguments.
type Sent<'a> = (Option<u64>, &'a str, &'a str, &'a str);

fn assembled(pieces: &[Sent<'_>], cut: bool) -> Assembled {
    let mut calls = Calls::default();
    for (index, id, name, arguments) in pieces {
        let origin = Origin {
            choice: 0,
            position: 0,
            alone: true,
        };
        let delta = CallDelta {
            index: *index,
            id: (*id).to_owned(),
            name: (*name).to_owned(),
            arguments: as_read(arguments),
            ..CallDelta::default()
        };
        calls.take(origin, delta, &mut |_| {}).unwrap();
    }
    calls.end(cut).unwrap()
}

/// The piece as it comes out of a chunk.
fn as_read(piece: &str) -> String {
    let chunk = json::parse(&Value::from(piece).to_string()).unwrap();
    chunk.as_str().unwrap().to_owned()
}

fn calls(pieces: &[Sent<'_>]) -> Vec<[String; 3]> {
    let calls = assembled(pieces, false).calls.into_iter();
    calls
        .map(|call| [call.name, call.arguments, call.id])
        .collect()
}

const ECHO: &str = r#"{"command":"echo one"}"#;

#[test]
fn arguments_that_are_sent_again_are_those_of_one_call_and_pieces_that_look_alike_stay_pieces() {
    let page = r#"{"files":[{"path":"a.tsx","content":"{x}"}]}"#;
    for (pieces, arguments) in [
        // So far, again and again.
        (vec![r#"{"comm"#, r#"{"command":"echo"#, ECHO], ECHO),
        (vec!["{", r#"{"command":"#, ECHO, ECHO], ECHO),
        // In pieces, and then whole, once or twice, and written in another way.
        (vec![r#"{"comm"#, r#"and":"echo one"}"#, ECHO], ECHO),
        (vec![r#"{"comm"#, r#"and":"echo one"}"#, ECHO, ECHO], ECHO),
        (vec![ECHO, r#"{ "command": "echo one" }"#], ECHO),
        // In pieces that are cut off, and then whole.
        (vec![r#"{"comm"#, r#"and":"echo"#, ECHO], ECHO),
        (vec![ECHO, ECHO, ECHO], ECHO),
        // First none.
        (vec!["{}", r#"{"comm"#, r#"and":"echo one"}"#], ECHO),
        // Pieces that look like something else.
        (
            vec![r#"{"files":[{"path":"a.tsx","content":""#, "{x}", r#""}]}"#],
            page,
        ),
        (
            vec![r#"{"files":[{"path":"a.tsx","content":""#, "{x", r#"}"}]}"#],
            page,
        ),
        (
            vec!["{\"files\":[", r#"{"path":"a.tsx","content":"{x}"}"#, "]}"],
            page,
        ),
        // Something around them.
        (vec![ECHO, "\n```\nRunning it."], ECHO),
        (vec!["```json\n", ECHO, "\n```"], ECHO),
        (vec![r#""{\"command\":\"echo"#, r#" one\"}""#], ECHO),
        (vec![ECHO, "}"], ECHO),
        // A raw line break, a zero, half a character.
        (
            vec!["{\"command\":\"a\nb\0\\ud83d\"}"],
            "{\"command\":\"a\\u000ab\u{fffd}\u{fffd}\"}",
        ),
        // None at all, and what nobody understands.
        (vec![""], ""),
        (vec!["ls ", "-l"], "ls -l"),
    ] {
        let sent: Vec<Sent<'_>> = pieces
            .iter()
            .enumerate()
            .map(|(at, piece)| (Some(0), "a", if at == 0 { "terminal" } else { "" }, *piece))
            .collect();
        assert_eq!(calls(&sent), [["terminal", arguments, "a"]], "{pieces:?}");
        // Without numbers, and with the name and the id in each piece.
        let unnumbered: Vec<Sent<'_>> = sent
            .iter()
            .map(|(_, _, name, piece)| (None, "", *name, *piece))
            .collect();
        assert_eq!(
            calls(&unnumbered),
            [["terminal", arguments, "call_0"]],
            "{pieces:?}"
        );
        let named: Vec<Sent<'_>> = sent
            .iter()
            .map(|(index, id, _, piece)| (*index, *id, "terminal", *piece))
            .collect();
        assert_eq!(calls(&named), [["terminal", arguments, "a"]], "{pieces:?}");
    }
}

#[test]
fn calls_that_are_numbered_alike_stay_apart() {
    let [one, two, three] =
        ["one", "two", "three"].map(|word| format!(r#"{{"command":"echo {word}"}}"#));
    let (head, tail) = one.split_at(9);
    let (head_of_two, tail_of_two) = two.split_at(12);
    let expected = |ids: [&str; 2]| {
        vec![
            ["terminal".to_owned(), one.clone(), ids[0].to_owned()],
            ["terminal".to_owned(), two.clone(), ids[1].to_owned()],
        ]
    };
    // Index, id and name the same for all.
    let same = [&one, &two, &three].map(|arguments| (Some(0), "a", "terminal", arguments.as_str()));
    assert_eq!(
        calls(&same)
            .iter()
            .map(|call| call[1].clone())
            .collect::<Vec<_>>(),
        [one.clone(), two.clone(), three.clone()]
    );
    assert_eq!(
        calls(&same)
            .iter()
            .map(|call| call[2].clone())
            .collect::<Vec<_>>(),
        ["a", "call_1", "call_2"]
    );
    // The same, in pieces.
    let pieces = [
        (Some(0), "a", "terminal", head),
        (Some(0), "a", "terminal", tail),
        (Some(0), "a", "terminal", head_of_two),
        (Some(0), "a", "terminal", tail_of_two),
    ];
    assert_eq!(calls(&pieces), expected(["a", "call_1"]));
    // No indexes: the ids say whose a piece is.
    let mixed = [
        (None, "a", "terminal", head),
        (None, "b", "terminal", head_of_two),
        (None, "a", "", tail),
        (None, "b", "", tail_of_two),
    ];
    assert_eq!(calls(&mixed), expected(["a", "b"]));
    // One index for both, and the ids say it.
    let one_index = mixed.map(|(_, id, name, arguments)| (Some(0), id, name, arguments));
    assert_eq!(calls(&one_index), expected(["a", "b"]));
    // Nothing says it but the name.
    let bare = [
        (None, "", "terminal", head),
        (None, "", "", tail),
        (None, "", "terminal", head_of_two),
        (None, "", "", tail_of_two),
    ];
    assert_eq!(calls(&bare), expected(["call_0", "call_1"]));
    // The index counts the pieces; the id is another one in each.
    let counted = [
        (Some(0), "a", "terminal", head),
        (Some(1), "", "", tail),
        (Some(2), "b", "terminal", two.as_str()),
    ];
    assert_eq!(calls(&counted), expected(["a", "b"]));
    let restless = [
        (Some(0), "x", "terminal", head),
        (Some(0), "y", "", tail),
        (Some(1), "z", "terminal", two.as_str()),
    ];
    assert_eq!(calls(&restless), expected(["y", "z"]));
    // Another tool.
    let other = [
        (Some(0), "", "terminal", one.as_str()),
        (Some(0), "", "listFiles", "{}"),
    ];
    assert_eq!(calls(&other)[1], ["listFiles", "{}", "call_1"]);
    // Ids that are taken are not given.
    let taken = [
        (Some(0), "call_1", "terminal", one.as_str()),
        (Some(1), "", "terminal", two.as_str()),
    ];
    assert_eq!(calls(&taken)[1][2], "call_1_");
}

#[test]
fn pieces_in_lists_belong_to_the_calls_at_their_positions() {
    let mut calls = Calls::default();
    let origin = |position| Origin {
        choice: 0,
        position,
        alone: false,
    };
    for (position, name, arguments) in [
        (0, "terminal", r#"{"comm"#),
        (1, "readFiles", r#"{"files":"#),
        (0, "", r#"and":"ls"}"#),
        (1, "", "[]}"),
    ] {
        let delta = CallDelta {
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            ..CallDelta::default()
        };
        calls.take(origin(position), delta, &mut |_| {}).unwrap();
    }
    let arguments: Vec<String> = calls
        .end(false)
        .unwrap()
        .calls
        .into_iter()
        .map(|call| call.arguments)
        .collect();
    assert_eq!(arguments, [r#"{"command":"ls"}"#, r#"{"files":[]}"#]);
}

#[test]
fn a_call_that_is_cut_off_is_none_and_what_was_whole_before_it_stays() {
    for (pieces, cut, whole, cut_off) in [
        (vec![r#"{"command":"ls"#], false, 0, 1),
        (vec![r#"{"comm"#, r#"{"command":"ls"#], false, 0, 1),
        (vec![ECHO, r#"{"command":"ls"#], false, 1, 1),
        (vec![ECHO, r#"{"comm"#, r#"{"command":"#], true, 1, 0),
        (vec![ECHO, r#"{"command":"e"#], false, 1, 0),
        (vec![r#"{"command" "#, "no"], true, 0, 1),
        (vec![r#"{"command" "#, "no"], false, 1, 0),
    ] {
        let sent: Vec<Sent<'_>> = pieces
            .iter()
            .map(|piece| (Some(0), "", "", *piece))
            .collect();
        let assembled = assembled(&sent, cut);
        assert_eq!(
            (assembled.calls.len(), assembled.cut_off.len()),
            (whole, cut_off),
            "{pieces:?}"
        );
    }
}

/// JSON objects as arguments are: text with everything that pieces could be mistaken for.
fn arguments() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("{}".to_owned()),
        Just("\"}]}".to_owned()),
        Just("{\"command\":\"".to_owned()),
        Just("\\".to_owned()),
        Just("😀\u{10fffd}".to_owned()),
        "[a-z \"{}]{0,8}",
        any::<String>(),
    ];
    let text = vec(word, 0..6).prop_map(|words| words.concat().replace('\0', ""));
    let value = prop_oneof![
        text.clone().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        vec(text, 0..3).prop_map(Value::from)
    ];
    vec(("[a-z]{1,3}", value), 1..4).prop_map(|fields| fields.into_iter().collect())
}

#[test]
fn any_arguments_come_out_as_they_are_however_they_are_cut_and_repeated() {
    let ways = prop_oneof![
        Just("pieces"),
        Just("so far"),
        Just("whole again"),
        Just("none first")
    ];
    let mut runner = TestRunner::default();
    runner
        .run(
            &(
                arguments(),
                vec(any::<prop::sample::Index>(), 0..8),
                ways,
                any::<bool>(),
            ),
            |(value, cuts, way, named)| {
                let text = value.to_string();
                let mut ends: Vec<usize> = cuts
                    .iter()
                    .map(|cut| cut.index(text.len() + 1))
                    .filter(|at| text.is_char_boundary(*at))
                    .collect();
                ends.push(text.len());
                ends.sort_unstable();
                ends.dedup();
                ends.retain(|end| *end > 0);
                let from = |at: usize| if at == 0 { 0 } else { ends[at - 1] };
                let mut pieces: Vec<&str> = (0..ends.len())
                    .map(|at| &text[if way == "so far" { 0 } else { from(at) }..ends[at]])
                    .collect();
                match way {
                    "whole again" => pieces.push(&text),
                    "none first" => pieces.insert(0, "{}"),
                    _ => {}
                }
                let sent: Vec<Sent<'_>> = pieces
                    .iter()
                    .enumerate()
                    .map(|(at, piece)| {
                        (
                            Some(0),
                            "a",
                            if named || at == 0 { "t" } else { "" },
                            *piece,
                        )
                    })
                    .collect();
                let calls = calls(&sent);
                let read: Vec<Value> = calls
                    .iter()
                    .map(|call| serde_json::from_str(&call[1]).unwrap())
                    .collect();
                // A name beside whole arguments after none says that there are two calls.
                let two = way == "none first" && named && ends.len() == 1;
                prop_assert_eq!(&read[usize::from(two)..], &[value], "{:?}", pieces);
                Ok(())
            },
        )
        .unwrap();
}
