// What the tool loop of the official Anthropic SDK does by default: it begins a thread, state on the provider's account, and
// sends only what is new. Whoever can't hold one says so, and the SDK sends the whole conversation again.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { ARGUMENTS, BOTH, NAMES, RESULTS, SCHEMA, TOLD, args, run } from "./checks.mjs";

const client = new Anthropic({ baseURL: args["base-url"], apiKey: args.key, maxRetries: 0, timeout: 20_000 });

run({
  async "tool loop over a thread"() {
    const asked = [];
    const tools = NAMES.map((name) => ({
      type: "custom",
      name,
      description: "Of a city.",
      input_schema: SCHEMA,
      parse: (given) => given,
      run(given) {
        asked.push(given);
        return RESULTS[name];
      },
    }));
    const turn = { model: args.model, max_tokens: 2000, messages: [{ role: "user", content: BOTH }], tools };
    const answer = await client.beta.messages.toolRunner(turn).runUntilDone();
    assert.equal(answer.content[0].text, TOLD);
    assert.deepEqual(asked, [ARGUMENTS, ARGUMENTS]);
  },
});
