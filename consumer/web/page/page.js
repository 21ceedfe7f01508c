// Show /progress, which is polled. Texts and labels of the stream are untrusted: they are inserted
// as text, never as markup.
import { draw } from "/chart.js";

const POLL_MS = 1500;
const TIMEOUT_MS = 5000;
const UNANSWERED = "the consumer does not answer";
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

function bar(name, share, note) {
  const fill = element("span", "fill");
  fill.style.width = `${100 * share}%`;
  return element("li", "", fill, element("span", "name", name), element("span", "value", note ?? percent(share)));
}

async function fetchJson(path, options = {}) {
  const token = sessionStorage.getItem("token");
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
  const scores = now.prequential, held = now.heldout.at(-1);
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
    `Accuracy over ${count(now.documents)} documents, now ${percent(now.prequential?.window.accuracy)}`,
  );
}

function showRecall(now) {
  const scores = now.prequential?.window;
  const labels = Object.entries(scores?.recall ?? {}).sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1));
  const chosen = $("label").value;
  $("recall").replaceChildren(
    ...labels
      .filter(([label]) => !chosen || label === chosen)
      .map(([label, share]) => bar(label, share, `${percent(share)} of ${count(scores.counts[label])}`)),
  );
  const known = [...$("label").options].map((option) => option.value);
  for (const label of labels.map(([name]) => name).sort()) {
    if (!known.includes(label)) $("label").append(new Option(label, label));
  }
}

function showMistakes(now) {
  const chosen = $("label").value;
  const shown = now.mistakes.filter((mistake) => !chosen || mistake.label === chosen || mistake.predicted === chosen);
  $("mistakes").replaceChildren(
    ...shown.reverse().map((mistake) => {
      const others = mistake.top.slice(1, 3).map(([label, share]) => `${label} ${percent(share)}`).join(", ");
      return element(
        "li", "",
        element(
          "p", "verdict",
          element("b", "wrong", mistake.predicted), ` ${percent(mistake.probability)}, is `,
          element("b", "right", mistake.label), element("small", "", others ? ` (then ${others})` : ""),
        ),
        element("p", "text", mistake.text),
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
    const now = await fetchJson("/progress");
    showStatus(now.waiting ? "waiting" : "learning", now.waiting ?? "learning");
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
  sessionStorage.setItem("token", token);
  $("token").hidden = true;
});
$("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ text: $("text").value });
  try {
    const answer = await fetchJson("/predict", {
      method: "POST", body, headers: { "content-type": "application/json" }, timeout: 30000,
    });
    const { label, probabilities } = answer.predictions[0];
    const rows = Object.entries(probabilities).map(([name, share]) => bar(name, share));
    $("answer").replaceChildren(
      element("p", "", label === null ? "no label is known yet" : label),
      element("ol", "bars", ...rows),
      element("small", "", `after ${count(answer.model.step)} learning steps`),
    );
  } catch (error) {
    $("answer").replaceChildren(element("p", "wrong", unanswered(error) ? UNANSWERED : error.message));
  }
});
update();
