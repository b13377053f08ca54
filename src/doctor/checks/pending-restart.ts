import { forEach, pass, warn } from '../outcome.js';
import { settingText } from '../postgres-settings.js';
import type { Check } from '../types.js';

export const pendingRestart: Check = {
  id: 'pending-restart',
  title: 'PostgreSQL runs with the settings that are in its files',
  needs: ['postgres'],
  why:
    'Whoever changed them believes that they are in force. They come into force with the next restart, which may be a ' +
    'crash in the night: a bad moment to learn that they do not fit.',
  details:
    'Settings whose value in the files needs a restart, as pg_settings.pending_restart has it after a reload.',
  run: forEach('postgres', (target) => {
    const names = [...target.settings]
      .filter(([, { pendingRestart: isPending }]) => isPending)
      .map(([name]) => name);
    if (names.length === 0) return pass('no setting waits for a restart');
    return warn(
      `${names.join(', ')} ${names.length === 1 ? 'waits' : 'wait'} for a restart`,
      names.map((name) => `in force: ${settingText(target, name)}`),
      {
        steps: [{ kind: 'restart', at: target.label, text: 'systemctl restart postgresql' }],
        risk: 'The restart ends all sessions.',
      },
    );
  }),
};
