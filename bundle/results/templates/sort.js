for (const head of document.querySelectorAll("#group thead th")) {
  const button = head.querySelector("button");
  if (!button) continue;
  const text = (row) => row.cells[head.cellIndex].textContent.trim();
  const compare = (down) => (one, other) => {
    const [a, b] = [text(one), text(other)];
    if (!a || !b) return (!a) - (!b);  // what has no value stays below
    const [x, y] = [Number(a), Number(b)];
    const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
    return down ? -order : order;
  };
  button.onclick = () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = head.closest("table").tBodies[0];
    body.append(...[...body.rows].sort(compare(down)));
  };
}
