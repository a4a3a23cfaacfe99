// Chats with the official Mistral SDK: against a fake, or through the proxy to any provider.
//
// --lacks names what the provider has not: pieces (arguments come whole in a stream), plain-chunks (its chunks say null).

import assert from "node:assert/strict";
import { Mistral } from "@mistralai/mistralai";
import { BOTH, GREETING, HELLO, NAMES, RESULTS, SCHEMA, TOLD, all, args, assertCalls, run } from "./checks.mjs";

const client = new Mistral({ serverURL: args["base-url"], apiKey: args.key, timeoutMs: 20_000 });

const { model } = args;
const messages = [{ role: "user", content: HELLO }];
const asked = [{ role: "user", content: BOTH }];
const tools = NAMES.map((name) => ({ type: "function", function: { name, parameters: SCHEMA } }));
const pairs = (calls) => calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
// The choices of a stream: a chunk has one, but for Azure's first, which is about the prompt.
const streamed = async (request) => {
  const events = await all(await client.chat.stream({ model, ...request }));
  return events.flatMap((event) => event.data.choices);
};
async function secondTurn(toolCalls) {
  const results = toolCalls.map((call) => {
    return { role: "tool", toolCallId: call.id, name: call.function.name, content: RESULTS[call.function.name] };
  });
  const turns = [...asked, { role: "assistant", toolCalls }, ...results];
  return client.chat.complete({ model, messages: turns, tools });
}

run({
  async unary() {
    const answer = await client.chat.complete({ model, messages });
    assert.equal(answer.choices[0].message.content, GREETING);
    assert.equal(answer.choices[0].finishReason, "stop");
    assert.equal(answer.usage.promptTokens + answer.usage.completionTokens, answer.usage.totalTokens);
  },

  async stream() {
    if (args.lacks.includes("plain-chunks")) {
      // `"usage":null`, which OpenAI says where usage is asked for at the end, is no usage to this SDK.
      await assert.rejects(streamed({ messages }), /received null/);
      return;
    }
    const choices = await streamed({ messages });
    assert.equal(choices.map((choice) => choice.delta.content ?? "").join(""), GREETING);
    assert.equal(choices.at(-1).finishReason, "stop");
  },

  async "parallel tools over two turns"() {
    const { toolCalls } = (await client.chat.complete({ model, messages: asked, tools })).choices[0].message;
    assertCalls(pairs(toolCalls));
    assert.equal((await secondTurn(toolCalls)).choices[0].message.content, TOLD);
  },

  async "streamed tools over two turns"() {
    if (!args.lacks.includes("pieces")) {
      // The SDK's type of a call has a name in every piece, which OpenAI's own streams do not have either.
      await assert.rejects(streamed({ messages: asked, tools }), /invalid_type/);
      return;
    }
    const toolCalls = (await streamed({ messages: asked, tools })).flatMap((choice) => choice.delta.toolCalls ?? []);
    assertCalls(pairs(toolCalls));
    assert.equal((await secondTurn(toolCalls)).choices[0].message.content, TOLD);
  },

  async "an unknown model is refused"() {
    await assert.rejects(client.chat.complete({ model: "nobody", messages }), (error) => [400, 404].includes(error.statusCode));
  },
});
