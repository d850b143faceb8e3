// A scripted OpenAI-compatible model: which reply is due is read off the request, so that nothing depends on timing.
import { once } from "node:events";
import { createServer } from "node:http";

/** An answer in words. */
export const say = (text) => ({ content: text });

/** An answer that ends the run. */
export const done = say("Done.\n<task_summary>\nBuilt what you asked for.\n</task_summary>");

/** An answer that calls a tool. */
export const call = (name, args) => ({
  tool_calls: [{ index: 0, id: "call_0", type: "function", function: { name, arguments: JSON.stringify(args) } }],
});

/** An answer that writes files: `{ path: content }`. */
export const write = (files) => call("createOrUpdateFiles", { files: Object.entries(files).map(([path, content]) => ({ path, content })) });

/** An answer that runs a command. */
export const run = (command) => call("terminal", { command });

/** What a message says, images aside. */
export function text(message) {
  if (typeof message.content === "string") return message.content;
  return message.content.filter((part) => part.type === "text").map((part) => part.text).join("\n");
}

/**
 * A model that answers the coder's requests by `reply(prompt, turn, request)`, the turn counted from 0 since the prompt, and all others
 * (those without tools) by `other(request)`; either may take its time, and give the answer in parts, as an async generator. `env` makes a server use it; `requests` has all it was asked.
 */
export async function startModel(reply, other = () => say("Scripted app")) {
  const requests = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const asked = JSON.parse(body);
    requests.push(asked);
    const at = asked.messages.findLastIndex((message) => message.role === "user");
    const turn = asked.messages.slice(at).filter((message) => message.role === "assistant").length;
    const delta = await (asked.tools ? reply(text(asked.messages[at]), turn, asked) : other(asked));
    if (delta.status) {
      response.writeHead(delta.status, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { message: delta.message } }));
      return;
    }
    const finish = delta.tool_calls ? "tool_calls" : "stop";
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (choice) => response.write(`data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`);
    for await (const part of delta[Symbol.asyncIterator] ? delta : [delta]) send({ delta: part });
    send({ delta: {}, finish_reason: finish });
    response.end(`data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3 } })}\n\ndata: [DONE]\n\n`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const env = {
    AI_PROVIDER: "custom",
    OPENAI_BASE_URL: `http://127.0.0.1:${server.address().port}/v1`,
    OPENAI_API_KEY: "test",
    AI_MODEL: "scripted",
  };
  return { env, requests, stop: () => server.close() };
}
