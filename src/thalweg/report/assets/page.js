// The page's own behaviour: what the pointer is over in a chart, and the table's sorting and filtering.
(() => {
  "use strict";
  const tip = document.getElementById("tip");
  let hot = null;

  function cool() {
    if (hot) hot.classList.remove("hot");
    hot = null;
    tip.hidden = true;
  }

  function nearest(chart, x, y) {            // the dot under the pointer, or the closest within 16 screen pixels
    let best = null, least = 256;
    for (const dot of chart.querySelectorAll("[data-t]")) {
      const box = dot.getBoundingClientRect();
      const d = (box.x + box.width / 2 - x) ** 2 + (box.y + box.height / 2 - y) ** 2;
      if (d < least) { least = d; best = dot; }
    }
    return best;
  }

  document.querySelectorAll("svg.chart").forEach((chart) => {
    chart.addEventListener("pointermove", (e) => {
      const dot = nearest(chart, e.clientX, e.clientY);
      if (dot !== hot) cool();
      if (!dot) return;
      hot = dot;
      dot.classList.add("hot");
      tip.textContent = dot.dataset.t;
      tip.hidden = false;
      const left = Math.max(8, Math.min(e.clientX + 14, window.innerWidth - tip.offsetWidth - 12));
      const above = e.clientY - tip.offsetHeight - 12;
      tip.style.transform = `translate(${left}px, ${above > 4 ? above : e.clientY + 18}px)`;
    });
    chart.addEventListener("pointerleave", cool);
    chart.addEventListener("click", () => {
      if (hot && hot.dataset.c) show(hot.dataset.c);
    });
  });

  const table = document.getElementById("queries-table");
  if (!table) return;
  const body = table.tBodies[0], rows = [...body.rows];
  const search = document.getElementById("search"), count = document.getElementById("count");
  const kinds = [...document.querySelectorAll("[data-kind]")];
  let kind = "all";

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = (kind === "all" || row.classList.contains(kind)) && words.every((w) => text.includes(w));
      row.hidden = !fits;
      if (fits) shown += 1;
    }
    count.textContent = `${shown} of ${rows.length}`;
  }

  function choose(button) {
    kind = button.dataset.kind;
    kinds.forEach((b) => b.setAttribute("aria-pressed", String(b === button)));
    filter();
  }

  function show(call) {
    search.value = "";
    choose(kinds[0]);
    rows.forEach((row) => row.classList.remove("found"));
    const row = document.getElementById(`call-${call}`);
    if (!row) return;
    row.classList.add("found");
    row.scrollIntoView({ block: "center" });
  }

  function sort(column, header) {
    const down = header.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent;
    const numeric = header.classList.contains("n");
    rows.sort((a, b) => {
      const x = key(a), y = key(b);
      if (x === "" || y === "") return (x === "") - (y === "");      // empty cells last, whichever the direction
      const order = numeric ? Number(x) - Number(y) : x.localeCompare(y);
      return down ? -order : order;
    });
    body.append(...rows);
  }

  search.addEventListener("input", filter);
  kinds.forEach((button) => button.addEventListener("click", () => choose(button)));
  table.querySelectorAll("th button").forEach((button) => {
    const header = button.parentElement;
    button.addEventListener("click", () => sort(header.cellIndex, header));
  });
})();
