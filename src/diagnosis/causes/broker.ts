import { printable } from '../../report/text.js';
import { type BrokerTrouble, brokerTrouble } from '../broker-trouble.js';
import type { PoolFact } from '../facts.js';
import { holdersOf, isPressed, poolSubject } from '../look.js';
import type { Cause, Found, Look } from '../types.js';

function troubles(look: Look, cause: BrokerTrouble['cause']): readonly Found[] {
  return look.facts.pools.flatMap((fact): Found[] => {
    const trouble = troubleOf(fact, look);
    if (trouble === null || trouble.cause !== cause) return [];
    const { waiting } = fact.pool;
    const queue = isPressed(fact) ? `; ${waiting} waiting` : '';
    return [
      {
        severity: trouble.severity,
        subject: poolSubject(fact),
        explains: [fact.key],
        weight: (waiting ?? 0) + 1,
        words: `${printable(fact.pool.name)}: ${trouble.words}${queue}`,
      },
    ];
  });
}

function troubleOf(fact: PoolFact, { facts }: Look): BrokerTrouble | null {
  if (fact.pool.closed) return null;
  const leaks = holdersOf(facts, fact).some(({ suspect }) => suspect);
  return brokerTrouble(fact.pool, { leaks });
}

export const brokerLink: Cause = {
  id: 'broker-link',
  title: 'Connections to the gateway of the broker, or its own connection to the broker, are down',
  repair: {
    app: 'look at the gateway: whether it runs, is logged in, and takes API clients of this address',
  },
  avoid: ['more connections'],
  find: (look) => troubles(look, 'broker link'),
};

export const brokerPacing: Cause = {
  id: 'broker-pacing',
  title: "The broker's pacing is used up, so requests queue",
  repair: { app: 'fewer requests: merge those for the same symbol, spread them over time' },
  avoid: ['more connections: the pacing counts all of them'],
  find: (look) => troubles(look, 'broker pacing'),
};

export const brokerPoolTooSmall: Cause = {
  id: 'pool-too-small',
  title: 'All workers of the broker pool are in use',
  repair: { app: 'a larger pool of workers: a gateway serves 32 clients' },
  avoid: [],
  find: (look) => troubles(look, 'pool too small'),
};
