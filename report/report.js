// Tables that sort by a column, and claims that can be searched. Without it the page is whole.
"use strict";

const collator = new Intl.Collator("en", { numeric: true });

function sortBy(header) {
  const table = header.closest("table");
  const column = [...header.parentElement.children].indexOf(header);
  const ascending = header.getAttribute("aria-sort") !== "ascending";
  for (const other of header.parentElement.children) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const key = (row) => row.children[column].dataset.key ?? row.children[column].innerText;
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) => collator.compare(key(a), key(b)));
  body.append(...(ascending ? rows : rows.reverse()));
}

for (const header of document.querySelectorAll("table.sortable thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...header.childNodes);
  header.append(button);
  button.addEventListener("click", () => sortBy(header));
}

const search = document.querySelector("#search");
const verdict = document.querySelector("#verdict");
const shown = document.querySelector("#shown");
const claims = [...document.querySelectorAll("#claims-table tbody tr")];

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const row of claims) {
    const text = row.innerText.toLowerCase();
    const fits = words.every((word) => text.includes(word));
    row.hidden = !fits || (verdict.value !== "" && row.dataset.verdict !== verdict.value);
    count += !row.hidden;
  }
  shown.textContent = `${count} of ${claims.length} claims`;
}

// A link from elsewhere to a claim that is filtered out brings it back.
function reveal() {
  const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (row?.hidden) {
    search.value = verdict.value = "";
    filter();
    row.scrollIntoView();
  }
}

if (search) {  // a page of other studies than the paper's has no claims
  search.addEventListener("input", filter);
  verdict.addEventListener("change", filter);
  addEventListener("hashchange", reveal);
  document.querySelector(".tools").hidden = false;
  filter();
}
