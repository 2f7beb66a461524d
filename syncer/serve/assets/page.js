// What the page can do beyond being read: it stays as it is now, times are relative, and buttons don't reload it.
"use strict";

const main = document.getElementById("main");
const link = document.getElementById("link");
const said = document.getElementById("said");
const RETRY = 2000;
let version = main.dataset.version;
let offset = Date.parse(main.dataset.now) - Date.now();
let lines = [];

// What was just said stays beside what follows from it: a word about a button, and the state that it brings about.
function say(text) {
  lines = [...lines.filter((line) => line !== text), text].slice(-3);
  said.textContent = lines.join(" ");
  setTimeout(() => {
    lines = lines.filter((line) => line !== text);
    said.textContent = lines.join(" ");
  }, 6000);
}

function connection(word, tone) {
  if (link.textContent === word) return;
  link.textContent = word;
  link.className = `badge ${tone}`;
}

// ---------------------------------------------------------------------------------------------- times

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });

function told(element) {
  const at = Date.parse(element.dateTime);
  const seconds = Math.round((at - Date.now() - offset) / 1000);
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) || UNITS[3];
  const text = seconds === 0 ? "now" : relative.format(Math.trunc(seconds / length), unit);
  if (element.textContent !== text) element.textContent = text;
  element.title = new Date(at).toLocaleString();
}

function tick() { document.querySelectorAll("time").forEach(told); }

// --------------------------------------------------------------------------------------------- pieces

// Changes what is there instead of replacing it: focus, selection and the motion of the bar stay.
function morph(there, fresh) {
  if (there.nodeName !== fresh.nodeName || there.id !== fresh.id) return there.replaceWith(fresh);
  if (there.nodeType === Node.TEXT_NODE) {
    if (there.data !== fresh.data) there.data = fresh.data;
    return undefined;
  }
  for (const { name } of [...there.attributes]) if (!fresh.hasAttribute(name)) there.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (there.getAttribute(name) !== value) there.setAttribute(name, value);
  if (there.nodeName === "TIME") return undefined;
  const before = [...there.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((node, index) => (index < before.length ? morph(before[index], node) : there.append(node)));
  before.slice(after.length).forEach((node) => node.remove());
  return undefined;
}

function renew(id, html) {
  const there = document.getElementById(id);
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const fresh = holder.content.firstElementChild;
  const focused = there.contains(document.activeElement) ? document.activeElement : null;
  const state = there.dataset.state;
  morph(there, fresh);
  if (there.dataset.state !== state) say(`${there.dataset.name}: ${there.dataset.state}.`);
  if (focused === null || (focused.isConnected && !focused.disabled)) return;
  const again = focused.id ? document.getElementById(focused.id) : null;
  const heading = there.closest("section").querySelector("h2") || there.querySelector("h2");
  const next = again && !again.disabled ? again : there.querySelector("button:not(:disabled)") || heading;
  if (next) next.focus();
}

// ----------------------------------------------------------------------------------------- the stream

function follow() {
  const stream = new EventSource(`/events?seen=${version}`);
  stream.addEventListener("open", () => connection("Live", "good"));
  stream.addEventListener("shape", () => { stream.close(); location.reload(); });
  stream.addEventListener("pieces", (event) => {
    const { now, pieces } = JSON.parse(event.data);
    version = event.lastEventId;
    offset = Date.parse(now) - Date.now();
    for (const [id, html] of Object.entries(pieces)) renew(id, html);
    tick();
  });
  stream.addEventListener("error", () => {
    connection("Connecting again", "held");
    if (stream.readyState === EventSource.CLOSED) setTimeout(resume, RETRY);
  });
}

// The server refused the stream: it starts anew, or the session is over, and then the page leads to the login.
async function resume() {
  try {
    const answer = await fetch("/", { redirect: "manual" });
    if (answer.type === "opaqueredirect") return location.reload();
  } catch {
    return setTimeout(resume, RETRY);
  }
  return follow();
}

// ------------------------------------------------------------------------------------------- the forms

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!main.contains(form)) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, {
      method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" },
    });
    const { said: text, detail, title } = await answer.json();
    say(text || detail || title);
  } catch {
    say("The daemon does not answer; try again.");
  } finally {
    button.removeAttribute("aria-busy");
  }
});

if (said.textContent) {
  say(said.textContent);
  history.replaceState(null, "", location.pathname + location.hash);
}
connection("Connecting", "calm");
tick();
setInterval(tick, 1000);
follow();
