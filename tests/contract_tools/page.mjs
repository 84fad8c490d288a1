// Opens /docs of the server whose address is given, uses it, and prints what was seen, as JSON.
import { opened, require, until } from "./opened.mjs";

const [server, token] = process.argv.slice(2);
const axe = require("axe-core");
const asked = [];

function ask(url, options) {
  asked.push(String(url).replace(server, ""));
  return fetch(url, options);
}

const { dom, document, errors, submit } = await opened(server, ask);
const { Event } = dom.window;

async function sent(id, text) {
  const form = document.querySelector(`#${id} form`);
  if (text !== undefined) form.querySelector("textarea").value = text;
  submit(form);
  const output = form.querySelector("[role=status]");
  await until(() => output.querySelector("pre"));
  const [body, command] = output.querySelectorAll("pre");
  return { status: output.querySelector("strong").textContent, body: JSON.parse(body.textContent), command: command.textContent };
}

const seen = { errors, asked };
await until(() => !document.getElementById("unlock").hidden || document.querySelector("article"));
seen.locked = !document.getElementById("unlock").hidden;
if (seen.locked) {
  document.getElementById("contract-token").value = "a-guess";
  submit(document.getElementById("unlock"));
  await until(() => document.getElementById("notice").textContent);
  seen.notice = document.getElementById("notice").textContent;
  document.getElementById("contract-token").value = token;
  submit(document.getElementById("unlock"));
  await until(() => document.querySelector("article"));
}
seen.title = document.title;
seen.operations = [...document.querySelectorAll("article")].map((each) => each.id);
seen.links = [...document.querySelectorAll("nav a")].map((each) => each.getAttribute("href"));
seen.signup = document.getElementById("postAuthSignup").textContent;
dom.window.eval(axe.source);
// The colours need a browser that paints.
const found = await dom.window.axe.run(document, { rules: { "color-contrast": { enabled: false } } });
seen.violations = found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html)}`);

const ada = { name: "Ada", email: "ada@example.com", password: "it's a horse" };
seen.made = await sent("postAuthSignup", JSON.stringify(ada));
document.getElementById("token").value = seen.made.body.authToken;
seen.me = await sent("getAuthMe");
seen.refused = await sent("postAuthLogin", JSON.stringify({ ...ada, name: undefined, password: "<b>wrong</b>" }));
document.getElementById("filter").value = "me get";
document.getElementById("filter").dispatchEvent(new Event("input"));
seen.filtered = [...document.querySelectorAll("nav a")].map((each) => each.getAttribute("href"));
console.log(JSON.stringify(seen));
dom.window.close();
