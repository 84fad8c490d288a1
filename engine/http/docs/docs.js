// The page at /docs: reads the contract that lies beside it, shows it, and sends requests. It keeps nothing.
"use strict";

const MEDIA = { json: "application/json", form: "application/x-www-form-urlencoded", multipart: "multipart/form-data" };
const METHODS = ["get", "head", "post", "put", "patch", "delete"];
const DEEPEST = 8; // levels of a schema that are shown
const ANY_TEXT = "^[^\\u0000]*$"; // the pattern of a text that is any text
const WORDS = { integer: "int", number: "decimal", string: "text", boolean: "bool", array: "list", object: "object", null: "null" };

const contractUrl = new URL("openapi.json", document.baseURI);
let contract = null;

// Everything that comes from the contract or an answer becomes text, never markup.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, handler] of Object.entries(value)) made.addEventListener(event, handler);
    else if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

const byId = (id) => document.getElementById(id);
const pretty = (value) => JSON.stringify(value, null, 2);

async function load(token) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  let answer;
  try {
    answer = await fetch(contractUrl, { headers });
  } catch {
    return notice("The contract could not be loaded: the server does not answer.");
  }
  byId("unlock").hidden = answer.status !== 401;
  if (!answer.ok) return notice(answer.status === 401 && !token ? "" : await refusal(answer));
  notice("");
  contract = await answer.json();
  return show();
}

async function refusal(answer) {
  const body = await answer.json().catch(() => ({}));
  return body.message || `The server answered ${answer.status}.`;
}

function notice(text) {
  byId("notice").textContent = text;
}

