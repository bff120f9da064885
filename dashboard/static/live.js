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
  let source = null;
  let timer = 0;
  let busy = false;
  let again = false;
  let shown = "";

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
    const focused = document.activeElement && main.contains(document.activeElement) && document.activeElement.id;
    const scrolled = [...main.querySelectorAll("[data-scroll]")].map((each) => each.scrollLeft);
    for (const each of fresh.querySelectorAll("details[id]")) {
      if (open.has(each.id)) each.open = open.get(each.id);
    }
    main.replaceChildren(...fresh.childNodes);
    main.querySelectorAll("[data-scroll]").forEach((each, index) => { each.scrollLeft = scrolled[index] || 0; });
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    document.title = page.title;
  }

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    again = false;
    const address = new URL(location.href);
    address.searchParams.set("fragment", "1");
    try {
      const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(answer.headers.get("X-Trouble") || `The dashboard answered ${answer.status}.`);
      swap(await answer.text());
      say("");
    } catch (problem) {
      const reason = problem.message.startsWith("The ") ? problem.message : "The dashboard does not answer.";
      say(`${reason} What you see is from the last time it did.`);
    }
    busy = false;
    schedule(again ? PAUSE_MS : PERIOD_MS);
  }

  function schedule(delay) {
    clearTimeout(timer);
    timer = setTimeout(refresh, delay);
  }

  function follow() {
    source = new EventSource("/live");
    source.onopen = () => { state.textContent = "live"; state.dataset.state = "on"; };
    source.onerror = () => { state.textContent = "reconnecting"; state.dataset.state = "off"; };
    source.addEventListener("report", (news) => {
      if (!news.data || !main.dataset.live || news.data === main.dataset.live) schedule(busy ? PAUSE_MS : 150);
    });
    schedule(PERIOD_MS);
  }

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
