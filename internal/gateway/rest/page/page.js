// The reference page: what openapi.json says, and a form to try it. It asks this
// server alone, and keeps the token in its field only.

const codes = {
  invalid: "The request or a field of it, named in the detail, is not valid. Mend it.",
  unknown_type: "The path does not take this method.",
  unauthenticated: "The token is missing, bad or expired. Get a new one.",
  forbidden: "Not a member, or not an owner where it takes one.",
  not_found: "No such user, conversation, index or path.",
  conflict: "The key was used with other content.",
  predecessor_missing: "The message named in `after` was not accepted. Send that one again first.",
  too_large: "The text, the body or the list is over its limit.",
  overloaded: "Too much at once. Wait for `retry_ms`, then send the same again.",
  unavailable: "Not possible now; the outcome is unknown. Send the same again, with the same key.",
  internal: "The server failed. Its log says why.",
};

// el makes an element; texts are never read as HTML.
function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

// prose makes `code` of what stands in backticks.
function prose(text) {
  return text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));
}

function pretty(value) {
  return JSON.stringify(value, null, 2);
}

function resolve(spec, schema) {
  if (!schema.$ref) return schema;
  const found = spec.components.schemas[schema.$ref.split("/").pop()];
  return { ...found, ...(schema.description ? { description: schema.description } : {}) };
}

function kindOf(spec, schema) {
  const s = resolve(spec, schema);
  if (s.type === "array") return "list of " + kindOf(spec, s.items);
  let kind = String(s.type ?? "any");
  if (s.enum) kind = s.enum.map((v) => JSON.stringify(v)).join(" or ");
  if (s.minimum !== undefined && s.maximum !== undefined) {
    kind += s.maximum === Number.MAX_SAFE_INTEGER ? ` from ${s.minimum}` : ` ${s.minimum}–${s.maximum}`;
  }
  if (s.default !== undefined) kind += `, default ${s.default}`;
  return kind;
}

function line(spec, name, schema, mark) {
  const s = resolve(spec, schema);
  const title = el("dt", {}, el("code", {}, name), " ", el("span", { class: "kind" }, kindOf(spec, schema)));
  if (mark) title.append(" ", el("span", { class: mark === "required" ? "must" : "maybe" }, mark));
  return [title, el("dd", {}, ...prose(s.description ?? ""))];
}

// fields lists what an object has, in the order of its example. Of a body it
// marks what must be there, of an answer what may be absent.
function fields(spec, schema, asked, example, depth = 0) {
  const s = resolve(spec, schema);
  const list = el("dl");
  const order = Object.keys(example ?? {});
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const all = Object.entries(s.properties ?? {}).sort(([a], [b]) => place(a) - place(b));
  for (const [name, field] of all) {
    const must = (s.required ?? []).includes(name);
    const [title, about] = line(spec, name, field, asked ? must && "required" : !must && "may be absent");
    const many = resolve(spec, field).type === "array";
    const inner = many ? resolve(spec, field).items : field;
    const inside = many ? example?.[name]?.[0] : example?.[name];
    if (resolve(spec, inner).properties && depth < 3) about.append(fields(spec, inner, asked, inside, depth + 1));
    list.append(title, about);
  }
  return list;
}

function bodyPart(spec, title, asked, content) {
  const media = content?.["application/json"];
  if (!media) return el("section", {}, el("h4", {}, title), el("p", {}, "Nothing."));
  return el("div", { class: "two" },
    el("section", {}, el("h4", {}, title), fields(spec, media.schema, asked, media.example)),
    el("section", {}, el("h4", {}, "Example"), el("pre", { tabindex: "0" }, pretty(media.example))));
}

function parameters(spec, op) {
  const list = el("dl");
  for (const p of op.parameters ?? []) {
    const [title, about] = line(spec, p.name, { ...p.schema, description: p.description }, p.required && "required");
    title.append(" ", el("span", { class: "kind" }, "in the " + p.in));
    list.append(title, about);
  }
  return el("section", {}, el("h4", {}, "Parameters"), list);
}

function refusals(op) {
  const list = el("dl");
  for (const [status, response] of Object.entries(op.responses)) {
    if (status < "400") continue;
    const about = el("dd");
    for (const part of prose(response.description)) {
      const known = part.nodeName === "CODE" && codes[part.textContent];
      about.append(known ? el("a", { href: "#" + part.textContent }, part) : part);
    }
    list.append(el("dt", {}, el("code", {}, status)), about);
  }
  return el("section", {}, el("h4", {}, "Refusals"), list);
}

function field(label, input) {
  return el("label", {}, label, input);
}

