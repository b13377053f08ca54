import { codeStep, fail, pass } from '../outcome.js';
import { forEachPool } from '../pools.js';
import type { Check } from '../types.js';

export const httpCircuits: Check = {
  id: 'http-circuits',
  title: 'no circuit breaker is open',
  needs: ['pool'],
  why: 'While a circuit is open, the pool refuses all requests to that server without sending them.',
  details: 'Fails if the circuit of an origin is open or half-open.',
  run: forEachPool(({ http }) => {
    if (http === undefined) return null;
    const open = http.origins.filter(({ breaker }) => breaker === 'open' || breaker === 'half-open');
    if (open.length === 0)
      return pass(
        `${http.origins.length} ${http.origins.length === 1 ? 'origin' : 'origins'}, no circuit open`,
      );
    return fail(
      `${open.length} of ${http.origins.length} circuits are open`,
      open.map(({ origin, breaker }) => `${origin}: ${breaker}`),
      {
        steps: open.map(({ origin }) =>
          codeStep(
            `repair ${origin}: at least half of the latest requests failed. The circuit closes by itself ` +
              'when one succeeds.',
          ),
        ),
        risk: 'None.',
      },
    );
  }, 'no application has an HTTP pool'),
};
