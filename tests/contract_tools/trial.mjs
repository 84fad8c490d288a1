// Opens /docs of the server whose address is given, fills in each form as it is told, and prints what is answered, as
// JSON. A file's content is its name.
import { opened, until } from "./opened.mjs";

const [server, told] = process.argv.slice(2);

// The page's own FormData and File are no others' business: a request has Node's.
function ask(url, { body, ...options } = {}) {
  if (!body || typeof body === "string") return fetch(url, { body, ...options });
  const data = new FormData();
  for (const [name, value] of body) data.append(name, typeof value === "string" ? value : new File([value.name], value.name));
  return fetch(url, { body: data, ...options });
}

const { dom, document, errors, submit } = await opened(server, ask);
await until(() => document.querySelector("article"));

function fill(form, name, value) {
  const control = form.elements[name];
  if (control.type !== "file") control.value = value;
  else Object.defineProperty(control, "files", { value: value.map((each) => new dom.window.File([], each)) });
}

const seen = { errors, answers: [], fields: [] };
for (const [id, values] of JSON.parse(told)) {
  const form = document.querySelector(`#${id} form`);
  seen.fields.push([...form.elements].map((each) => each.name).filter(Boolean));
  for (const [name, value] of Object.entries(values)) fill(form, name, value);
  submit(form);
  const output = form.querySelector("[role=status]");
  await until(() => output.querySelector("pre"));
  seen.answers.push(JSON.parse(output.querySelector("pre").textContent));
}
const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
seen.twice = ids.filter((id, place) => ids.indexOf(id) !== place);
console.log(JSON.stringify(seen));
dom.window.close();
