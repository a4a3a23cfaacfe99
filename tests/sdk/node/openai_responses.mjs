// The Responses API with the official openai SDK: against the fake, or through the proxy to any provider.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { makeParseableTextFormat } from "openai/lib/parser";
import { ARGUMENTS, BOTH, GREETING, HELLO, NAMES, RESULTS, SCHEMA, TOLD, all, args, assertCalls, run } from "./checks.mjs";

const client = new OpenAI({ baseURL: args["base-url"], apiKey: args.key, maxRetries: 0, timeout: 20_000 });

const { model } = args;
const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const asked = [{ role: "user", content: BOTH }];
const tools = NAMES.map((name) => ({ type: "function", name, parameters: SCHEMA, strict: true }));
// As the SDK's own adapter for zod makes it: what parses is beside what is sent.
const format = makeParseableTextFormat({ type: "json_schema", name: "weather", schema: SCHEMA, strict: true }, JSON.parse);
const respond = (more) => client.responses.create({ model, store: false, ...more });

const callsOf = (response) => response.output.filter((item) => item.type === "function_call");
const pairs = (calls) => calls.map((call) => [call.name, JSON.parse(call.arguments)]);
// What the model said so far, as the application sends it back.
const secondTurn = (response) => [
  ...asked,
  ...response.output.map(({ parsed_arguments, ...item }) => item),
  ...callsOf(response).map((call) => {
    return { type: "function_call_output", call_id: call.call_id, output: RESULTS[call.name] };
  }),
];

run({
  async unary() {
    const response = await respond({ instructions: "Be brief.", input: HELLO });
    assert.equal(response.output_text, GREETING);
    assert.equal(response.status, "completed");
    const { input_tokens, output_tokens, total_tokens } = response.usage;
    assert.ok(input_tokens > 0 && input_tokens + output_tokens === total_tokens, JSON.stringify(response.usage));
  },

  async stream() {
    const events = await all(await respond({ input: HELLO, stream: true }));
    const deltas = events.filter((event) => event.type === "response.output_text.delta");
    assert.equal(deltas.map((event) => event.delta).join(""), GREETING);
    assert.deepEqual(events.map((event) => event.sequence_number), [...events.keys()]);
    assert.equal(events.at(-1).type, "response.completed");
  },

  async "stream helper"() {
    const stream = client.responses.stream({ model, input: HELLO, store: false });
    let text = "";
    stream.on("response.output_text.delta", (event) => (text += event.delta));
    const response = await stream.finalResponse();
    assert.equal(text, GREETING);
    assert.equal(response.output_text, GREETING);
  },

  async "parallel tools over two turns"() {
    const response = await respond({ input: asked, tools });
    assertCalls(pairs(callsOf(response)));
    assert.equal((await respond({ input: secondTurn(response), tools })).output_text, TOLD);
  },

  async "streamed tools over two turns"() {
    const response = await client.responses.stream({ model, input: asked, tools, store: false }).finalResponse();
    assertCalls(pairs(callsOf(response)));
    const input = secondTurn(response);
    const final = await client.responses.stream({ model, input, tools, store: false }).finalResponse();
    assert.equal(final.output_text, TOLD);
  },

  async "parsed output"() {
    const request = { model, input: "Where is it?", text: { format }, store: false };
    const whole = await client.responses.parse(request);
    const streamed = await client.responses.stream(request).finalResponse();
    assert.deepEqual([whole.output_parsed, streamed.output_parsed], [ARGUMENTS, ARGUMENTS]);
  },

  async "a picture is seen"() {
    const content = [
      { type: "input_text", text: "look" },
      { type: "input_image", image_url: `data:image/png;base64,${PIXEL}`, detail: "auto" },
    ];
    const response = await respond({ input: [{ role: "user", content }] });
    const bytes = Buffer.from(PIXEL, "base64").length;
    assert.equal(response.output_text, `${args.answer} You said: look You showed: ${bytes} bytes`);
  },

  async "an unknown model is not found"() {
    await assert.rejects(client.responses.create({ model: "nobody", input: HELLO }), OpenAI.NotFoundError);
  },
});
