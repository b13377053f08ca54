import { commandFor } from '../../pgbouncer/console.js';
import { consoleStep, fail, forEach, known, knownOrNull, pass } from '../outcome.js';
import { figureOf, textOf } from '../pooler-facts.js';
import type { Check } from '../types.js';

export const poolerPaused: Check = {
  id: 'pooler-paused',
  title: 'PgBouncer is not paused, and no database is disabled',
  needs: ['pgbouncer'],
  why:
    'A forgotten PAUSE, for example from a killed script, makes every query wait without another symptom. ' +
    'A disabled database refuses new clients.',
  details:
    'Reads paused and disabled from SHOW DATABASES, and SHOW STATE from 1.19. Before 1.19, nothing shows a ' +
    'PAUSE without a database.',
  run: forEach('pgbouncer', (target) => {
    const databases = known(target.databases);
    const paused = databases.filter((row) => figureOf(row.paused) === 1).map(({ name }) => textOf(name));
    const disabled = databases.filter((row) => figureOf(row.disabled) === 1).map(({ name }) => textOf(name));
    const state = knownOrNull(target.state);
    const isPaused = state?.some(({ key, value }) => key === 'paused' && value === 'yes') ?? false;
    const commands = [
      ...(isPaused ? ['RESUME'] : []),
      ...paused.map((name) => commandFor('RESUME', name)),
      ...disabled.map((name) => commandFor('ENABLE', name)),
    ];
    if (commands.length === 0)
      return pass(
        state === null
          ? `no database is paused; PgBouncer ${target.version} does not report a global PAUSE`
          : 'nothing is paused',
      );
    const found = [
      ...(isPaused ? ['PgBouncer is paused'] : []),
      ...paused.map((name) => `${name} is paused`),
      ...disabled.map((name) => `${name} is disabled`),
    ];
    return fail(found.join(', '), [], {
      steps: commands.map((text) => consoleStep(target, text)),
      risk: 'If somebody is working on the server now, queries reach it in the middle of that work. Ask first.',
    });
  }),
};
