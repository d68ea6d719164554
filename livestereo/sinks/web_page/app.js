"use strict";

const $ = (id) => document.getElementById(id);
const VIEWS = [
  ["split", "Left + depth", ["left", "depth"]], ["depth", "Depth", ["depth"]], ["left", "Left", ["left"]],
  ["right", "Right", ["right"]], ["rectified", "Rectified", ["left lines", "right lines"]],
  ["confidence", "Confidence", ["confidence"]], ["reason", "Why no depth", ["reason"]],
  ["anaglyph", "Anaglyph", ["anaglyph"]],
];
const CAPTIONS = {
  "left": "Left", "right": "Right", "depth": "Depth", "left lines": "Left, rectified",
  "right lines": "Right, rectified", "confidence": "Confidence", "reason": "Why no depth", "anaglyph": "Anaglyph",
};
const panes = [$("first"), $("second")];
let view = "split";
let since = -1;
let state = null;
let sliders = null;      // what is on the page: {matcher, rows}
let held = new Set();    // controls a finger is on: the state must not move them
let point = null;        // {u, v} of the last tap
let failures = 0;

async function act(name, value) {
  try {
    const answer = await fetch("/action", {
      method: "POST", headers: { "Content-Type": "application/json", "X-LiveStereo": "1" },
      body: JSON.stringify({ name, value }),
    });
    const body = await answer.json().catch(() => ({}));
    if (body.error) toast(body.error, true);
    else refreshSoon();
  } catch { toast("No connection to the program.", true); }
}

function toast(text, bad) {
  if (!text) return;
  const box = document.createElement("div");
  box.className = bad ? "toast bad" : "toast";
  box.textContent = text;
  $("toasts").append(box);
  while ($("toasts").children.length > 3) $("toasts").firstChild.remove();
  setTimeout(() => box.remove(), 4200);
}

// Pictures: streams run only while this page can be seen.

function shownViews() { return VIEWS.find((one) => one[0] === view)[2]; }

function openStreams() {
  const names = shownViews();
  $("pictures").classList.toggle("one", names.length === 1);
  panes.forEach((pane, i) => {
    const image = pane.querySelector("img");
    pane.hidden = i >= names.length;
    const wanted = pane.hidden || document.hidden ? "" : `/view/${encodeURIComponent(names[i])}.mjpg`;
    if (image.dataset.wanted === wanted) return;
    image.dataset.wanted = wanted;
    // The browser keeps the old picture until the new one is there: it must not pass for the new one.
    pane.classList.toggle("making", Boolean(wanted));
    if (wanted) image.src = wanted; else image.removeAttribute("src");
    pane.querySelector("figcaption").textContent = CAPTIONS[names[i]] || "";
    image.alt = CAPTIONS[names[i]] || "";
  });
  $("legend").hidden = !names.includes("depth");
  $("reasons").hidden = view !== "reason" && view !== "confidence";
  document.querySelectorAll("#views button").forEach((b) => b.setAttribute("aria-pressed", b.dataset.view === view));
}

for (const [name, text] of VIEWS) {
  const button = document.createElement("button");
  button.textContent = text;
  button.dataset.view = name;
  button.onclick = () => {
    if (view !== name) $("reasons").replaceChildren();
    view = name;
    openStreams();
    refreshSoon();
  };
  $("views").append(button);
}
document.addEventListener("visibilitychange", () => { openStreams(); if (!document.hidden) refreshSoon(); });
panes.forEach((pane) => {
  const image = pane.querySelector("img");
  image.onload = () => pane.classList.remove("making");
  image.onerror = () => {
    // The stream broke: try again in a while, as long as it is wanted.
    const wanted = image.dataset.wanted;
    if (wanted) setTimeout(() => { if (image.dataset.wanted === wanted) image.src = `${wanted}?again=${Date.now()}`; }, 1500);
  };
  pane.addEventListener("click", (event) => {
    const box = image.getBoundingClientRect();
    point = { u: clamp((event.clientX - box.left) / box.width), v: clamp((event.clientY - box.top) / box.height), pane };
    probe();
  });
});

const clamp = (x) => Math.min(1, Math.max(0, x));

