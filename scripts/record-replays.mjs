// `npm run record:ib`: plays the scripts of `ib stress` on the build, and records what the pool does. Read each change of
// the recordings before you commit it: they are what the pool promises.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACTS } from '../dist/src/lab/ib-stress/replay/acts/index.js';
import { digestOf, play } from '../dist/src/lab/ib-stress/replay/play.js';

const TEXTS = 'fixtures/ib-replay';
const DIGESTS = 'src/lab/ib-stress/replay/recordings.ts';

rmSync(TEXTS, { recursive: true, force: true });
mkdirSync(TEXTS, { recursive: true });
const digests = [];
for (const [scenario, acts] of Object.entries(ACTS)) {
  const sections = [];
  for (const act of acts) {
    const transcript = await play(act);
    // A storm is too long to read: its digests alone are kept.
    if (act.isStorm !== true) sections.push(`# ${act.name}\n${transcript.join('\n')}\n`);
    digests.push(`  ${JSON.stringify(`${scenario}: ${act.name}`)}:\n    '${digestOf(transcript)}',\n`);
  }
  writeFileSync(join(TEXTS, `${scenario}.txt`), sections.join('\n'));
}
writeFileSync(
  DIGESTS,
  `/** Written by \`npm run record:ib\`: for each act the digests of its lines. The lines are in fixtures/ib-replay. */
// biome-ignore format: each is one long word
export const RECORDINGS: Readonly<Record<string, string>> = {
${digests.join('')}};
`,
);
