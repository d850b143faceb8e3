//! The registry: how calls are understood, and which tools a run has.

use super::*;

fn prepared(name: &str, arguments: &str) -> Prepared {
    prepare(&call(name, arguments), Toolset::Build, [])
}

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: "a".to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        ..ToolCall::default()
    }
}

fn error_of(name: &str, arguments: &str) -> String {
    prepared(name, arguments).handler.err().unwrap_or_default()
}

#[test]
fn a_call_that_can_t_be_executed_says_what_would_be_right() {
    let error = error_of("rm", "{}");
    assert!(
        error.contains(
            "the tools are terminal, createOrUpdateFiles, editFile, readFiles, listFiles, \
             searchFiles, explore, unsplashImage, checkApp, askQuestions"
        ),
        "{error}"
    );
    let error = error_of("Functions.Terminal", "{\"cmd\":\"ls\"}");
    assert!(
        error.starts_with("the arguments of terminal are not valid"),
        "{error}"
    );
    assert!(
        error.contains("command") && error.contains("\"required\""),
        "{error}"
    );
    for arguments in ["{\"files\":[", "ls", "[\"a\"]", "\"a\"", "7"] {
        let error = error_of("readFiles", arguments);
        assert!(
            error.contains("not valid") && error.contains("\"required\""),
            "{error}"
        );
    }
    assert_eq!(error_of("listFiles", ""), "");
    assert_eq!(error_of("checkApp", ""), "");
}

#[test]
fn what_changes_the_app_is_refused_where_nothing_is_built() {
    let names = |set: Toolset| {
        specs(set)
            .into_iter()
            .map(|tool| tool.name)
            .collect::<Vec<_>>()
    };
    let reading = ["readFiles", "listFiles", "searchFiles"];
    assert_eq!(names(Toolset::Ask), reading);
    assert_eq!(names(Toolset::Plan)[..3], reading);
    assert_eq!(names(Toolset::Plan)[3..], ["askQuestions", "proposePlan"]);
    assert_eq!(names(Toolset::Build)[8..], ["checkApp", "askQuestions"]);
    assert_eq!(names(Toolset::BuildByPlan)[10..], ["completeStep"]);
    let write = call(
        "create_or_update_files",
        r#"{"files":[{"path":"a.txt","content":"a"}]}"#,
    );
    for (set, hint) in [
        (Toolset::Ask, "answer in words"),
        (Toolset::Plan, "proposePlan"),
    ] {
        let prepared = prepare(&write, set, []);
        assert_eq!(prepared.access(), FileAccess::None);
        let error = prepared.handler.err().unwrap_or_default();
        assert!(
            error.contains("nothing is changed") && error.contains(hint),
            "{error}"
        );
    }
    assert!(prepare_executed(&write).handler.is_ok());
}

#[test]
fn every_tool_is_found_behind_any_namespace_and_with_anything_left_around_its_name() {
    let around = "@ functions.@ functions_@ mcp__app__@ tools/@ <|tool|>@ `@`: @() @} @:0 \
                  @<|channel|>commentary functions.@<|constrain|>json @({\"a\":1})";
    for (tool, around) in TOOLS
        .iter()
        .flat_map(|tool| around.split(' ').map(move |around| (tool, around)))
    {
        let name = around.replace('@', tool.name);
        assert_eq!(
            with_canonical_name(call(&name, "{}")).name,
            tool.name,
            "{name}"
        );
    }
}

#[test]
fn a_call_is_understood_however_its_name_and_arguments_are_spelt() {
    for name in [
        "read_files",
        "READ-FILES",
        "functions.readFiles",
        "default_api:read_files",
        " readFiles ",
    ] {
        let read = prepared(name, r#"{"files":"[\"a.txt\"]"}"#);
        assert_eq!(read.access(), FileAccess::reads(["a.txt"]), "{name}");
    }
    let command = prepared(
        "Terminal",
        r#"{"command":"ls","timeout_seconds":"7","background":"true"} Running it."#,
    );
    assert_eq!(command.timeout(), Duration::from_secs(7) + TOOL_TIMEOUT);
    assert!(lists_files("create_or_update_files") && !lists_files("edit_file"));
}
