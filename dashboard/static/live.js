// Keeps an open page current: on news, and every 30 s, it fetches the page's own content again and swaps it in.
// Pages read well without it.
"use strict";

(() => {
  const main = document.querySelector("main[data-live]");
  const state = document.getElementById("live");
  const trouble = document.getElementById("trouble");
  if (!main || !window.EventSource) return;

  const PAUSE_MS = 1000;
  const PERIOD_MS = 30000;
  const COSTLY = 10;
  const CHOOSING_MS = 5000;
  let source = null;
  let timer = 0;
  let busy = false;
  let again = false;
  let shown = "";
  let touched = 0;
  let pause = PAUSE_MS;
  let ended = -Infinity;
  let due = Infinity;

  // Whether the page itself says that there is nothing to show.
  const isAway = () => main.querySelector("[data-away]") !== null;
  let connected = false;
  let answered = !isAway();

  function tell() {
    const on = connected && answered;
    const words = !answered ? "nothing is live" : on ? "live" : "reconnecting";
    if (state.textContent !== words) state.textContent = words;
    state.dataset.state = on ? "on" : "off";
  }

  function say(text) {
    if (trouble.textContent !== text) trouble.textContent = text;
    trouble.hidden = !text;
  }

  function swap(html) {
    if (html === shown) return;
    shown = html;
    const page = new DOMParser().parseFromString(html, "text/html");
    const fresh = page.querySelector("main");
    if (!fresh) return;
    const open = new Map([...main.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
    const active = document.activeElement;
    const focused = active && main.contains(active) && active.id;
    const caret = focused && active.selectionStart != null && [active.selectionStart, active.selectionEnd];
    const written = unsent();
    const places = reading();
    const scrolled = [...main.querySelectorAll("[data-scroll]")].map((each) => each.scrollLeft);
    for (const each of fresh.querySelectorAll("details[id]")) {
      if (open.has(each.id)) each.open = open.get(each.id);
    }
    main.replaceChildren(...fresh.childNodes);
    main.querySelectorAll("[data-scroll]").forEach((each, index) => { each.scrollLeft = scrolled[index] || 0; });
    for (const [id, value] of written) {
      const field = document.getElementById(id);
      if (field) field.value = value;
    }
    const again = focused && document.getElementById(focused);
    if (again) {
      again.focus({ preventScroll: true });
      if (caret) again.setSelectionRange(...caret);
    }
    readOn(places);
    document.title = page.title;
  }

  // Headings by how near they are to what is read, and where each stands. Whoever sees the head of the page is to see
  // the news in it: then there are none.
  function reading() {
    const head = main.querySelector("h1");
    if (!head || head.getBoundingClientRect().bottom > 0) return [];
    const places = [...main.querySelectorAll("h2[id]")].map((each) => [each.id, each.getBoundingClientRect().top]);
    const far = (top) => (top < 0 ? innerHeight - top : top);
    return places.sort(([, one], [, other]) => far(one) - far(other));
  }

  // A browser moves along with what comes and goes above only while the elements are the same.
  function readOn(places) {
    const [id, top] = places.find(([each]) => document.getElementById(each)) || [];
    if (!id) return;
    const moved = document.getElementById(id).getBoundingClientRect().top - top;
    window.scrollBy({ top: moved, behavior: "instant" });
  }

  // A list to choose from closes when it is replaced under the reader's hand.
  function isChoosing() {
    return document.activeElement?.tagName === "SELECT" && performance.now() - touched < CHOOSING_MS;
  }

  // What somebody has begun to write or to choose, and has not sent.
  function unsent() {
    const fields = [...main.querySelectorAll(":is(input:not([type=hidden]), textarea, select)[id]")];
    return fields.filter(isChanged).map((each) => [each.id, each.value]);
  }

  function isChanged(field) {
    if (field.tagName !== "SELECT") return field.value !== field.defaultValue;
    return [...field.options].some((each) => each.selected !== each.defaultSelected);
  }

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    again = false;
    const begun = performance.now();
    const address = new URL(location.href);
    address.searchParams.set("fragment", "1");
    try {
      const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(answer.headers.get("X-Trouble") || `The dashboard answered ${answer.status}.`);
      const html = await answer.text();
      if (isChoosing()) again = true;
      else swap(html);
      answered = true;
      say("");
    } catch (problem) {
      const reason = problem.message.startsWith("The ") ? problem.message : "The dashboard does not answer.";
      answered = false;
      say(isAway() ? "" : `${reason} What you see is from the last time it did.`);
    }
    tell();
    busy = false;
    // What takes long to make is asked for less often; a fleet of a thousand has news all the time.
    pause = Math.max(PAUSE_MS, COSTLY * (performance.now() - begun));
    ended = performance.now();
    schedule(again ? pause : PERIOD_MS);
  }

  function schedule(delay) {
    clearTimeout(timer);
    due = performance.now() + delay;
    timer = setTimeout(refresh, delay);
  }

  // News that come one after the other must not put off what the first of them asked for.
  function hear() {
    const delay = Math.max(150, ended + pause - performance.now());
    if (busy) again = true;
    else if (performance.now() + delay < due) schedule(delay);
  }

  function follow() {
    source = new EventSource("/live");
    source.onopen = () => { connected = true; tell(); };
    source.onerror = () => { connected = false; tell(); };
    source.addEventListener("report", (news) => {
      if (!news.data || !main.dataset.live || news.data === main.dataset.live) hear();
    });
    schedule(PERIOD_MS);
  }

  for (const each of ["pointerdown", "keydown"]) {
    main.addEventListener(each, () => { touched = performance.now(); }, { passive: true });
  }
  main.addEventListener("asked", () => { touched = 0; refresh(); });

  // A hidden tab holds no connection: a browser gives one site only six, and nobody looks.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(timer);
      source?.close();
    } else {
      follow();
      refresh();
    }
  });
  if (!document.hidden) follow();
})();
