//! The three wires as servers really speak them.

use serde_json::{Value, json};

use super::{Chunk, Good, Ways, Wire, in_order, units};
use crate::llm::{anthropic::blocks::Blocks, openai::answer::Answer, responses::output::Output};

/// What comes between events on any wire.
macro_rules! between {
    ($($own:expr),* $(,)?) => {
        &[
            ": keepalive\n\n",
            "data: : PROCESSING\n\n",
            "data:\n\n",
            "data: ping\n\n",
            "event: ping\ndata: {\"error\":\"x\"}\n\n",
            "event: done\ndata:\n\n",
            "id: 1\n\n",
            "data: null\n\n",
            $($own),*
        ]
    };
}

impl Wire for Answer {
    const BETWEEN: &'static [&'static str] = between![
        "data: {\"choices\":[]}\n\n",
        "data: {\"choices\":{},\"usage\":{},\"error\":{}}\n\n",
        "data: {\"choices\":[{\"index\":\"0\",\"delta\":{\"tool_calls\":[null],\"reasoning_content\":[]},\"finish_reason\":\"\"}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":{},\"content\":null},\"finish_reason\":0}],\"error\":false}\n\n",
        "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":0}}\n\n",
    ];

    /// The text, then the calls: one after the other; beside the text, in a choice of their own;
    /// in lists, by position, without ids; mixed, by id, without numbers; all numbered and named
    /// alike.
    fn chunks(good: &Good, ways: Ways) -> Vec<Chunk> {
        let order = ways.order % 5;
        let texts: Vec<Chunk> = units(&good.said)
            .iter()
            .map(|piece| {
                let fields = json!({ "choices": [{ "index": 0, "delta": { "content": "@" } }] });
                Chunk::of_text("", fields, piece)
            })
            .collect();
        let calls: Vec<Vec<Value>> = good
            .calls(order == 4)
            .map(|(at, id, name, whole)| {
                let mut pieces = ways.cut(&whole);
                if order == 4 {
                    pieces = vec![whole.as_str()];
                }
                let pieces = pieces.into_iter().enumerate();
                let piece = |(number, piece): (usize, &str)| {
                    let mut call = json!({ "function": { "arguments": piece } });
                    if number == 0 || ways.pieces.is_multiple_of(3) {
                        call["function"]["name"] = json!(name);
                    }
                    match order {
                        2 => {}
                        3 => call["id"] = json!(id),
                        4 => (call["id"], call["index"]) = (json!(id), json!(0)),
                        _ => (call["id"], call["index"]) = (json!(id), ways.number(at)),
                    }
                    call
                };
                pieces.map(piece).collect()
            })
            .collect();
        let lists: Vec<Vec<Value>> = match order {
            // The first piece of each call, then the second of each.
            2 => (0..calls.first().map_or(0, Vec::len))
                .map(|piece| calls.iter().map(|call| call[piece].clone()).collect())
                .collect(),
            _ => in_order(calls, order == 3)
                .into_iter()
                .map(|call| vec![call])
                .collect(),
        };
        let choice = usize::from(order == 1);
        let calls = lists.into_iter().map(
            |list| json!({ "choices": [{ "index": choice, "delta": { "tool_calls": list } }] }),
        );
        let mut chunks = texts;
        for (at, call) in calls.enumerate() {
            match chunks.get_mut(at).filter(|_| order == 1) {
                Some(beside) => {
                    let call = call["choices"][0].to_string();
                    let end = beside.fields.len() - "]}".len();
                    beside.fields.insert_str(end, &format!(",{call}"));
                }
                None => chunks.push(Chunk::new("", call)),
            }
        }
        chunks.push(Chunk::new(
            "",
            json!({
                "choices": [{ "delta": {}, "finish_reason": "tool_calls" }],
                "usage": { "prompt_tokens": 9, "completion_tokens": 4 },
            }),
        ));
        chunks
    }

    fn whole(good: &Good) -> Value {
        let calls = good.calls(false).map(|(_, id, name, arguments)| {
            json!({ "id": id, "function": { "name": name, "arguments": arguments } })
        });
        let message = json!({ "content": good.said, "tool_calls": calls.collect::<Vec<_>>() });
        json!({
            "object": "chat.completion", "choices": [{ "message": message, "finish_reason": "tool_calls" }],
            "usage": { "prompt_tokens": 9, "completion_tokens": 4 },
        })
    }

    fn merges_equal_calls(ways: Ways) -> bool {
        ways.order % 5 == 4
    }
}

