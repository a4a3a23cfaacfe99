// Chat completions with the official openai SDK: against a fake, or through the proxy to any provider.

import assert from "node:assert/strict";
import OpenAI, { AzureOpenAI } from "openai";
import { ARGUMENTS, BOTH, GREETING, HELLO, NAMES, RESULTS, SCHEMA, TOLD, all, args, assertCalls, run } from "./checks.mjs";

const options = { apiKey: args.key, maxRetries: 0, timeout: 20_000 };
const client =
  args.kind === "azure"
    ? new AzureOpenAI({ ...options, endpoint: args["base-url"], apiVersion: "2024-10-21" })
    : new OpenAI({ ...options, baseURL: args["base-url"] });

const { model } = args;
const messages = [{ role: "user", content: HELLO }];
const tools = NAMES.map((name) => ({ type: "function", function: { name, parameters: SCHEMA, strict: true } }));
const pairs = (calls) => calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);

run({
  async unary() {
    const answer = await client.chat.completions.create({ model, messages });
    assert.equal(answer.choices[0].message.content, GREETING);
    assert.equal(answer.choices[0].finish_reason, "stop");
    const { prompt_tokens, completion_tokens, total_tokens } = answer.usage;
    assert.ok(prompt_tokens > 0 && prompt_tokens + completion_tokens === total_tokens, JSON.stringify(answer.usage));
  },

  async stream() {
    const chunks = await all(await client.chat.completions.create({ model, messages, stream: true }));
    const choices = chunks.flatMap((chunk) => chunk.choices);
    assert.equal(choices.map((choice) => choice.delta.content ?? "").join(""), GREETING);
    assert.equal(choices.at(-1).finish_reason, "stop");
  },

  async "stream helper"() {
    const stream = client.chat.completions.stream({ model, messages });
    let text = "";
    stream.on("content", (delta) => (text += delta));
    const answer = await stream.finalChatCompletion();
    assert.equal(text, GREETING);
    assert.equal(answer.choices[0].message.content, GREETING);
  },

  async "parallel tools over two turns"() {
    const asked = [{ role: "user", content: BOTH }];
    const stream = client.chat.completions.stream({ model, messages: asked, tools });
    const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0];
    assert.equal(finish_reason, "tool_calls");
    assertCalls(pairs(message.tool_calls));
    const results = message.tool_calls.map((call) => {
      return { role: "tool", tool_call_id: call.id, content: RESULTS[call.function.name] };
    });
    const turn = { role: "assistant", content: message.content, tool_calls: message.tool_calls };
    const answer = await client.chat.completions.create({ model, messages: [...asked, turn, ...results], tools });
    assert.equal(answer.choices[0].message.content, TOLD);
  },

  async "tool loop"() {
    const asked = [];
    const runnable = NAMES.map((name) => ({
      type: "function",
      function: {
        name,
        description: "Of a city.",
        parameters: SCHEMA,
        parse: JSON.parse,
        function(given) {
          asked.push(given);
          return RESULTS[name];
        },
      },
    }));
    for (const stream of [false, true]) {
      const runner = client.chat.completions.runTools({
        model,
        messages: [{ role: "user", content: BOTH }],
        tools: runnable,
        stream,
      });
      assert.equal(await runner.finalContent(), TOLD);
    }
    assert.deepEqual(asked, Array(4).fill(ARGUMENTS));
  },

  async "an unknown model is not found"() {
    const asked = client.chat.completions.create({ model: "nobody", messages });
    await assert.rejects(asked, OpenAI.NotFoundError);
  },
});
