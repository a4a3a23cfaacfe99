// What the scripts beside this one share: arguments, tools, and running every check.

import assert from "node:assert/strict";
import { parseArgs } from "node:util";

// --base-url, --key and --model say whom to ask, --answer how every text of the provider under test begins.
// --kind is whose server it is, for SDKs that have several clients, --lacks what the provider has not, as in the scripts
// for Python.
export const args = parseArgs({
  options: {
    "base-url": { type: "string" },
    key: { type: "string" },
    model: { type: "string" },
    answer: { type: "string" },
    kind: { type: "string", default: "" },
    lacks: { type: "string", default: "" },
  },
}).values;

export const HELLO = "hello there, world";
export const GREETING = `${args.answer} You said: ${HELLO}`;
export const BOTH = "get_weather and get_time in Lisbon, please";
export const TOLD = `${args.answer} The tools said: 18 degrees; noon`;
export const RESULTS = { get_weather: "18 degrees", get_time: "noon" };
export const NAMES = Object.keys(RESULTS);
export const ARGUMENTS = { city: "city", unit: "celsius" };
export const SCHEMA = {
  type: "object",
  properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "kelvin"] } },
  required: ["city", "unit"],
  additionalProperties: false,
};

// Everything that an asynchronous iterator yields.
export async function all(events) {
  const found = [];
  for await (const event of events) {
    found.push(event);
  }
  return found;
}

// Asserts that these are the calls of both tools; `calls` are pairs of name and arguments.
export function assertCalls(calls) {
  assert.deepEqual(calls, NAMES.map((name) => [name, ARGUMENTS]));
}

// Runs every check; the program ends with 1 when one fails.
export async function run(checks) {
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log(`ok      ${name}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`FAILED  ${name}\n${error.stack}`);
    }
  }
}