// trial is the form that asks this server.
function trial(path, method, op) {
  const inputs = (op.parameters ?? []).map((p) => {
    const input = el("input", { name: p.name, placeholder: p.example === undefined ? "" : String(p.example), spellcheck: "false" });
    if (p.required) input.required = true;
    return { ...p, input };
  });
  const example = op.requestBody?.content["application/json"].example;
  const body = example && el("textarea", { name: "body", spellcheck: "false" });
  if (body) body.value = pretty(example);
  const button = el("button", { type: "submit" }, "Send");
  const outcome = el("p", { class: "outcome", role: "status" });
  const answer = el("pre", { tabindex: "0", hidden: "" });
  const form = el("form", {}, ...inputs.map((p) => field(p.name, p.input)), body ? field("Body", body) : null, button, outcome, answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    outcome.textContent = "…";
    answer.hidden = true;
    try {
      await ask(path, method, inputs, body?.value, outcome, answer);
    } catch (error) {
      outcome.textContent = "No answer: " + error.message;
      outcome.classList.add("bad");
    } finally {
      button.disabled = false;
    }
  });
  return el("details", { class: "try" }, el("summary", {}, "Try it"), form);
}

async function ask(path, method, inputs, body, outcome, answer) {
  const headers = {};
  const query = new URLSearchParams();
  let where = path;
  for (const { name, in: place, input } of inputs) {
    if (place === "path") where = where.replace(`{${name}}`, encodeURIComponent(input.value.trim()));
    else if (input.value === "") continue;
    else if (place === "header") headers[name] = input.value;
    else query.set(name, input.value);
  }
  const token = document.getElementById("token").value.trim();
  if (token) headers.Authorization = "Bearer " + token;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const began = performance.now();
  const response = await fetch(where + (query.size ? "?" + query : ""), { method, headers, body, cache: "no-store" });
  const text = await response.text();
  outcome.textContent = `${response.status} ${response.statusText}, ${Math.round(performance.now() - began)} ms`;
  outcome.classList.toggle("bad", !response.ok);
  answer.hidden = text === "";
  try {
    answer.textContent = pretty(JSON.parse(text));
  } catch {
    answer.textContent = text;
  }
}

function operation(spec, path, method, op) {
  const answer = Object.entries(op.responses).find(([status]) => status < "300");
  return el("article", { class: "operation", id: op.operationId },
    el("h3", {}, op.summary),
    el("p", { class: "address" }, el("span", { class: "method " + method }, method), el("code", {}, path),
      op.security ? null : el("span", { class: "kind" }, "needs no token")),
    el("p", {}, ...prose(op.description)),
    op.parameters ? parameters(spec, op) : null,
    op.requestBody ? bodyPart(spec, "Body", true, op.requestBody.content) : null,
    bodyPart(spec, `Answer ${answer[0]}`, false, answer[1].content), refusals(op), trial(path, method, op));
}

function errors(spec) {
  const rows = Object.entries(codes).map(([code, about]) =>
    el("tr", { id: code }, el("td", {}, el("code", {}, code)), el("td", {}, ...prose(about))));
  return el("section", {}, el("h2", { id: "errors" }, "Errors"),
    el("p", {}, ...prose("Every refusal is `application/problem+json` (RFC 9457). Only `overloaded` and `unavailable` have `\"retry\":true`.")),
    el("div", { class: "scroll" }, el("table", {}, el("tbody", {}, ...rows))),
    el("h4", {}, "Fields"), fields(spec, { $ref: "#/components/schemas/Problem" }, false));
}

function show(spec) {
  const main = document.getElementById("main");
  const contents = document.getElementById("contents");
  const groups = new Map();
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const method of ["get", "post", "put"]) {
      const op = item[method];
      if (!op) continue;
      if (!groups.has(op.tags[0])) groups.set(op.tags[0], []);
      groups.get(op.tags[0]).push([path, method.toUpperCase(), op]);
    }
  }
  main.replaceChildren(el("p", {}, ...prose(spec.info.description)),
    el("p", {}, "Machines read ", el("a", { href: "/v1/openapi.json" }, "openapi.json"), "."));
  for (const { name } of spec.tags) {
    const section = el("section", {}, el("h2", {}, name));
    contents.append(el("strong", {}, name));
    for (const [path, method, op] of groups.get(name) ?? []) {
      section.append(operation(spec, path, method, op));
      contents.append(el("a", { href: "#" + op.operationId }, op.summary));
    }
    main.append(section);
  }
  main.append(errors(spec));
  contents.append(el("strong", {}, "More"), el("a", { href: "#errors" }, "Errors"));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

try {
  const response = await fetch("/v1/openapi.json");
  if (!response.ok) throw new Error(String(response.status));
  show(await response.json());
} catch (error) {
  document.getElementById("main").textContent = "The description cannot be loaded: " + error.message;
}
