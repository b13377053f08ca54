import { alterSystem, fail, forEach, pass } from '../outcome.js';
import { settingIsOn, settingText } from '../postgres-settings.js';
import type { Check } from '../types.js';

const NAMES = ['track_activities', 'track_counts'];

export const activityTracking: Check = {
  id: 'activity-tracking',
  title: 'PostgreSQL tracks what sessions do',
  needs: ['postgres'],
  why:
    'Without tracking, nobody can see which session is idle in a transaction or which one blocks. Counters ' +
    'stop, and autovacuum does not know which tables need it.',
  details: `${NAMES.join(' and ')} must be on, which is their default.`,
  run: forEach('postgres', (target) => {
    const off = NAMES.filter((name) => !settingIsOn(target, name));
    const evidence = NAMES.map((name) => settingText(target, name));
    if (off.length === 0) return pass(`${NAMES.join(' and ')} are on`, evidence);
    return fail(`${off.join(' and ')} ${off.length === 1 ? 'is' : 'are'} off`, evidence, {
      steps: alterSystem(target, Object.fromEntries(off.map((name) => [name, 'on']))),
      risk: 'None. The cost is too small to measure.',
    });
  }),
};