async function probe() {
  if (!point || document.hidden) return;
  const { u, v, pane } = point;
  panes.forEach((one) => {
    const cross = one.querySelector(".cross");
    cross.hidden = false;
    cross.style.left = `${100 * u}%`;
    cross.style.top = `${100 * v}%`;
  });
  const answer = await fetch(`/probe?u=${u.toFixed(5)}&v=${v.toFixed(5)}`).then((a) => a.json()).catch(() => null);
  if (!answer || !answer.lines.length || !point) return;
  const box = $("readout");
  box.replaceChildren(...answer.lines.map((line, i) => {
    const part = document.createElement(i ? "span" : "b");
    part.textContent = line;
    return part;
  }));
  box.classList.toggle("none", !answer.known);
  box.hidden = false;
  const outer = $("pictures").getBoundingClientRect(), inner = pane.getBoundingClientRect();
  const x = inner.left - outer.left + u * inner.width, y = inner.top - outer.top + v * inner.height;
  const right = x + 16 + box.offsetWidth > outer.width, low = y + 16 + box.offsetHeight > outer.height;
  box.style.left = `${right ? Math.max(4, x - 16 - box.offsetWidth) : x + 16}px`;
  box.style.top = `${low ? Math.max(4, y - 16 - box.offsetHeight) : y + 16}px`;
}

// Figures and controls

async function refresh() {
  if (document.hidden) return;
  try {
    const asked = view;
    const answer = await fetch(`/state?since=${Math.max(0, since)}&view=${asked}`);
    if (!answer.ok) throw new Error(answer.status);
    const next = await answer.json();
    if (asked !== view) next.reasons = [];  // the key of what was shown before
    $("dot").classList.add("on");
    failures = 0;
    await show(next);
  } catch {
    failures += 1;
    $("dot").classList.remove("on");
    if (failures === 3) toast("No connection to the program. Has it ended?", true);
  }
  if (point) probe();
}

async function show(next) {
  if (!sliders || sliders.matcher !== next.matcher) await buildSliders(next.matcher);
  state = next;
  // Messages from before this page was opened are old news.
  if (since >= 0) next.messages.forEach((m) => toast(m.text));
  since = next.messages.reduce((most, m) => Math.max(most, m.id), Math.max(0, since));
  $("source").textContent = next.name;
  document.title = next.name ? `${next.name} – livestereo` : "livestereo";
  $("paused").hidden = !next.paused;
  $("pause").textContent = next.paused ? "Go on" : "Pause";
  for (const [id, what] of [["record", "record"], ["swap", "swap"], ["lock", "lock_exposure"]]) {
    $(id).hidden = !next.can.includes(what);
  }
  for (const id of ["steps", "back", "forward"]) $(id).hidden = !next.paused || !next.can.includes("step");
  const recording = next.recording_s !== null;
  $("record").textContent = recording ? "Stop" : "Record";
  $("record").classList.toggle("on", recording);
  $("rec").hidden = !recording;
  if (recording) $("rec-time").textContent = clock(next.recording_s);
  $("tuning").hidden = !next.can.includes("tune");
  $("findings").hidden = !next.findings.length;
  $("findings").replaceChildren(...next.findings.map((text) => element("p", text)));
  $("figures").replaceChildren(...next.figures.map((cell) => {
    const box = element("div", "");
    const value = element("b", cell.value.replace(/(\d) (?=[a-z%])/g, "$1\u00a0"));  // a figure keeps its unit
    value.className = `tone-${cell.tone}`;
    value.title = cell.value;
    if (cell.value.length > 13) box.className = "wide";
    box.append(element("span", cell.label), value);
    return box;
  }));
  if (next.size) panes.forEach((pane) => { pane.style.aspectRatio = `${next.size[0]} / ${next.size[1]}`; });
  if (next.look) showLook(next);
  fill($("preset"), next.presets, next.preset);
  fill($("colormap"), next.colormaps, next.look ? next.look.colormap : "");
  for (const row of sliders.rows) row.update(next.values[row.name]);
  $("reasons").replaceChildren(...(next.reasons || []).map((one) => {
    const item = element("span", one.text);
    const swatch = document.createElement("i");
    swatch.style.background = one.color;
    item.prepend(swatch);
    return item;
  }));
}

function showLook(next) {
  const look = next.look;
  // Near at the left: the map runs from far to near.
  $("legend-bar").style.background = `linear-gradient(to left, ${look.stops.join(",")})`;
  let last = -1;
  const width = Math.max(200, $("legend").clientWidth);
  $("legend-ticks").replaceChildren(...look.ticks.filter((tick) => {
    const at = 1 - tick.at;
    const fits = last < 0 || (at - last) * width > 34;
    if (fits) last = at;
    return fits;
  }).map((tick) => {
    const mark = element("span", `${tick.text}${next.metric ? " m" : ""}`);
    const at = 100 * (1 - tick.at);
    mark.style.left = `${at}%`;
    mark.style.transform = at < 3 ? "none" : at > 95 ? "translateX(-100%)" : "";
    return mark;
  }));
  document.querySelectorAll(".unit").forEach((unit) => { unit.hidden = !next.metric; });
  for (const [id, value] of [["near", look.near_m], ["far", look.far_m]]) {
    if (document.activeElement !== $(id)) $(id).value = Number(value.toPrecision(3));
  }
  if (!held.has("auto")) $("auto").checked = look.auto;
}