impl Wire for Blocks {
    const BETWEEN: &'static [&'static str] = between![
        "event: ping\ndata: {\"type\":\"ping\"}\n\n",
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":null},\"usage\":{\"output_tokens\":0}}\n\n",
        "data: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{}}\n\n",
        "data: {\"type\":\"message_start\",\"message\":[]}\n\n",
    ];

    /// The text, then the calls: one block after the other; mixed, by their numbers; all numbered
    /// and named alike; with whole inputs where a block begins; without the text's beginning.
    fn chunks(good: &Good, ways: Ways) -> Vec<Chunk> {
        let order = ways.order % 5;
        let numbered = |position: usize| match order {
            2 => json!(0),
            1 => json!(position),
            _ => ways.number(position),
        };
        let stop = |index: &Value| Chunk::new("content_block_stop", json!({ "index": index }));
        let index = numbered(0);
        let mut text = Vec::new();
        let start = json!({ "index": index, "content_block": { "type": "text", "text": "" } });
        if order != 4 {
            text.push(Chunk::new("content_block_start", start));
        }
        text.extend(units(&good.said).iter().map(|piece| {
            let delta = json!({ "index": index, "delta": { "type": "text_delta", "text": "@" } });
            Chunk::of_text("content_block_delta", delta, piece)
        }));
        text.push(stop(&index));
        let calls = good.calls(order == 2).map(|(at, id, name, whole)| {
            let index = numbered(at + 1);
            let at_once: Value = serde_json::from_str(&whole).unwrap();
            let input = if order == 3 { at_once } else { json!({}) };
            let block = json!({ "type": "tool_use", "id": id, "name": name, "input": input });
            let start = json!({ "index": index, "content_block": block });
            let mut chunks = vec![Chunk::new("content_block_start", start)];
            let pieces = ways.cut(&whole).into_iter().filter(|_| order != 3);
            chunks.extend(pieces.map(|piece| {
                let delta = json!({ "type": "input_json_delta", "partial_json": piece });
                Chunk::new(
                    "content_block_delta",
                    json!({ "index": index, "delta": delta }),
                )
            }));
            chunks.push(stop(&index));
            chunks
        });
        let usage = json!({ "input_tokens": 9, "output_tokens": 1 });
        let mut chunks = vec![Chunk::new(
            "message_start",
            json!({ "message": { "usage": usage } }),
        )];
        chunks.extend(in_order(
            [text].into_iter().chain(calls).collect(),
            order == 1,
        ));
        chunks.push(Chunk::new(
            "message_delta",
            json!({
                "delta": { "stop_reason": "tool_use" }, "usage": { "output_tokens": 4 },
            }),
        ));
        chunks.push(Chunk::new("message_stop", json!({ "x": 1 })));
        chunks
    }

    fn whole(good: &Good) -> Value {
        let mut content = vec![json!({ "type": "text", "text": good.said })];
        content.extend(good.calls.iter().enumerate().map(|(at, (name, input))| {
            json!({ "type": "tool_use", "id": format!("id_{at}"), "name": name, "input": input })
        }));
        json!({
            "type": "message", "content": content, "stop_reason": "tool_use",
            "usage": { "input_tokens": 9, "output_tokens": 4 },
        })
    }

    fn said(text: &str) -> String {
        text.to_owned()
    }
}

/// An output item of a Responses answer; `with_ids`: it has one of its own.
fn item(kind: &str, id: &str, with_ids: bool, fields: Value) -> Value {
    let mut item = fields;
    item["type"] = json!(kind);
    if with_ids {
        item["id"] = json!(id);
    }
    item
}

fn message_item(said: &str, with_ids: bool) -> Value {
    let content = json!([{ "type": "output_text", "text": said, "annotations": [] }]);
    let fields = json!({ "role": "assistant", "content": content });
    item("message", "msg", with_ids, fields)
}

fn call_item(id: &str, name: &str, arguments: &str, with_ids: bool) -> Value {
    let fields = json!({ "call_id": id, "name": name, "arguments": arguments });
    item("function_call", &format!("fc_{id}"), with_ids, fields)
}