function show() {
  const { info } = contract;
  document.title = info.title;
  byId("title").replaceChildren(info.title, " ", element("small", {}, info.version));
  const link = element("a", { href: contractUrl.href }, "openapi.json");
  byId("about").replaceChildren(...[info.description, info.description ? " " : null, link].filter(Boolean));
  byId("credentials").hidden = !contract.components?.securitySchemes;
  byId("contents").hidden = false;
  const operations = [...everyOperation()];
  byId("operations").replaceChildren(...sections(operations));
  list(operations);
  byId("filter").addEventListener("input", () => list(operations));
  if (location.hash) byId(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

function* everyOperation() {
  for (const [path, item] of Object.entries(contract.paths)) {
    for (const method of METHODS) if (item[method]) yield { path, method, ...item[method] };
  }
}

function byTag(operations) {
  const tags = new Map();
  for (const operation of operations) {
    for (const tag of operation.tags.slice(0, 1)) tags.set(tag, [...(tags.get(tag) || []), operation]);
  }
  return tags;
}

function list(operations) {
  const words = byId("filter").value.toLowerCase().split(/\s+/);
  const text = (each) => `${each.method} ${each.path} ${each.summary} ${each.tags}`.toLowerCase();
  const found = operations.filter((each) => words.every((word) => text(each).includes(word)));
  const lists = [...byTag(found)].flatMap(([tag, each]) => [element("p", {}, tag), element("ul", {}, ...each.map(entry))]);
  byId("list").replaceChildren(...(lists.length ? lists : [element("p", {}, "Nothing is named so.")]));
}

function entry(operation) {
  const method = element("span", { class: "method" }, operation.method.toUpperCase());
  return element("li", {}, element("a", { href: `#${operation.operationId}` }, method, " ", operation.path));
}

function sections(operations) {
  const described = new Map((contract.tags || []).map((tag) => [tag.name, tag.description]));
  return [...byTag(operations)].map(([tag, each]) =>
    element("section", {}, element("h2", {}, tag), paragraph(described.get(tag)), ...each.map(article)));
}

function paragraph(text) {
  return text ? element("p", { class: "text" }, text) : null;
}

function article(operation) {
  const method = element("span", { class: "method" }, operation.method.toUpperCase());
  return element("article", { id: operation.operationId },
    element("h3", {}, method, " ", element("code", {}, operation.path)),
    paragraph(operation.description || operation.summary),
    security(operation), parameters(operation), body(operation), responses(operation), trial(operation));
}

function security(operation) {
  const names = (operation.security || []).flatMap(Object.keys);
  return names.length ? element("p", { class: "quiet" }, `Needs a token of: ${names.join(", ")}.`) : null;
}

// Schemas

function resolved(thing) {
  if (!thing?.$ref) return thing || {};
  const found = thing.$ref.slice(2).split("/").reduce((value, key) => value?.[key.replace(/~1/g, "/").replace(/~0/g, "~")], contract);
  const { $ref, ...beside } = thing;
  return { ...found, ...beside };
}

function typeOf(schema) {
  const part = resolved(schema);
  if (part.const !== undefined) return JSON.stringify(part.const);
  if (part.enum) return part.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = part.oneOf || part.anyOf;
  if (choices) return [...new Set(choices.map(typeOf))].join(" | ");
  const names = [part.type || []].flat().map((name) => {
    if (name === "array") return `list of ${typeOf(part.items)}`;
    return name === "string" && part.format && part.format !== "password" ? part.format : WORDS[name] || name;
  });
  return names.join(" | ") || "anything";
}

function limits(schema) {
  const part = resolved(schema);
  const between = (low, high, unit) => {
    if (low === undefined && high === undefined) return "";
    if (low === undefined) return `at most ${high}${unit}`;
    return high === undefined ? `at least ${low}${unit}` : `${low} to ${high}${unit}`;
  };
  const small = (value) => (Number.isSafeInteger(value) || !Number.isInteger(value) ? value : undefined);
  const patterns = [part.pattern, ...(part.allOf || []).map((each) => each.pattern)].filter((each) => each && each !== ANY_TEXT);
  return [
    between(small(part.minimum), small(part.maximum), ""), between(part.minLength, part.maxLength, " characters"),
    between(part.minItems, part.maxItems, " items"), ...patterns.map((each) => (each.length > 60 ? "" : `as ${each}`)),
    part.default === undefined ? "" : `default ${JSON.stringify(part.default)}`,
  ].filter(Boolean).join(", ");
}

function fields(schema, depth = 0) {
  const part = resolved(schema);
  if (depth > DEEPEST) return null;
  if (part.type === "array" || (Array.isArray(part.type) && part.items)) return fields(part.items, depth + 1);
  const choices = (part.oneOf || part.anyOf || []).map((each) => fields(each, depth + 1)).filter(Boolean);
  if (choices.length) return element("div", {}, ...choices);
  if (!part.properties) return null;
  const required = new Set(part.required || []);
  const items = Object.entries(part.properties).map(([name, each]) => field(name, each, required.has(name), depth));
  return element("ul", { class: "fields" }, ...items);
}

function field(name, schema, isRequired, depth = 0) {
  const part = resolved(schema);
  const notes = [limits(part), part.description].filter(Boolean).join(". ");
  return element("li", {}, element("code", {}, name), ` ${typeOf(schema)} `,
    isRequired ? element("span", { class: "required" }, "required ") : null,
    notes ? element("span", { class: "quiet" }, notes) : null, fields(schema, depth + 1));
}

const schemaOf = (parameter) => parameter.schema || Object.values(parameter.content)[0].schema;

function parameters(operation) {
  if (!operation.parameters) return null;
  const items = operation.parameters.map((each) =>
    field(each.name, { ...resolved(schemaOf(each)), description: [`in the ${each.in}`, each.description].filter(Boolean).join(". ") }, each.required));
  return element("div", {}, element("h4", {}, "Parameters"), element("ul", { class: "fields" }, ...items));
}

function body(operation) {
  const { requestBody } = operation;
  if (!requestBody) return null;
  const [[, media]] = Object.entries(requestBody.content);
  const { schema } = isForm(requestBody.content) ? requestBody.content[MEDIA.multipart] : media;
  return element("div", {}, element("h4", {}, "Body"),
    element("p", { class: "quiet" }, Object.keys(requestBody.content).join(", ")), fields(schema), ...examples(media));
}

function examples(media) {
  return Object.values(media.examples || {}).map((each) =>
    element("details", {}, element("summary", {}, `Example: ${each.summary}`), element("pre", {}, pretty(each.value))));
}

function responses(operation) {
  const each = Object.entries(operation.responses).map(([status, given]) => {
    const response = resolved(given);
    const media = Object.values(response.content || {})[0] || {};
    const [first, ...more] = response.description.split("\n");
    return element("details", { open: status === "200" },
      element("summary", {}, element("strong", { class: status < 300 ? "good" : "bad" }, status), " ",
        more.length ? `${first.replace(/^- /, "")} (or one of ${more.length} more)` : first),
      more.length ? paragraph(response.description) : null,
      media.schema ? element("p", {}, typeOf(media.schema)) : null, media.schema ? fields(media.schema) : null, ...examples(media));
  });
  return element("div", {}, element("h4", {}, "Responses"), ...each);
}

// Trying it

// A path and its query may have parameters of one name.
const nameOf = (parameter) => `parameter-${parameter.in}-${parameter.name}`;
const isFile = (schema) => resolved(schema.items || schema).format === "binary";

// Whether a body is tried out field by field: JSON carries no file.
function isForm(content) {
  const { properties = {} } = resolved(content[MEDIA.multipart]?.schema);
  return !content[MEDIA.json] || Object.values(properties).some(isFile);
}

function written(example) {
  return example === undefined || example === null ? "" : typeof example === "string" ? example : JSON.stringify(example);
}

function trial(operation) {
  const output = element("div", { role: "status", "aria-live": "polite" });
  const form = element("form", { novalidate: true, on: { submit: (event) => { event.preventDefault(); send(operation, form, output); } } },
    ...(operation.parameters || []).flatMap((each) => parameterInput(operation, each)), ...bodyInputs(operation),
    element("button", {}, "Send"), output);
  return element("details", {}, element("summary", {}, "Try it"), form);
}

function input(operation, name, hint, attributes, tag = "input") {
  const id = `${operation.operationId}-${name}`;
  return [element("label", { for: id }, element("code", {}, name), ` ${hint}`), element(tag, { id, name, autocomplete: "off", ...attributes })];
}

function parameterInput(operation, parameter) {
  const schema = schemaOf(parameter);
  const example = parameter.example ?? parameter.content?.[MEDIA.json]?.example;
  const hint = `${typeOf(schema)}, in the ${parameter.in}${parameter.required ? ", required" : ""}`;
  return input(operation, nameOf(parameter), hint, { value: written(example) });
}

function bodyInputs(operation) {
  const content = operation.requestBody?.content;
  if (!content) return [];
  const example = unmasked(Object.values(content[MEDIA.json]?.examples || {})[0]?.value);
  if (!isForm(content)) {
    const [label, area] = input(operation, "body", "JSON", { rows: 8, spellcheck: "false" }, "textarea");
    area.value = pretty(example || skeleton(content[MEDIA.json].schema));
    return [label, area];
  }
  const part = resolved(content[MEDIA.multipart].schema);
  return Object.entries(part.properties).flatMap(([name, schema]) => {
    const { format } = resolved(schema.items || schema);
    const type = isFile(schema) ? "file" : format === "password" ? "password" : "text";
    const given = type === "file" ? { multiple: Boolean(schema.items) } : { value: written(example?.[name]) };
    return input(operation, `field-${name}`, typeOf(schema), { type, ...given });
  });
}

// A secret in an example is hidden; whoever tries it out writes their own.
function unmasked(value) {
  if (typeof value === "string") return /^•+$/.test(value) ? "" : value;
  if (Array.isArray(value)) return value.map(unmasked);
  return value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, unmasked(each)])) : value;
}

