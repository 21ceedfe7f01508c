// List the operations that openapi.json describes.
function element(name, className, ...inside) {
  const created = document.createElement(name);
  if (className) created.className = className;
  created.append(...inside);
  return created;
}

const api = await (await fetch("openapi.json")).json();
const resolve = (schema) => api.components.schemas[schema.$ref?.split("/").at(-1)] ?? schema;

function typed(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.anyOf) return schema.anyOf.map(typed).join(" or ");
  if (schema.type === "array") return `list of ${typed(schema.items)}`;
  if (schema.additionalProperties?.type) return `${schema.additionalProperties.type} by name`;
  return schema.type ?? "anything";
}

function fields(schema) {
  const rows = Object.entries(resolve(schema).properties ?? {}).map(([name, field]) =>
    element("tr", "", element("th", "", name), element("td", "", typed(field)), element("td", "note", field.description ?? "")),
  );
  return rows.length ? [element("table", "", ...rows)] : [];
}

const json = (holder) => holder?.content?.["application/json"]?.schema;
for (const [path, operations] of Object.entries(api.paths)) {
  for (const [method, about] of Object.entries(operations)) {
    const parts = [element("h2", "", `${method.toUpperCase()} ${path}`), element("p", "", about.description ?? about.summary)];
    if (json(about.requestBody)) {
      const example = `curl ${new URL(path.slice(1), document.baseURI)} --json '{"text": "The goalie stopped 40 shots"}'`;
      parts.push(element("h3", "note", "request body"), ...fields(json(about.requestBody)), element("pre", "", example));
    }
    for (const [status, answer] of Object.entries(about.responses)) {
      parts.push(element("h3", "note", `${status} ${answer.description}`), ...(json(answer) ? fields(json(answer)) : []));
    }
    document.getElementById("operations").append(element("section", "card", ...parts));
  }
}
