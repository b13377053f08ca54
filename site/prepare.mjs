// Copies the Markdown of the repository to `pages`, with its links made to fit: a link to another page stays a link of the
// site, and any other file is linked in the repository.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path/posix';

const root = join(import.meta.dirname.replaceAll('\\', '/'), '..');
const pages = join(import.meta.dirname.replaceAll('\\', '/'), 'pages');
const REPOSITORY = 'https://github.com/poolctl/poolctl/blob/main';

/** Where each file of the repository stands on the site. */
const places = new Map([
  ['README.md', 'index.md'],
  ['CHANGELOG.md', 'project/changelog.md'],
  ['CONTRIBUTING.md', 'project/contributing.md'],
  ['SECURITY.md', 'project/security.md'],
  ...filesIn('docs')
    .filter((name) => name.endsWith('.md'))
    .map(
      (name) =>
        /** @type {const} */ ([
          name,
          name
            .replace(/^docs\//, '')
            .replace(/^README\.md$/, 'documentation.md')
            .replace(/README\.md$/, 'index.md'),
        ]),
    ),
  ...filesIn('examples')
    .filter((name) => name.endsWith('.md'))
    .map((name) => /** @type {const} */ ([name, name.replace(/README\.md$/, 'index.md')])),
]);

rmSync(pages, { recursive: true, force: true });
for (const [file, page] of places) {
  const text = readFileSync(join(root, file), 'utf8');
  mkdirSync(dirname(join(pages, page)), { recursive: true });
  writeFileSync(join(pages, page), withLinks(text, file, page));
}
cpSync(join(root, 'docs/images'), join(pages, 'images'), { recursive: true });

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesIn(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesIn(path);
    return entry.isFile() ? [path] : [];
  });
}

/**
 * @param {string} text
 * @param {string} file
 * @param {string} page
 */
function withLinks(text, file, page) {
  const parts = text.split(/(^```[\s\S]*?^```$)/m);
  return parts
    .map((part) =>
      part.startsWith('```')
        ? part
        : part.replaceAll(/\]\(([^)\s]+)\)/g, (all, link) => {
            if (/^[a-z]+:|^#/.test(link)) return all;
            const [path = '', anchor] = link.split('#');
            return `](${target(join(dirname(file), path), page)}${anchor === undefined ? '' : `#${anchor}`})`;
          }),
    )
    .join('');
}

/**
 * @param {string} file that is linked to, from the root of the repository
 * @param {string} page that links to it
 */
function target(file, page) {
  const at = join(root, file);
  if (!existsSync(at)) throw new Error(`${page} links to ${file}, which is not there`);
  const place = file.startsWith('docs/images/') ? file.replace('docs/', '') : places.get(file);
  if (place === undefined || statSync(at).isDirectory()) return `${REPOSITORY}/${file}`;
  const path = relative(dirname(page), place);
  return path.startsWith('.') ? path : `./${path}`;
}
