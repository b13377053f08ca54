// The licenses of the packages that are bundled.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @param {readonly string[]} inputs paths of bundled files */
export function noticesOf(inputs) {
  const folders = new Set(
    inputs.flatMap(
      (input) => /.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(input.replace(/^\w+:(?=\/)/, '')) ?? [],
    ),
  );
  const notices = [...folders].map(noticeOf).sort((one, other) => (one.title < other.title ? -1 : 1));
  return `poolctl contains the following packages.\n\n${notices.map(({ title, text }) => `${'-'.repeat(80)}\n${title}\n\n${text.trim()}\n`).join('\n')}`;
}

/** @param {string} folder */
function noticeOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder).filter((file) =>
    /^(licen[cs]e|notice|thirdpartynotice|copying)/i.test(file),
  );
  if (!license && files.length === 0) throw new Error(`${name} has no license, so it must not be bundled`);
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r', '').trim());
  return {
    title: `${name} ${version} (${license ?? 'see below'})`,
    text: texts.join('\n\n') || `License: ${license}. The package contains no text of it.`,
  };
}
