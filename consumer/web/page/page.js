// Show progress, which is polled. Texts and labels of the stream are untrusted: they are inserted
// as text, never as markup. Each is isolated, as the direction of its script must not change the
// order of what stands around it. Addresses are relative: a proxy may serve the page below a path.
import { draw } from "./chart.js";

const POLL_MS = 1500;
const TIMEOUT_MS = 5000;
const UNANSWERED = "the consumer does not answer";
// Other consumers may have the same origin, below other paths.
const TOKEN = `token ${new URL(".", document.baseURI).pathname}`;
// Labels may be numbers: 9 comes before 10.
const inOrder = new Intl.Collator("en", { numeric: true }).compare;
const $ = (id) => document.getElementById(id);
const percent = (share) => (share === null || share === undefined ? "–" : `${(100 * share).toFixed(1)} %`);
const count = (number) => (number === null || number === undefined ? "–" : Math.round(number).toLocaleString("en"));
let latest = null, drawn = "";

function element(name, className, ...inside) {
  const created = document.createElement(name);
  if (className) created.className = className;
  created.append(...inside);
  return created;
}

function labelled(label, className = "") {
  return element("span", `label ${className}`, element("bdi", "", label));
}

function bar(name, share, note) {
  const fill = element("span", "fill");
  fill.style.width = `${100 * share}%`;
  return element("li", "", fill, element("span", "name", name), element("span", "value", note ?? percent(share)));
}

async function fetchJson(path, options = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...options.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const signal = AbortSignal.timeout(options.timeout ?? TIMEOUT_MS);
  const response = await fetch(path, { ...options, headers, signal });
  $("token").hidden = response.status !== 401;
  if (response.status === 401) throw new Error("a token is needed");
  const body = await response.text();
  if (response.ok) return JSON.parse(body);
  const json = (response.headers.get("content-type") ?? "").startsWith("application/json");
  throw new Error(json ? JSON.parse(body).detail : body);
}

const unanswered = (error) => error instanceof TypeError || error.name === "TimeoutError";

function showStatus(state, text) {
  if ($("status").textContent === text) return;
  $("status").dataset.state = state;
  $("status").textContent = text;
}

function showNumbers(now) {
  // Before the first learning step nothing is predicted: that is no accuracy of 0.
  const scores = now.first_step ? null : now.prequential, held = now.heldout.at(-1);
  $("accuracy").textContent = percent(scores?.window.accuracy);
  $("whole").textContent = `whole stream ${percent(scores?.whole.accuracy)}`;
  $("heldout").textContent = percent(held?.[1]);
  $("forgetting").textContent = held
    ? `forgotten ${percent(held[3])}, at ${count(held[0])} documents`
    : "not evaluated yet";
  $("rate").textContent = now.pace === null ? "–" : now.pace.toFixed(1);
  $("documents").textContent = `${count(now.documents)} so far`;
  $("lag").textContent = count(now.lag);
  const seconds = now.lag / now.pace;
  $("pace").textContent = now.lag === null ? "–" : now.lag === 0 ? "keeps up" : Number.isFinite(seconds) ? `${count(seconds)} s of work` : "–";
}

function showCurve(now) {
  const points = (column) => now.curve.map((row) => [row[0], row[column]]);
  draw($("curve"), [
    { name: "all", points: points(1) },
    { name: "recent", points: points(2) },
    { name: "held", points: now.heldout.map((row) => [row[0], row[1]]) },
  ]);
  $("curve").setAttribute(
    "aria-label",
    `Accuracy over ${count(now.documents)} documents, now ${$("accuracy").textContent}`,
  );
}

function showRecall(now) {
  const scores = now.prequential?.window;
  const labels = Object.entries(scores?.recall ?? {}).sort((a, b) => a[1] - b[1] || inOrder(a[0], b[0]));
  const chosen = $("label").value;
  $("recall").replaceChildren(
    ...labels
      .filter(([label]) => !chosen || label === chosen)
      .map(([label, share]) => bar(labelled(label), share, `${percent(share)} of ${count(scores.counts[label])}`)),
  );
  const known = [...$("label").options].map((option) => option.value);
  for (const label of labels.map(([name]) => name).sort(inOrder)) {
    if (known.includes(label)) continue;
    const option = new Option(label, label);
    option.dir = "auto";
    $("label").append(option);
  }
}

