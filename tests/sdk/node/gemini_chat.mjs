// Content with the official @google/genai SDK: against a fake, or through the proxy to any provider.

import assert from "node:assert/strict";
import { ApiError, GoogleGenAI } from "@google/genai";
import { ARGUMENTS, BOTH, GREETING, HELLO, NAMES, RESULTS, SCHEMA, TOLD, all, args, assertCalls, run } from "./checks.mjs";

const client = new GoogleGenAI({ apiKey: args.key, httpOptions: { baseUrl: args["base-url"], timeout: 20_000 } });

const { model } = args;
const functionDeclarations = NAMES.map((name) => {
  return { name, description: "Of a city.", parametersJsonSchema: SCHEMA };
});
const tools = [{ functionDeclarations }];
const respond = (call) => ({
  functionResponse: { id: call.id, name: call.name, response: { output: RESULTS[call.name] } },
});

run({
  async unary() {
    const answer = await client.models.generateContent({ model, contents: HELLO });
    assert.equal(answer.text, GREETING);
    assert.equal(answer.candidates[0].finishReason, "STOP");
    assert.ok(answer.usageMetadata.promptTokenCount > 0, JSON.stringify(answer.usageMetadata));
  },

  async stream() {
    const chunks = await all(await client.models.generateContentStream({ model, contents: HELLO }));
    assert.equal(chunks.map((chunk) => chunk.text ?? "").join(""), GREETING);
    assert.equal(chunks.flatMap((chunk) => chunk.candidates ?? []).at(-1).finishReason, "STOP");
    assert.ok(chunks.at(-1).usageMetadata.candidatesTokenCount > 0);
  },

  async "chat goes on over a stream"() {
    const chat = client.chats.create({ model });
    await all(await chat.sendMessageStream({ message: HELLO }));
    const answer = await chat.sendMessage({ message: "go on" });
    assert.equal(answer.text, `${args.answer} You said: go on`);
  },

  async "parallel tools over two turns"() {
    const first = await client.models.generateContent({ model, contents: BOTH, config: { tools } });
    assertCalls(first.functionCalls.map((call) => [call.name, call.args]));
    const contents = [
      { role: "user", parts: [{ text: BOTH }] },
      first.candidates[0].content,
      { role: "user", parts: first.functionCalls.map(respond) },
    ];
    const answer = await client.models.generateContent({ model, contents, config: { tools } });
    assert.equal(answer.text, TOLD);
  },

  async "tool loop in a streamed chat"() {
    const chat = client.chats.create({ model, config: { tools } });
    const chunks = await all(await chat.sendMessageStream({ message: BOTH }));
    const calls = chunks.flatMap((chunk) => chunk.functionCalls ?? []);
    assertCalls(calls.map((call) => [call.name, call.args]));
    const answer = await chat.sendMessage({ message: calls.map(respond) });
    assert.equal(answer.text, TOLD);
  },

  async "tool loop of the SDK itself"() {
    const asked = [];
    const callable = {
      tool: async () => tools[0],
      async callTool(calls) {
        asked.push(...calls.map((call) => call.args));
        return calls.map(respond);
      },
    };
    const config = { tools: [callable] };
    assert.equal((await client.models.generateContent({ model, contents: BOTH, config })).text, TOLD);
    const chunks = await all(await client.models.generateContentStream({ model, contents: BOTH, config }));
    assert.equal(chunks.map((chunk) => chunk.text ?? "").join(""), TOLD);
    assert.deepEqual(asked, Array(4).fill(ARGUMENTS));
  },

  async "an unknown model is not found"() {
    const asked = client.models.generateContent({ model: "nobody", contents: HELLO });
    await assert.rejects(asked, (error) => error instanceof ApiError && error.status === 404);
  },
});
