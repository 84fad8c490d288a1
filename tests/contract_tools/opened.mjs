// Opens /docs of a server; what it asks goes through `ask`. Packages are those of the folder in which this runs.
import { createRequire } from "node:module";

export const require = createRequire(`${process.cwd()}/`);
const { JSDOM, VirtualConsole } = require("jsdom");

export async function opened(server, ask) {
  const errors = [];
  const virtualConsole = new VirtualConsole();
  virtualConsole.on("jsdomError", (error) => errors.push(error.message));

  function beforeParse(window) {
    window.fetch = ask;
    window.Element.prototype.scrollIntoView = () => {};
  }

  const dom = await JSDOM.fromURL(`${server}/docs`, { runScripts: "dangerously", resources: "usable", pretendToBeVisual: true, virtualConsole, beforeParse });
  const submit = (form) => form.dispatchEvent(new dom.window.Event("submit", { bubbles: true, cancelable: true }));
  return { dom, document: dom.window.document, errors, submit };
}

export async function until(holds) {
  for (let left = 200; left && !holds(); left -= 1) await new Promise((done) => setTimeout(done, 25));
  return holds();
}
