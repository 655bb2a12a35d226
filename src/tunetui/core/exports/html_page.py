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
header p, figcaption, .more { color: var(--soft); margin: .2rem 0; } figcaption { max-width: 38rem; font-size: .85rem; }
.winner b { font-size: 1.3rem; } .about { margin: .6rem 0 0; color: var(--soft); } .targets { margin-top: .2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
th, td { padding: .15rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
.word, .axes td, .axes th { text-align: left; } td.values { white-space: normal; min-width: 18rem; } .won td { background: #2a71; font-weight: 600; }
th[tabindex] { cursor: pointer; }
th[aria-sort=ascending]::after { content: " \\25B2"; } th[aria-sort=descending]::after { content: " \\25BC"; }
.paper { display: none; } .targets { list-style: none; padding: 0; } .good b { color: var(--mark); } .bad b { color: var(--bad); } .open b { color: #b80; }
.pictures { display: flex; flex-wrap: wrap; gap: 1.5rem; margin: 1rem 0; }
figure { margin: 0; max-width: 100%; overflow-x: auto; } svg { max-width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
.heat td { text-align: center; color: #111; border: 2px solid transparent; background-clip: padding-box; } .heat th { border: 0; font-weight: 400; }
.heat td.tied { border-color: currentColor; font-weight: 600; } .bar { display: inline-block; height: .7em; background: #69c; }
@page { size: A4 landscape; margin: 10mm; }
@media print { :root { font-size: 10px; } body { max-width: none; font-size: 9px; padding: 0; } section { break-inside: auto; } section + section { break-before: page; }
  figure, tr { break-inside: avoid; } thead { display: table-header-group; break-inside: avoid; } h2, h3 { break-after: avoid; }
  .more button, th::after { display: none; } table { display: table; overflow: visible; } th, td { padding: .1rem .25rem; }
  .paper { display: block; color: var(--soft); } table[data-rows] { font-size: 8px; } table[data-rows] th { white-space: normal; } .heat td, .won td, .bar, svg { print-color-adjust: exact; }
  .pictures { gap: .8rem; } svg { max-width: 31rem; } }
"""

SCRIPT = """
for (const table of document.querySelectorAll('table[data-rows]')) {
  const { words, rows } = JSON.parse(document.getElementById(table.dataset.rows).textContent);
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells], left = new Set(words);
  const more = table.nextElementSibling && table.nextElementSibling.className === 'more' ? table.nextElementSibling : null;
  const number = text => { const found = /^-?[0-9][0-9.,]*(e[-+]?[0-9]+)?/i.exec(text);
    return found ? parseFloat(found[0].replace(/,/g, '')) : NaN; };
  const lines = (from, to) => { const made = document.createDocumentFragment();
    for (const row of rows.slice(from, to)) { const line = document.createElement('tr');
      if (row.length > heads.length) line.className = 'won';
      heads.forEach((head, at) => { const cell = document.createElement('td');
        if (left.has(at)) cell.className = 'word';
        cell.textContent = row[at]; line.append(cell); });
      made.append(line); }
    return made; };
  const step = body.rows.length, note = more && more.firstChild;
  const tell = () => { if (!more) return; const left = rows.length - body.rows.length;
    more.hidden = left === 0; note.textContent = 'and ' + left.toLocaleString('en') + ' more rows '; };
  const draw = () => { body.replaceChildren(lines(0, step)); tell(); };
  heads.forEach((head, at) => head.addEventListener('keydown', event => {
    if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); head.click(); } }));
  heads.forEach((head, at) => head.addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') === 'ascending';
    for (const other of heads) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const sign = down ? -1 : 1;
    const keys = new Map(rows.map(row => [row, number(row[at])]));
    rows.sort((a, b) => { const x = keys.get(a), y = keys.get(b);
      if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
      return sign * (isNaN(x) ? (a[at] < b[at] ? -1 : a[at] > b[at] ? 1 : 0) : x - y); });
    draw(); }));
  if (more) for (const button of more.querySelectorAll('button')) button.addEventListener('click', () => {
    const drawn = body.rows.length; body.append(lines(drawn, button.name === 'all' ? rows.length : drawn + step)); tell(); });
}
"""
