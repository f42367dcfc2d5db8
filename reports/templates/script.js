"use strict";
// Search and filters. Without this script the page is whole: views are radio buttons, entries are details elements.
(() => {
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);
  root.classList.add("js");
  const form = document.querySelector(".filters");

  const reveal = () => {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    const target = id && $(id);
    if (!target) return;
    for (let e = target; e; e = e.parentElement) {
      e.classList.remove("hide");
      if (e.tagName === "DETAILS") e.open = true;
    }
    target.scrollIntoView();
  };

  if (form) {
    const rows = [...document.querySelectorAll(".r")].map((e) => ({
      e, id: e.querySelector("code").textContent, text: e.querySelector(".s").textContent.toLowerCase(),
      level: e.dataset.l, letters: e.dataset.v, same: e.classList.contains("same"), fine: e.classList.contains("fine"),
    }));
    const chapters = [...document.querySelectorAll(".chapter")];
    const WRONG = "DIHX";
    const apply = () => {
      const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
      const chapter = $("chapter").value, level = $("level").value, verdict = $("verdict").value;
      const loop = $("loop").value === "" ? -1 : Number($("loop").value);
      const view = $("view-differ").checked ? "same" : $("view-wrong").checked ? "fine" : "";
      let shown = 0;
      const alive = new Set();
      for (const row of rows) {
        const letter = loop < 0 ? "" : row.letters[loop];
        const fits = words.every((w) => row.text.includes(w))
          && (!chapter || row.id.startsWith(chapter + ".")) && (!level || row.level === level)
          && (loop < 0 ? !verdict || row.letters.includes(verdict)
            : verdict ? letter === verdict : view === "fine" ? WRONG.includes(letter) : letter !== " ");
        row.e.classList.toggle("hide", !fits);
        if (fits && !(view && row[view])) { shown += 1; alive.add(row.e.parentElement); }
      }
      for (const one of chapters) one.classList.toggle("hide", !alive.has(one));
      $("none").hidden = shown > 0;
      $("count").value = `${shown} of ${rows.length} requirements`;
    };
    form.addEventListener("input", apply);
    form.addEventListener("reset", () => setTimeout(apply));
    // A search is over all requirements, whatever the view: nobody searches for what must not be found.
    $("search").addEventListener("input", () => { if ($("search").value) { $("view-all").checked = true; apply(); } });
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !/INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName)) {
        event.preventDefault();
        $("search").focus();
      }
    });
    apply();
  }
  addEventListener("hashchange", reveal);
  addEventListener("beforeprint", () => document.querySelectorAll(".chapter").forEach((e) => { e.open = true; }));
  reveal();
})();
