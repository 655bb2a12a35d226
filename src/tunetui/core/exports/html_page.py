"""The frame of the HTML page: its markup, its style and the script that sorts tables."""

from __future__ import annotations

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head><body>
<header><h1>{title}</h1><p>{about}</p></header>
<main>
{boards}
{claims}
<h2>Method</h2>
{method}
<h2>Provenance</h2>
{provenance}
</main>
<script>{script}</script>
</body></html>
"""

STYLE = """
:root { color-scheme: light dark; --line: #8884; --mark: #2a7; --bad: #c33; --soft: #888; }
body { font: 14px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1400px; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } h3 { font-size: .9rem; margin: 0 0 .3rem; }
header p, figcaption, .note { color: var(--soft); margin: .2rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
th, td { padding: .15rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th button { font: inherit; font-weight: 600; border: 0; background: none; color: inherit; cursor: pointer; padding: 0; }
th[aria-sort=ascending] button::after { content: " \\25B2"; } th[aria-sort=descending] button::after { content: " \\25BC"; }
.targets { list-style: none; padding: 0; } .good b { color: var(--mark); } .bad b { color: var(--bad); } .open b { color: #b80; }
.pictures { display: flex; flex-wrap: wrap; gap: 1.5rem; margin: 1rem 0; }
figure { margin: 0; max-width: 100%; overflow-x: auto; } svg { max-width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
.heat td { text-align: center; color: #111; border: 1px solid #fff; } .heat th { border: 0; font-weight: 400; }
@media print { body { max-width: none; font-size: 10px; } section { break-inside: auto; } figure { break-inside: avoid; }
  .more, th button::after { display: none; } table { display: table; } }
"""

SCRIPT = """
for (const table of document.querySelectorAll('table[data-rows]')) {
  const rows = JSON.parse(document.getElementById(table.dataset.rows).textContent);
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const more = table.nextElementSibling && table.nextElementSibling.className === 'more' ? table.nextElementSibling : null;
  let limit = body.rows.length;
  const number = text => { const found = /^-?[0-9][0-9.,]*(e[-+]?[0-9]+)?/i.exec(text);
    return found ? parseFloat(found[0].replace(/,/g, '')) : NaN; };
  const draw = () => { const made = document.createDocumentFragment();
    for (const row of rows.slice(0, limit)) { const line = document.createElement('tr');
      for (const text of row) { const cell = document.createElement('td'); cell.textContent = text; line.append(cell); }
      made.append(line); }
    body.replaceChildren(made); };
  heads.forEach((head, at) => head.addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') === 'ascending';
    for (const other of heads) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const sign = down ? -1 : 1;
    const keys = new Map(rows.map(row => [row, number(row[at])]));
    rows.sort((a, b) => { const x = keys.get(a), y = keys.get(b);
      if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
      return sign * (isNaN(x) ? a[at].localeCompare(b[at]) : x - y); });
    draw(); }));
  if (more) more.querySelector('button').addEventListener('click', () => { limit = rows.length; draw(); more.remove(); });
}
"""
