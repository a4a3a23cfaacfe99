// Messages with the official Anthropic SDK: against a fake, or through the proxy to any provider.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { ARGUMENTS, BOTH, GREETING, HELLO, NAMES, RESULTS, SCHEMA, TOLD, all, args, assertCalls, run } from "./checks.mjs";

const client = new Anthropic({ baseURL: args["base-url"], apiKey: args.key, maxRetries: 0, timeout: 20_000 });

const { model } = args;
const common = { model, max_tokens: 2000 };
const messages = [{ role: "user", content: HELLO }];
const tools = NAMES.map((name) => ({ name, description: "Of a city.", input_schema: SCHEMA }));

run({
  async unary() {
    const answer = await client.messages.create({ ...common, messages });
    assert.deepEqual(answer.content.map((block) => block.text), [GREETING]);
    assert.equal(answer.stop_reason, "end_turn");
    assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0, JSON.stringify(answer.usage));
  },

  async stream() {
    const events = await all(await client.messages.create({ ...common, messages, stream: true }));
    assert.equal(events[0].type, "message_start");
    assert.deepEqual(events.slice(-2).map((event) => event.type), ["message_delta", "message_stop"]);
    const text = events.filter((event) => event.type === "content_block_delta").map((event) => event.delta.text);
    assert.equal(text.join(""), GREETING);
  },

  async "stream helper"() {
    const stream = client.messages.stream({ ...common, messages });
    let text = "";
    stream.on("text", (delta) => (text += delta));
    const answer = await stream.finalMessage();
    assert.equal(text, GREETING);
    assert.equal(answer.stop_reason, "end_turn");
    assert.ok(answer.usage.output_tokens > 0, JSON.stringify(answer.usage));
  },

  async "parallel tools over two turns"() {
    const asked = [{ role: "user", content: BOTH }];
    const first = await client.messages.stream({ ...common, messages: asked, tools }).finalMessage();
    assert.equal(first.stop_reason, "tool_use");
    const calls = first.content.filter((block) => block.type === "tool_use");
    assertCalls(calls.map((call) => [call.name, call.input]));
    const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: RESULTS[call.name] }));
    const turns = [...asked, { role: "assistant", content: first.content }, { role: "user", content: results }];
    const answer = await client.messages.create({ ...common, messages: turns, tools });
    assert.equal(answer.content[0].text, TOLD);
  },

  async "tool loop"() {
    const asked = [];
    // Without a thread, which is state on the provider's account.
    const thread = false;
    const runnable = tools.map((tool) => ({
      ...tool,
      type: "custom",
      parse: (given) => given,
      run(given) {
        asked.push(given);
        return RESULTS[tool.name];
      },
    }));
    const turn = { ...common, messages: [{ role: "user", content: BOTH }], tools: runnable, thread };
    const answer = await client.beta.messages.toolRunner(turn).runUntilDone();
    assert.equal(answer.content[0].text, TOLD);
    assert.deepEqual(asked, [ARGUMENTS, ARGUMENTS]);
  },

  async "an unknown model is not found"() {
    await assert.rejects(client.messages.create({ ...common, model: "nobody", messages }), Anthropic.NotFoundError);
  },
});
