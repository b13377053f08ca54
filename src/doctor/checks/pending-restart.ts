import { forEach, pass, warn } from '../outcome.js';
import { settingText } from '../postgres-settings.js';
import type { Check } from '../types.js';

export const pendingRestart: Check = {
  id: 'pending-restart',
  title: 'PostgreSQL runs with the settings in its files',
  needs: ['postgres'],
  why:
    'The changed settings are not active. They take effect at the next restart, which may be a crash at ' +
    'night. That is a bad moment to learn that they do not fit.',
  details: 'Lists settings that need a restart, from pg_settings.pending_restart after a reload.',
  run: forEach('postgres', (target) => {
    const names = [...target.settings]
      .filter(([, { pendingRestart: isPending }]) => isPending)
      .map(([name]) => name);
    if (names.length === 0) return pass('no setting waits for a restart');
    return warn(
      `${names.join(', ')} ${names.length === 1 ? 'waits' : 'wait'} for a restart`,
      names.map((name) => `active: ${settingText(target, name)}`),
      {
        steps: [{ kind: 'restart', at: target.label, text: 'systemctl restart postgresql' }],
        risk: 'The restart ends all sessions.',
      },
    );
  }),
};
