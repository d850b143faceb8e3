//! The tools of servers as models get them: with names that providers accept, within limits, and
//! with a sentence about what is left out.

use std::collections::BTreeSet;

use rmcp::model::Tool;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    config::McpServer,
    protocol::{ToolConsent, first_chars},
};

/// What the names of all these tools begin with.
pub const PREFIX: &str = "mcp__";
/// The longest name of a tool, as OpenAI and Anthropic have it.
const MAX_NAME: usize = 64;
/// How many tools of one server, and of all, a model gets.
pub const MAX_TOOLS: usize = 40;
const MAX_ALL_TOOLS: usize = 90;
/// The longest description, in characters, and the largest schema, in bytes.
const MAX_DESCRIPTION: usize = 1000;
const MAX_SCHEMA: usize = 8 << 10;
/// How large all descriptions and schemas may be together, in bytes: they are part of each request.
const MAX_BYTES: usize = 96 << 10;
/// How deep a schema may nest.
const MAX_DEPTH: usize = 12;
/// How many tools are named that are left out.
const NAMED: usize = 3;

/// The servers' tools that a run offers, and what is to be said about those that it doesn't. A
/// run's journal keeps it, so that a restarted run offers the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    pub tools: Vec<ListedTool>,
    /// Sentences.
    pub troubles: Vec<String>,
    /// The definitions of the project's servers, by name.
    #[serde(default)]
    pub project: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedTool {
    /// `mcp__server__tool`, for models.
    pub name: String,
    pub server: String,
    /// As its server calls it.
    pub tool: String,
    pub description: String,
    /// JSON Schema of the arguments.
    pub schema: Value,
    /// Whether its server says that it changes nothing, and is believed.
    pub reads_only: bool,
    /// The digest of its server's definition, if that is a project's.
    #[serde(default)]
    pub definition: Option<String>,
}

impl ListedTool {
    /// Its name for people, which no other tool of its server has: an answer to a question about
    /// one decides nothing about another.
    pub fn label(&self) -> String {
        let label = label(&self.tool);
        if label == self.tool {
            return label;
        }
        let prefix = format!("{PREFIX}{}__", self.server);
        let name = self.name.strip_prefix(&prefix).unwrap_or(&self.name);
        name.to_owned()
    }

    /// What consent to it is kept under: consent to a tool of a project's server is for the
    /// definition that the server has.
    pub fn consent_key(&self) -> String {
        ToolConsent::key(&self.name, self.definition.as_deref())
    }

    /// Its server, as people read it: "MCP server docs".
    pub fn server_title(&self) -> String {
        title(&self.server, self.definition.is_some())
    }
}

/// A server, as people read it.
pub fn title(server: &str, is_of_project: bool) -> String {
    let whose = if is_of_project { "project's " } else { "" };
    format!("{whose}MCP server {server}")
}

impl Listing {
    /// Adds a server's tools. `has_more`: it lists still others. `hide` removes secrets. What a
    /// project's server says about its tools' effects is not believed.
    pub fn add(
        &mut self,
        server: &McpServer,
        tools: Vec<Tool>,
        has_more: bool,
        hide: impl Fn(&str) -> String,
    ) {
        let (count, mut kept) = (tools.len(), 0);
        let (mut invalid, mut seen) = (Vec::new(), BTreeSet::new());
        let mut bytes: usize = self.tools.iter().map(ListedTool::size).sum();
        let mut is_full = has_more;
        let title = title(&server.name, server.definition.is_some());
        for tool in tools {
            let name = name(&server.name, &tool.name);
            let schema = Some(schema(&tool)).filter(|schema| is_valid(schema, 0));
            let is_fit = |schema: &Value| {
                let text = schema.to_string();
                text.len() <= MAX_SCHEMA && hide(&text) == text
            };
            let Some(schema) = schema.filter(is_fit) else {
                invalid.push(label(&tool.name));
                continue;
            };
            if !seen.insert(name.clone()) {
                continue;
            }
            let description = tool.description.as_deref().unwrap_or_default();
            let hint = tool.annotations.and_then(|hints| hints.read_only_hint);
            let listed = ListedTool {
                name,
                server: server.name.clone(),
                tool: tool.name.clone().into_owned(),
                description: hide(first_chars(description, MAX_DESCRIPTION)),
                schema,
                reads_only: server.definition.is_none() && hint == Some(true),
                definition: server.definition.clone(),
            };
            bytes += listed.size();
            if kept == MAX_TOOLS || self.tools.len() == MAX_ALL_TOOLS || bytes > MAX_BYTES {
                is_full = true;
                break;
            }
            kept += 1;
            self.tools.push(listed);
        }
        if is_full {
            let all = if has_more { "more than " } else { "" };
            self.troubles.push(format!(
                "The {title} offers {all}{count} tools; the first {kept} are used."
            ));
        }
        if !invalid.is_empty() {
            let named = invalid[..invalid.len().min(NAMED)].join(", ");
            let more = match invalid.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.troubles.push(format!(
                "Tools of the {title} whose schema is not valid or too large are left out: \
                 {named}{more}."
            ));
        }
    }

