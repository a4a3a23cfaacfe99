// Lets scripts that lie elsewhere import the packages that are installed beside this file.
//
// `node --import THIS` runs it, and it makes Node ask it about every import.

import { isBuiltin, register } from "node:module";
import { isMainThread } from "node:worker_threads";

if (isMainThread) {
  register(import.meta.url);
}

const isBare = (specifier) => !/^[./]|^[a-z]+:/.test(specifier) && !isBuiltin(specifier);

export async function resolve(specifier, context, next) {
  // Packages import each other from where they are.
  const isOfScript = !context.parentURL?.includes("/node_modules/");
  return next(specifier, isBare(specifier) && isOfScript ? { ...context, parentURL: import.meta.url } : context);
}
