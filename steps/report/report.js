"use strict";

// Column headers of tables that may be sorted become buttons; without this script the tables are plain tables.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headers = Array.from(table.tHead.rows[0].cells);
  const compare = (column) => (one, other) => {
    const [a, b] = [one.cells[column], other.cells[column]];
    if (a.dataset.value !== undefined && b.dataset.value !== undefined) {
      return Number(a.dataset.value) - Number(b.dataset.value);
    }
    return a.textContent.trim().localeCompare(b.textContent.trim(), undefined, { numeric: true });
  };
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const ascending = header.getAttribute("aria-sort") !== "ascending";
      for (const other of headers) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const rows = Array.from(body.rows).sort(compare(column));
      body.append(...(ascending ? rows : rows.reverse()));
    });
  });
}

// In MLflow's viewer, a sandboxed frame, a link to a section goes nowhere by itself.
for (const link of document.querySelectorAll('nav a[href^="#"]')) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById(link.getAttribute("href").slice(1)).scrollIntoView();
  });
}
