// The page as it is now, every two seconds, in place: nothing jumps, and a hidden tab asks for nothing.
"use strict";

const PERIOD_MS = 2000;

function replaceChanged(fresh) {
  for (const part of fresh.querySelectorAll("[data-live]")) {
    const old = document.getElementById(part.id);
    if (!old) {
      location.reload();
      return;
    }
    for (const details of old.querySelectorAll("details[open]")) {
      const index = [...old.querySelectorAll("details")].indexOf(details);
      part.querySelectorAll("details")[index]?.setAttribute("open", "");
    }
    if (old.outerHTML !== part.outerHTML) old.replaceWith(part);
  }
  document.title = fresh.title;
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    replaceChanged(new DOMParser().parseFromString(await answer.text(), "text/html"));
    document.documentElement.classList.remove("lost");
  } catch {
    document.documentElement.classList.add("lost");
  }
}

setInterval(refresh, PERIOD_MS);
