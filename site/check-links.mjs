// Follows every link of the built site: to files, and to headings in them. Links to other sites are not followed.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';

const dist = join(import.meta.dirname.replaceAll('\\', '/'), '.vitepress/dist');
const files = readdirSync(dist, { recursive: true, encoding: 'utf8' })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => name.endsWith('.html') && name !== '404.html');
const texts = new Map(files.map((name) => [name, readFileSync(join(dist, name), 'utf8')]));
const ids = new Map(
  [...texts].map(([name, text]) => [name, new Set([...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))]),
);

const broken = [];
let count = 0;
for (const [name, text] of texts) {
  for (const [, link] of text.matchAll(/<(?:a|img)\b[^>]*? (?:href|src)="([^"]+)"/g)) {
    if (link === undefined || /^[a-z]+:|^\/\//.test(link)) continue;
    count += 1;
    const [path = '', anchor] = decodeURIComponent(link.replaceAll('&amp;', '&')).split('#');
    const base = path.startsWith('/') ? path.slice(1) : path === '' ? name : join(dirname(name), path);
    const target = base === '' || base.endsWith('/') ? `${base}index.html` : base;
    const found = [target, `${target}.html`].find((one) => existsSync(join(dist, one)));
    if (found === undefined) broken.push(`${name}: ${link}`);
    else if (anchor && ids.has(found) && !ids.get(found)?.has(anchor)) broken.push(`${name}: ${link}`);
  }
}
process.stdout.write(`${files.length} pages, ${count} links, ${broken.length} broken\n`);
for (const one of broken.slice(0, 50)) process.stdout.write(`  ${one}\n`);
process.exitCode = broken.length === 0 ? 0 : 1;