fn output(good: &Good, alike: bool, with_ids: bool) -> Vec<Value> {
    let calls = good.calls(alike);
    let calls = calls.map(|(_, id, name, arguments)| call_item(&id, name, &arguments, with_ids));
    [message_item(&good.said, with_ids)]
        .into_iter()
        .chain(calls)
        .collect()
}

impl Wire for Output {
    const BETWEEN: &'static [&'static str] = between![
        "data: {\"type\":\"response.in_progress\",\"response\":{\"status\":\"in_progress\"}}\n\n",
        "data: {\"type\":\"response.output_item.added\",\"item\":null}\n\n",
        "data: {\"type\":\"response.new\",\"delta\":7}\n\n",
        "event: keepalive\ndata: {\"sequence_number\":7}\n\n",
    ];

    /// The text, then the calls: one item after the other; without the ends of items; mixed, by
    /// their numbers; all with the same ids; items that only come whole; and those that only come
    /// with the whole response. Numbered, or by ids alone, or neither.
    fn chunks(good: &Good, ways: Ways) -> Vec<Chunk> {
        let order = ways.order % 6;
        let alike = order == 3;
        // Ways apart where nothing else tells things apart.
        let is_numbered = ways.are_numbered() || [2, 3].contains(&order);
        let with_ids = match ways.numbers % 5 {
            3 => true,
            4 => false,
            _ => ways.numbers.is_multiple_of(2),
        };
        let ends = !matches!(order, 1 | 5);
        let about = |position: usize, id: &str, mut fields: Value| {
            match (ways.are_numbered(), is_numbered) {
                (true, _) => fields["output_index"] = ways.number(position),
                (_, true) => fields["output_index"] = json!(position),
                _ => {}
            }
            if with_ids {
                fields["item_id"] = json!(id);
            }
            fields
        };
        let begun = |position, item: &Value| {
            let id = item["id"].as_str().unwrap_or_default();
            let mut fields = about(position, id, json!({ "item": item }));
            fields.as_object_mut().unwrap().remove("item_id");
            Chunk::new("response.output_item.added", fields)
        };
        let ended = |position, item: &Value| Chunk {
            kind: "response.output_item.done",
            ..begun(position, item)
        };
        let mut items = Vec::new();
        let mut text = vec![begun(
            0,
            &item("message", "msg", with_ids, json!({ "content": [] })),
        )];
        text.extend(units(&good.said).iter().map(|piece| {
            let fields = about(0, "msg", json!({ "content_index": 0, "delta": "@" }));
            Chunk::of_text("response.output_text.delta", fields, piece)
        }));
        if ends {
            text.push(ended(0, &message_item(&good.said, with_ids)));
        }
        items.push(text);
        for (at, id, name, whole) in good.calls(alike) {
            let position = at + 1;
            let mut call = vec![begun(position, &call_item(&id, name, "", with_ids))];
            let own_id = format!("fc_{id}");
            call.extend(ways.cut(&whole).into_iter().map(|piece| {
                let fields = about(position, &own_id, json!({ "delta": piece }));
                Chunk::new("response.function_call_arguments.delta", fields)
            }));
            if ends {
                let fields = about(position, &own_id, json!({ "arguments": whole }));
                call.push(Chunk::new("response.function_call_arguments.done", fields));
                call.push(ended(position, &call_item(&id, name, &whole, with_ids)));
            }
            items.push(call);
        }
        match order {
            4 => items
                .iter_mut()
                .for_each(|item| drop(item.drain(..item.len() - 1))),
            5 => items.clear(),
            _ => {}
        }
        let mut response = json!({
            "status": "completed", "usage": { "input_tokens": 9, "output_tokens": 4 },
        });
        if order == 5 || ways.pieces.is_multiple_of(2) {
            response["output"] = output(good, alike, with_ids).into();
        }
        let created = json!({ "response": { "status": "in_progress", "output": [] } });
        let mut chunks = vec![Chunk::new("response.created", created)];
        chunks.extend(in_order(items, order == 2));
        chunks.push(Chunk::new(
            "response.completed",
            json!({ "response": response }),
        ));
        chunks
    }

    fn whole(good: &Good) -> Value {
        json!({
            "object": "response", "status": "completed", "output": output(good, false, true),
            "usage": { "input_tokens": 9, "output_tokens": 4 },
        })
    }
}
