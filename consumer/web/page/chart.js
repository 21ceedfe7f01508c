// Draw shares over documents as lines of an SVG.
const NAMESPACE = "http://www.w3.org/2000/svg";
const LEFT = 44, RIGHT = 12, TOP = 8, BOTTOM = 22;

function add(parent, name, attributes, text) {
  const created = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) created.setAttribute(key, value);
  if (text !== undefined) created.textContent = text;
  parent.append(created);
  return created;
}

function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= value);
}

// lines: [{name, points: [[documents, share], ...]}]
export function draw(svg, lines) {
  const width = svg.clientWidth, height = svg.clientHeight;
  const last = Math.max(1, ...lines.flatMap(({ points }) => points.map(([at]) => at)));
  const x = (at) => LEFT + ((width - LEFT - RIGHT) * at) / last;
  const y = (share) => TOP + (height - TOP - BOTTOM) * (1 - share);
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    add(svg, "line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(share), y2: y(share) });
    add(svg, "text", { x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, `${100 * share} %`);
  }
  const step = roundUp(last / (width < 500 ? 3 : 6));
  for (let at = 0; at <= last; at += step) {
    const anchor = at === 0 ? "start" : x(at) > width - 40 ? "end" : "middle";
    add(svg, "text", { x: x(at), y: height - 5, "text-anchor": anchor }, at.toLocaleString("en"));
  }
  for (const { name, points } of lines) {
    const known = points.filter(([, share]) => share !== null);
    if (!known.length) continue;
    const places = known.map(([at, share]) => `${x(at).toFixed(1)},${y(share).toFixed(1)}`);
    add(svg, "polyline", { class: name, points: places.join(" ") });
    if (name === "held") {
      for (const [at, share] of known) add(svg, "circle", { class: name, cx: x(at), cy: y(share), r: 2.5 });
    }
  }
}
