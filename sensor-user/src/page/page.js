// Puts in what is new, each second, as the server says it. What the reader has focused or selected stays: only what differs
// is touched. Without this script the page is whole, and shows what is new when it is loaded again.
"use strict";
(() => {
  const live = document.body.dataset.live;
  const button = document.getElementById("pause"), state = document.getElementById("state");
  if (live === undefined || !window.EventSource || !button) return;
  let paused = false, source = null;

  const say = (text) => { if (state.textContent !== text) state.textContent = text; };

  /// Makes `old` what `made` is.
  const become = (old, made) => {
    if (old.nodeType !== made.nodeType || old.nodeName !== made.nodeName) return old.replaceWith(made);
    if (old.nodeType === Node.TEXT_NODE) {
      if (old.data !== made.data) old.data = made.data;
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) return;
    for (const { name } of [...old.attributes]) if (name !== "open" && !made.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of made.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const before = [...old.childNodes], after = [...made.childNodes];
    after.forEach((child, at) => (at < before.length ? become(before[at], child) : old.append(child)));
    before.slice(after.length).forEach((child) => child.remove());
  };

  const show = (event) => {
    if (paused) return;
    const parts = new DOMParser().parseFromString(event.data, "text/html");
    for (const part of [...parts.body.children]) {
      const old = document.getElementById(part.id);
      if (old) become(old, document.adoptNode(part));
    }
    say("");
  };

  const begin = () => {
    source = new EventSource(live);
    source.addEventListener("parts", show);
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) say("No more news: reload");
      else say("Waiting for the sensor");
    };
  };

  const pause = () => {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Go on" : "Pause";
    say(paused ? "Paused" : "");
  };

  button.hidden = false;
  button.addEventListener("click", pause);
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, textarea, select");
    if (event.key === "p" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) pause();
  });
  begin();
})();