function skeleton(schema, depth = 0) {
  const part = resolved(schema);
  const choice = (part.oneOf || part.anyOf || [])[0];
  if (choice && depth < DEEPEST) return skeleton(choice, depth + 1);
  if (part.default !== undefined) return part.default;
  if (part.enum) return part.enum[0];
  const type = [part.type].flat()[0];
  if (type === "object" && depth < DEEPEST) {
    const required = (part.required || []).map((name) => [name, skeleton(part.properties[name], depth + 1)]);
    return Object.fromEntries(required);
  }
  if (type === "array") return part.minItems && depth < DEEPEST ? [skeleton(part.items, depth + 1)] : [];
  return { integer: 0, number: 0, boolean: false, string: "" }[type] ?? null;
}

function requestOf(operation, form) {
  const server = new URL(contract.servers[0].url, contractUrl).href.replace(/\/$/, "");
  let path = operation.path;
  const query = new URLSearchParams();
  for (const parameter of operation.parameters || []) {
    const value = form.elements[nameOf(parameter)].value;
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value !== "") query.append(parameter.name, value);
  }
  const headers = {};
  const token = byId("token").value.trim();
  if (token && operation.security?.length) headers.authorization = `Bearer ${token}`;
  const options = { method: operation.method.toUpperCase(), headers };
  const content = operation.requestBody?.content;
  if (content && !isForm(content)) {
    headers["content-type"] = MEDIA.json;
    options.body = form.elements.body.value;
  } else if (content) {
    options.body = formData(form);
  }
  return [`${server}${path}${query.size ? `?${query}` : ""}`, options];
}

function formData(form) {
  const data = new FormData();
  for (const control of form.elements) {
    const name = control.name?.startsWith("field-") ? control.name.slice(6) : "";
    if (name && control.type === "file") for (const file of control.files) data.append(name, file);
    else if (name && control.value !== "") data.append(name, control.value);
  }
  return data;
}

async function send(operation, form, output) {
  const [url, options] = requestOf(operation, form);
  output.replaceChildren("Waiting …");
  const started = performance.now();
  try {
    const answer = await fetch(url, options);
    const text = await answer.text();
    const took = Math.round(performance.now() - started);
    const status = element("strong", { class: answer.ok ? "good" : "bad" }, String(answer.status));
    output.replaceChildren(element("p", {}, status, ` after ${took} ms, request ${answer.headers.get("x-request-id") || "without an id"}`),
      element("pre", { tabindex: "0" }, readable(text)), element("p", { class: "quiet" }, "The same on a command line:"), element("pre", { tabindex: "0" }, curl(url, options)));
  } catch (error) {
    output.replaceChildren(element("p", { class: "bad" }, `The request was not answered: ${error.message}`));
  }
}

function readable(text) {
  try {
    return pretty(JSON.parse(text));
  } catch {
    return text;
  }
}

const quoted = (text) => `'${text.replace(/'/g, "'\\''")}'`;

function curl(url, { method, headers, body }) {
  const words = ["curl", ...(method === "GET" ? [] : method === "HEAD" ? ["-I"] : ["-X", method]), quoted(url)];
  for (const [name, value] of Object.entries(headers)) words.push("-H", quoted(name === "authorization" ? `${name}: Bearer $TOKEN` : `${name}: ${value}`));
  if (typeof body === "string") words.push("-d", quoted(body));
  else if (body) for (const [name, value] of body) words.push("-F", quoted(`${name}=${typeof value === "string" ? value : `@${value.name}`}`));
  return words.join(" ").replace(/'authorization: Bearer \$TOKEN'/, '"Authorization: Bearer $TOKEN"');
}

byId("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  load(byId("contract-token").value.trim());
});
load("");
