// Chats with the official ollama SDK against a fake, or anything else that speaks as Ollama does.

import assert from "node:assert/strict";
import { Ollama } from "ollama";
import { BOTH, GREETING, HELLO, NAMES, RESULTS, SCHEMA, TOLD, all, args, assertCalls, run } from "./checks.mjs";

const client = new Ollama({ host: args["base-url"] });

const { model } = args;
const messages = [{ role: "user", content: HELLO }];
const tools = NAMES.map((name) => ({ type: "function", function: { name, description: "Of a city.", parameters: SCHEMA } }));
const pairs = (calls) => calls.map((call) => [call.function.name, call.function.arguments]);

run({
  async unary() {
    const answer = await client.chat({ model, messages });
    assert.equal(answer.message.content, GREETING);
    assert.deepEqual([answer.done, answer.done_reason], [true, "stop"]);
    assert.ok(answer.eval_count > 0 && answer.prompt_eval_count > 0);
  },

  async stream() {
    const lines = await all(await client.chat({ model, messages, stream: true }));
    assert.equal(lines.map((line) => line.message.content).join(""), GREETING);
    assert.deepEqual([lines.at(-1).done, lines.at(-1).done_reason], [true, "stop"]);
  },

  async "parallel tools over two turns"() {
    const asked = [{ role: "user", content: BOTH }];
    const whole = (await client.chat({ model, messages: asked, tools })).message.tool_calls;
    const lines = await all(await client.chat({ model, messages: asked, tools, stream: true }));
    for (const calls of [whole, lines.flatMap((line) => line.message.tool_calls ?? [])]) {
      assertCalls(pairs(calls));
      const results = calls.map((call) => {
        return { role: "tool", tool_name: call.function.name, content: RESULTS[call.function.name] };
      });
      const turns = [...asked, { role: "assistant", content: "", tool_calls: calls }, ...results];
      assert.equal((await client.chat({ model, messages: turns, tools })).message.content, TOLD);
    }
  },

  async "an unknown model is not found"() {
    await assert.rejects(client.chat({ model: "nobody", messages }), { status_code: 404 });
  },
});