    /// What people read about it: how many tools each server has, and the sentences.
    pub fn summary(&self) -> String {
        let servers = self.tools.iter();
        let servers: BTreeSet<(&str, bool)> = servers
            .map(|tool| (&*tool.server, tool.definition.is_some()))
            .collect();
        let counts = servers.into_iter().map(|(server, is_of_project)| {
            let tools = self.tools.iter().filter(|tool| tool.server == server);
            let whose = if is_of_project {
                " (the project's)"
            } else {
                ""
            };
            match tools.count() {
                1 => format!("{server}{whose}: 1 tool"),
                count => format!("{server}{whose}: {count} tools"),
            }
        });
        let lines: Vec<String> = counts.chain(self.troubles.iter().cloned()).collect();
        match lines.is_empty() {
            true => "There are no tools.".to_owned(),
            false => lines.join("\n"),
        }
    }
}

impl ListedTool {
    fn size(&self) -> usize {
        self.description.len() + self.schema.to_string().len()
    }
}

/// The tool's name for models. One that has to be changed ends with a part of its hash, so that
/// two names never become one.
fn name(server: &str, tool: &str) -> String {
    let plain = tool.replace(|letter: char| !is_name_part(letter), "_");
    let name = format!("{PREFIX}{server}__{plain}");
    if plain == tool && !tool.is_empty() && name.len() <= MAX_NAME {
        return name;
    }
    let hash = hex::encode(&Sha256::digest(tool)[..4]);
    format!("{}_{hash}", first_chars(&name, MAX_NAME - 1 - hash.len()))
}

fn is_name_part(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'
}

/// The name without anything that could be read as a sentence.
pub fn label(tool: &str) -> String {
    let plain = tool.replace(|letter: char| !is_name_part(letter) && letter != '.', "_");
    first_chars(&plain, MAX_NAME).to_owned()
}

/// The tool's schema; providers want an object's properties to be there.
fn schema(tool: &Tool) -> Value {
    let mut schema = Value::Object((*tool.input_schema).clone());
    if schema["properties"].is_null() {
        schema["properties"] = json!({});
    }
    if schema["type"].is_null() {
        schema["type"] = json!("object");
    }
    schema
}

