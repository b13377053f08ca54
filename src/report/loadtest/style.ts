/** The look of the page: readable in daylight and at night, on paper and on a phone. */
export const STYLE = `
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2126; --faint: #667079; --rule: #dfe3e8;
  --good: #1a7f43; --marginal: #9a6700; --bad: #c62f2f; --none: #667079;
  --one: #2563c9; --two: #b4540a; --three: #7a4fbf; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181c; --ink: #e4e8ec; --faint: #98a2ac; --rule: #2c343c;
  --good: #4cc27d; --marginal: #d9a53a; --bad: #f0716d; --none: #98a2ac;
  --one: #6fa3f5; --two: #eb9a55; --three: #b694ec; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 54rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
header { border-left: .4rem solid var(--none); padding-left: 1rem; }
header.good { border-color: var(--good); } header.good h1 { color: var(--good); }
header.marginal { border-color: var(--marginal); } header.marginal h1 { color: var(--marginal); }
header.bad { border-color: var(--bad); } header.bad h1 { color: var(--bad); }
h1 { margin: 0; font-size: 1.6rem; letter-spacing: .04em; } header p { margin: .2rem 0; }
h2 { margin: 2rem 0 .5rem; font-size: 1.05rem; }
.faint, footer, th, .tick, figcaption { color: var(--faint); }
footer { margin-top: 2.5rem; border-top: 1px solid var(--rule); padding-top: .5rem; font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { font-weight: 500; text-align: left; } th, td { padding: .2rem .9rem .2rem 0; vertical-align: top; }
.figures td:not(:first-child), .figures th:not(:first-child) { text-align: right; white-space: nowrap; }
tbody tr { border-top: 1px solid var(--rule); } .facts tr { border: 0; }
.facts td { overflow-wrap: anywhere; } code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
figure { margin: 1rem 0; } figcaption { font-size: .9rem; } svg { width: 100%; height: auto; display: block; }
.grid { stroke: var(--rule); } .tick { fill: var(--faint); font-size: 11px; }
.line { fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round; }
.column { fill: var(--one); } .line.one { stroke: var(--one); } .line.two { stroke: var(--two); }
.line.three { stroke: var(--three); } .line.bad { stroke: var(--bad); }
.dot { fill: transparent; } .dot:hover { fill: var(--ink); } .column:hover { opacity: .7; }
.key { margin-left: 1rem; } .key::before { content: ''; display: inline-block; width: .9rem; height: .2rem;
  margin-right: .35rem; vertical-align: middle; background: currentColor; }
.key.one::before { background: var(--one); } .key.two::before { background: var(--two); }
.key.three::before { background: var(--three); } .key.bad::before { background: var(--bad); }
@media print { body { max-width: none; padding: 0; } section { break-inside: avoid; } }
`;