function showMistakes(now) {
  const chosen = $("label").value;
  const shown = now.mistakes.filter((mistake) => !chosen || mistake.label === chosen || mistake.predicted === chosen);
  $("mistakes").replaceChildren(
    ...shown.reverse().map((mistake) => {
      const others = mistake.top.slice(1, 3).flatMap(([label, share]) => [" ", labelled(label), ` ${percent(share)}`]);
      const text = element("p", "text", mistake.text);
      text.dir = "auto";
      return element(
        "li", "",
        element(
          "p", "verdict",
          labelled(mistake.predicted, "wrong"), ` ${percent(mistake.probability)}, is `,
          labelled(mistake.label, "right"), element("small", "", ...(others.length ? ["; then", ...others] : [])),
        ),
        text,
      );
    }),
    ...(shown.length ? [] : [element("li", "note", "none yet")]),
  );
}

function showModel(now) {
  const experts = Object.entries(now.prequential?.experts ?? {});
  $("experts").replaceChildren(
    ...experts.map(([name, scores]) =>
      bar(name, now.shares[name] ?? 0, `${percent(now.shares[name])}; alone ${percent(scores.accuracy)}`),
    ),
  );
  const ago = now.committed === null ? null : Math.max(0, Date.now() / 1000 - now.committed);
  const facts = [
    ["learner", now.learner],
    ["labels discovered", count(now.labels)],
    ["learned, replayed", `${count(now.learned)}, ${count(now.replayed)}`],
    ["replay buffer", count(now.replay_buffer)],
    ["dead letters", count(now.dead_letters)],
    ["last commit", ago === null ? "none yet" : `${count(ago)} s ago`],
  ];
  $("facts").replaceChildren(
    ...facts.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]),
  );
}

function show() {
  if (!latest) return;
  showNumbers(latest);
  showCurve(latest);
  showRecall(latest);
  showMistakes(structuredClone(latest));
  showModel(latest);
}

async function update() {
  try {
    const now = await fetchJson("progress");
    const missing = now.waiting ?? (now.first_step && `waiting for ${now.first_step}`);
    const learning = ["learning", ...now.notices].join("; ");
    showStatus(missing ? "waiting" : "learning", missing ?? learning);
    const { documents_per_second, pace, ...rest } = now;
    const changed = JSON.stringify(rest);
    if (changed !== drawn || !latest) {
      drawn = changed;
      latest = now;
      show();
    } else {
      latest = now;
      showNumbers(now);
      showModel(now);
    }
  } catch (error) {
    showStatus("error", unanswered(error) ? UNANSWERED : error.message);
  }
  setTimeout(update, POLL_MS);
}

$("label").addEventListener("change", show);
new ResizeObserver(() => latest && showCurve(latest)).observe($("curve"));
$("token").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = $("token-text").value;
  if (!/^[\x20-\x7e]+$/.test(token)) return showStatus("error", "a token has ASCII characters only");
  sessionStorage.setItem(TOKEN, token);
  $("token").hidden = true;
});
$("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ text: $("text").value });
  try {
    const answer = await fetchJson("predict", {
      method: "POST", body, headers: { "content-type": "application/json" }, timeout: 30000,
    });
    const { label, probabilities } = answer.predictions[0];
    // JavaScript has put labels that are whole numbers in the order of numbers.
    const ranked = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
    const rows = ranked.map(([name, share]) => bar(labelled(name), share));
    const missing = latest?.first_step ? `: waiting for ${latest.first_step}` : "";
    $("answer").replaceChildren(
      element("p", "", label === null ? `nothing is learned yet${missing}` : labelled(label)),
      element("ol", "bars", ...rows),
      element("small", "", `after ${count(answer.model.step)} learning steps`),
    );
  } catch (error) {
    $("answer").replaceChildren(element("p", "wrong", unanswered(error) ? UNANSWERED : error.message));
  }
});
update();