/// Whether it is a schema as providers accept it; the outermost one is of an object.
fn is_valid(schema: &Value, depth: usize) -> bool {
    const TYPES: [&str; 7] = [
        "array", "boolean", "integer", "null", "number", "object", "string",
    ];
    let Some(fields) = schema.as_object() else {
        return schema.is_boolean() && depth > 0;
    };
    let is_type = |value: &Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
    let inner = |value: &Value| is_valid(value, depth + 1);
    let each = |value: &Value| value.as_array().is_some_and(|all| all.iter().all(inner));
    let named = |value: &Value| value.as_object().is_some_and(|all| all.values().all(inner));
    let is_sound = fields.iter().all(|(name, value)| match &**name {
        "type" if depth == 0 => value == "object",
        "type" => is_type(value) || value.as_array().is_some_and(|all| all.iter().all(is_type)),
        "properties" | "$defs" | "definitions" | "patternProperties" => named(value),
        "items" => inner(value) || each(value),
        "additionalProperties" | "not" => inner(value),
        "anyOf" | "oneOf" | "allOf" | "prefixItems" => depth > 0 && each(value),
        "required" => value
            .as_array()
            .is_some_and(|all| all.iter().all(Value::is_string)),
        "enum" => value.is_array(),
        "$ref" => value.as_str().is_some_and(|to| to.starts_with('#')),
        _ => true,
    });
    is_sound && depth <= MAX_DEPTH
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn tool(name: &str, schema: Value) -> Tool {
        let listed = json!({ "name": name, "description": "It reads", "inputSchema": schema });
        serde_json::from_value(listed).unwrap()
    }

    fn server(definition: Option<&str>) -> McpServer {
        let program = json!({ "command": "docs" });
        McpServer {
            definition: definition.map(str::to_owned),
            ..McpServer::of_project("docs", &program).unwrap()
        }
    }

    fn listed(tools: Vec<Tool>, has_more: bool) -> Listing {
        let mut listing = Listing::default();
        listing.add(&server(None), tools, has_more, str::to_owned);
        listing
    }

    #[test]
    fn only_the_operator_s_servers_are_believed_that_a_tool_reads() {
        let mut read = tool("read", json!({}));
        let hints = json!({ "readOnlyHint": true });
        read.annotations = serde_json::from_value(hints).unwrap();
        for (definition, believed, key) in [
            (None, true, "mcp__docs__read"),
            (Some("1a2b"), false, "mcp__docs__read#1a2b"),
        ] {
            let mut listing = Listing::default();
            listing.add(
                &server(definition),
                vec![read.clone()],
                false,
                str::to_owned,
            );
            let [listed] = &listing.tools[..] else {
                panic!("{listing:?}");
            };
            assert_eq!((listed.reads_only, &*listed.consent_key()), (believed, key));
        }
    }

    #[test]
    fn names_are_what_providers_accept_and_never_meet() {
        assert_eq!(name("docs", "search"), "mcp__docs__search");
        let long = "a".repeat(100);
        let names = ["a b", "a_b", "a.b", "ä", "", &long, &format!("{long}b")];
        let names: BTreeSet<String> = names.iter().map(|tool| name("docs", tool)).collect();
        assert_eq!(names.len(), 7, "{names:?}");
        for name in names {
            assert!(name.len() <= MAX_NAME, "{name}");
            assert!(name.chars().all(is_name_part), "{name}");
        }
    }

    #[test]
    fn no_two_tools_of_a_server_have_one_name_for_people() {
        let long = "a".repeat(100);
        let names = [
            "a.b",
            "a!b",
            "a?b",
            "a_b",
            "a b",
            "",
            &long,
            &format!("{long}b"),
        ];
        let tools = names.map(|name| tool(name, json!({})));
        let listing = listed(tools.into(), false);
        let labels: BTreeSet<String> = listing.tools.iter().map(ListedTool::label).collect();
        assert_eq!(labels.len(), names.len(), "{labels:?}");
        assert!(
            labels.contains("a.b") && labels.contains("a_b"),
            "{labels:?}"
        );
        assert!(
            labels.iter().all(|label| !label.contains(' ')),
            "{labels:?}"
        );
    }

    #[test]
    fn tools_with_invalid_schemas_are_left_out_and_named() {
        let object = |properties: Value| json!({ "type": "object", "properties": properties });
        let valid = [
            json!({}),
            json!({ "type": "object" }),
            object(json!({ "a": { "type": ["string", "null"] }, "b": true })),
            object(json!({ "a": { "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/b" }] } })),
        ];
        let mut deep = json!({ "type": "string" });
        for _ in 0..=MAX_DEPTH {
            deep = object(json!({ "a": deep }));
        }
        let invalid = [
            json!({ "type": "string" }),
            object(json!([])),
            object(json!({ "a": { "type": "text" } })),
            object(json!({ "a": "string" })),
            object(json!({ "a": { "$ref": "https://a.example" } })),
            json!({ "type": "object", "required": [1] }),
            json!({ "anyOf": [{ "type": "object" }] }),
            object(json!({ "a": { "description": "x".repeat(MAX_SCHEMA) } })),
            deep,
        ];
        let all = valid.iter().enumerate();
        let all = all.map(|(at, schema)| tool(&format!("good{at}"), schema.clone()));
        let wrong = invalid.iter().enumerate();
        let wrong = wrong.map(|(at, schema)| tool(&format!("bad! {at}"), schema.clone()));
        let listing = listed(all.chain(wrong).collect(), false);
        assert_eq!(listing.tools.len(), valid.len());
        assert!(listing.tools[0].schema["properties"].is_object());
        assert_eq!(
            listing.summary(),
            "docs: 4 tools\nTools of the MCP server docs whose schema is not valid or too large \
             are left out: bad__0, bad__1, bad__2 and 6 more."
        );
    }

    #[test]
    fn of_too_many_tools_the_first_are_used() {
        let tools = |count: usize| {
            let names = (0..count).map(|at| tool(&format!("tool{at}"), json!({})));
            names.collect::<Vec<Tool>>()
        };
        let listing = listed(tools(500), false);
        assert_eq!(listing.tools.len(), MAX_TOOLS);
        assert_eq!(
            listing.troubles,
            ["The MCP server docs offers 500 tools; the first 40 are used."]
        );
        let listing = listed(tools(2), true);
        let said = "The MCP server docs offers more than 2 tools; the first 2 are used.";
        assert_eq!(listing.troubles, [said]);
        assert_eq!(listed(tools(40), false).troubles, [""; 0]);
        let mut large = tools(30);
        for tool in &mut large {
            let text = "x".repeat(MAX_SCHEMA - 200);
            let schema = json!({ "type": "object", "description": text });
            tool.input_schema = serde_json::from_value(schema).unwrap();
        }
        let listing = listed(large, false);
        let size: usize = listing.tools.iter().map(ListedTool::size).sum();
        assert!(size <= MAX_BYTES && listing.tools.len() > 5, "{size}");
        assert_eq!(listing.troubles.len(), 1);
    }
}
