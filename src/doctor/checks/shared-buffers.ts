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
    'Too small, and every query fetches its pages from the system anew, which keeps connections busy for longer. Too ' +
    "large, and connections and the system's cache have no room left.",
  details: `A quarter of the memory is the usual value; it passes from ${formatShare(LEAST, 0)} to ${formatShare(MOST, 0)}. The \
default of 128 MB is for no server of today. The memory is that of --memory, or of this machine where the server is on it.`,
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
      risk: 'The restart ends all sessions, and caches are cold afterwards. Where other services share the machine, take less.',
    });
  }),
};
