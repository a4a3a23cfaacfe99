// Chats with the official Mistral SDK against a fake, or anything else that speaks as Mistral does.

import assert from "node:assert/strict";
import { Mistral } from "@mistralai/mistralai";
import { BOTH, GREETING, HELLO, NAMES, RESULTS, SCHEMA, TOLD, all, args, assertCalls, run } from "./checks.mjs";

const client = new Mistral({ serverURL: args["base-url"], apiKey: args.key, timeoutMs: 20_000 });

const { model } = args;
const messages = [{ role: "user", content: HELLO }];
const tools = NAMES.map((name) => ({ type: "function", function: { name, parameters: SCHEMA } }));
const pairs = (calls) => calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
const streamed = async (request) => (await all(await client.chat.stream({ model, ...request }))).map((event) => event.data);

run({
  async unary() {
    const answer = await client.chat.complete({ model, messages });
    assert.equal(answer.choices[0].message.content, GREETING);
    assert.equal(answer.choices[0].finishReason, "stop");
    assert.equal(answer.usage.promptTokens + answer.usage.completionTokens, answer.usage.totalTokens);
  },

  async stream() {
    const chunks = await streamed({ messages });
    assert.equal(chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join(""), GREETING);
    assert.equal(chunks.at(-1).choices[0].finishReason, "stop");
    assert.ok(chunks.at(-1).usage.completionTokens > 0);
  },

  async "parallel tools over two turns"() {
    const asked = [{ role: "user", content: BOTH }];
    const whole = (await client.chat.complete({ model, messages: asked, tools })).choices[0].message.toolCalls;
    const chunks = await streamed({ messages: asked, tools });
    const pieces = chunks.flatMap((chunk) => chunk.choices[0].delta.toolCalls ?? []);
    for (const toolCalls of [whole, pieces]) {
      assertCalls(pairs(toolCalls));
      const results = toolCalls.map((call) => {
        return { role: "tool", toolCallId: call.id, name: call.function.name, content: RESULTS[call.function.name] };
      });
      const turns = [...asked, { role: "assistant", toolCalls }, ...results];
      const answer = await client.chat.complete({ model, messages: turns, tools });
      assert.equal(answer.choices[0].message.content, TOLD);
    }
  },

  async "an unknown model is refused"() {
    await assert.rejects(client.chat.complete({ model: "nobody", messages }), { statusCode: 400 });
  },
});
