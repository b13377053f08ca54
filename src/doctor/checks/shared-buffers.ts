import { formatShare } from '../../base/units.js';
import { alterSystem, forEach, pass, warn } from '../outcome.js';
import { postgresSize, settingBytes, settingText } from '../postgres-settings.js';
import { memoryOf } from '../server-memory.js';
import type { Check } from '../types.js';

const [LEAST, WANTED, MOST] = [0.1, 0.25, 0.5];

export const sharedBuffers: Check = {
  id: 'shared-buffers',
  title: "shared_buffers fits the server's memory",
  needs: ['postgres'],
  why:
    'If the value is too small, queries fetch pages from the system again and hold connections longer. If ' +
    "it is too large, connections and the system's cache have no room.",
  details:
    `The usual value is a quarter of the memory. The check passes from ${formatShare(LEAST, 0)} to ` +
    `${formatShare(MOST, 0)}. The default of 128 MB is too small for current servers. The memory is ` +
    '--memory, or that of this machine if the server runs on it.',
  run: forEach('postgres', (target, { options }) => {
    const memory = memoryOf(target, options);
    const bytes = settingBytes(target, 'shared_buffers');
    const share = bytes / memory.bytes;
    const summary = `${postgresSize(bytes)} of ${memory.text} (${formatShare(share, 0)})`;
    const evidence = [settingText(target, 'shared_buffers')];
    if (share >= LEAST && share <= MOST) return pass(summary, evidence);
    const megabytes = Math.max(1, Math.round((memory.bytes * WANTED) / 1024 ** 2));
    return warn(summary, evidence, {
      steps: alterSystem(target, { shared_buffers: `${megabytes}MB` }),
      risk:
        'The restart ends all sessions, and caches are cold afterwards. If other services share the machine, ' +
        'use less.',
    });
  }),
};
