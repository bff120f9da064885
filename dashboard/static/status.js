// The public page brings itself up to date once a minute; without scripts it is read again by whoever looks.
"use strict";

const EVERY_MS = 60000;

async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = fresh.title;
    document.getElementById("main").replaceChildren(...fresh.getElementById("main").childNodes);
  } catch {
    // The next minute tries again; what stands there says when it is from.
  }
}

setInterval(renew, EVERY_MS);
document.addEventListener("visibilitychange", renew);