function element(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

const clock = (s) => `${String(Math.floor(s / 60)).padStart(2, "0")}:${String(Math.floor(s % 60)).padStart(2, "0")}`;

function fill(select, names, chosen) {
  const all = names.includes(chosen) || !chosen ? names : [chosen, ...names];
  if (select.dataset.names !== all.join()) {
    select.dataset.names = all.join();
    select.replaceChildren(...all.map((name) => new Option(name, name)));
  }
  if (document.activeElement !== select && chosen) select.value = chosen;
}

async function buildSliders(matcher) {
  const described = await fetch("/parameters").then((a) => a.json());
  const rows = described.map((one) => {
    const box = element("div", "");
    box.className = "slider";
    box.title = one.help;
    const head = element("div", "");
    const label = element("label", one.label);
    const output = element("output", "");
    head.append(label, output);
    box.append(head);
    const row = one.steps.length ? range(one, box, label, output) : choices(one, box, output);
    $("sliders").append(box);
    return { name: one.name, box, update: row };
  });
  if (sliders) sliders.rows.forEach((row) => row.box.remove());
  sliders = { matcher, rows };
}

function range(one, box, label, output) {
  const input = document.createElement("input");
  Object.assign(input, { type: "range", min: 0, max: one.steps.length - 1, step: 1, id: `p-${one.name}` });
  label.htmlFor = input.id;
  box.append(input);
  let last;
  const chosen = () => one.steps[Number(input.value)];
  input.oninput = () => { held.add(one.name); output.textContent = chosen().text; };
  input.onchange = () => {
    if (chosen().value !== last) act(`set:${one.name}`, chosen().value);
    setTimeout(() => held.delete(one.name), 900);  // until the program has taken it
  };
  return (now) => {
    if (!now || held.has(one.name)) return;
    last = now.value;
    output.textContent = now.text;
    input.value = Math.round(now.position * (one.steps.length - 1));
  };
}

function choices(one, box, output) {
  const line = element("div", "");
  line.className = "choices";
  const buttons = one.choices.map((choice) => {
    const button = element("button", choice.text);
    button.type = "button";
    button.onclick = () => act(`set:${one.name}`, choice.value);
    line.append(button);
    return button;
  });
  box.append(line);
  return (now) => {
    if (!now) return;
    output.textContent = "";
    buttons.forEach((b, i) => b.setAttribute("aria-pressed", one.choices[i].value === now.value));
  };
}

document.querySelectorAll("[data-action]").forEach((b) => { b.onclick = () => act(b.dataset.action, b.dataset.value ? Number(b.dataset.value) : null); });
$("shot").onclick = () => {
  const link = document.createElement("a");
  link.href = `/screenshot.png?view=${view}`;
  link.download = "";  // the program names it by the time
  link.click();
};
$("colormap").onchange = (e) => { act("colormap", e.target.value); e.target.blur(); };
$("preset").onchange = (e) => { act("preset", e.target.value); e.target.blur(); };
$("auto").onchange = (e) => {
  held.add("auto");
  act("range_auto", e.target.checked);
  setTimeout(() => held.delete("auto"), 900);
};
for (const id of ["near", "far"]) {
  $(id).onchange = () => act("range", { near: Number($("near").value), far: Number($("far").value) });
}

// The keys of the window, where they mean the same here.
const KEYS = { r: "record", s: "save", x: "swap", k: "lock", " ": "pause", ",": "back", ".": "forward" };
const KEY_VIEWS = { 0: "split", 1: "left", 2: "right", 3: "rectified", 4: "depth", 5: "confidence", 6: "anaglyph", 7: "reason" };
document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = event.target.tagName;
  if (at === "INPUT" || at === "SELECT" || (event.key === " " && (at === "BUTTON" || at === "SUMMARY"))) return;
  const button = KEY_VIEWS[event.key] ? document.querySelector(`#views [data-view=${KEY_VIEWS[event.key]}]`) : $(KEYS[event.key]);
  if (!button || button.hidden) return;
  event.preventDefault();
  button.click();
});

let timer = 0;
function schedule(ms) { clearTimeout(timer); timer = setTimeout(async () => { await refresh(); schedule(500); }, ms); }
function refreshSoon() { schedule(60); }

// On a phone the pictures and the figures come first.
if (matchMedia("(max-width: 640px)").matches) document.querySelectorAll("details").forEach((d) => { d.open = false; });
openStreams();
schedule(0);
