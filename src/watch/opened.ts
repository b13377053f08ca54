import { Socket } from 'node:net';
import { captureSite } from '../base/call-site.js';
import type { WatchedSnapshot } from '../snapshot/pool.js';
import { hook } from './hooking.js';

/** The peer of a connection, and the package that opened it. */
interface Opened {
  readonly place: string;
  readonly port: number | null;
  /** The outermost package of a driver in the stack; null where the code is in no package. */
  readonly by: string | null;
}

/** Databases by their usual port. Code in a bundle is in no package: where it connects to is all that is known. */
const PORTS: Readonly<Record<number, string>> = {
  5432: 'PostgreSQL',
  6432: 'PgBouncer',
  3306: 'MySQL',
  1433: 'SQL Server',
  27017: 'MongoDB',
  1521: 'Oracle',
};
/** How to address those servers that `poolctl top` reads. */
const LOOKS: Readonly<Record<number, string>> = { 5432: 'postgres', 6432: 'pgbouncer', 3306: 'mysql' };
/** Packages that connect to a database and have pools of a kind of their own, which is not known. */
const UNKNOWN = new Set([
  'slonik',
  '@slonik/driver',
  '@slonik/pg-driver',
  'oracledb',
  'cassandra-driver',
  'neo4j-driver',
  'neo4j-driver-bolt-connection',
  'tedious-connection-pool',
  'pg-native',
  '@clickhouse/client',
  'ts-postgres',
  'pg-listen',
]);
const MOST_KEPT = 100;
const STACK_FRAMES = 40;
const PACKAGE = /[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/g;

/** The connections that code opens which is not watched. */
export class OpenedConnections {
  readonly #opened = new Map<string, Opened>();

  /** Looks at each socket as it connects. */
  watch(): void {
    const note = (args: readonly unknown[], above: (...all: never[]) => unknown): void =>
      this.#note(args, above);
    hook(
      Socket.prototype,
      'connect',
      (connect) =>
        function connectWatched(this: Socket, ...args) {
          note(args, connectWatched);
          return connect.apply(this, args);
        },
    );
  }

  /** The gaps: what is not watched, why, and what to do. `pools` are the watched ones. */
  gaps(pools: readonly WatchedSnapshot[]): string[] {
    const known = new Set(pools.map(({ observed }) => observed?.address?.port ?? null));
    return [...this.#opened.values()].flatMap(({ place, port, by }) => {
      if (by !== null && UNKNOWN.has(by)) {
        const look = port === null ? undefined : LOOKS[port];
        return [
          `the pool of ${by} to ${place} is not watched: poolctl does not know its kind` +
            (look === undefined ? '' : `; read the server itself with poolctl top ${look}://${place}`),
        ];
      }
      const database = port === null ? undefined : PORTS[port];
      if (by !== null || database === undefined || known.has(port)) return [];
      return [
        `connections to ${database} at ${place} are not watched: no library that poolctl knows opens them; if the application is a bundle, leave its driver out of the bundle (external)`,
      ];
    });
  }

  #note(args: readonly unknown[], above: (...all: never[]) => unknown): void {
    try {
      const target = targetOf(args);
      if (target === null || this.#opened.size >= MOST_KEPT) return;
      const by = packageIn(captureSite(above, STACK_FRAMES).stack ?? '');
      const place = `${target.host}${target.port === null ? '' : `:${target.port}`}`;
      this.#opened.set(`${by} ${place}`, { place, port: target.port, by });
    } catch {
      // The program must not notice the look at its connections.
    }
  }
}

/** The outermost package in a stack whose pools are unknown, else the outermost package. */
function packageIn(stack: string): string | null {
  const names = [...stack.matchAll(PACKAGE)].map(([, name]) => name?.replace('\\', '/') ?? '');
  return names.findLast((name) => UNKNOWN.has(name)) ?? names[names.length - 1] ?? null;
}

/** As `connect` takes it: normalized by Node, options, or a port and a host. null for a Unix socket of something else. */
function targetOf(args: readonly unknown[]): { host: string; port: number | null } | null {
  const [first, second] = Array.isArray(args[0]) ? (args[0] as readonly unknown[]) : args;
  if (typeof first === 'object' && first !== null) {
    const { port, host, path } = first as { port?: unknown; host?: unknown; path?: unknown };
    if (typeof path === 'string') return path.includes('.s.PGSQL.') ? { host: path, port: null } : null;
    return { host: typeof host === 'string' ? host : 'localhost', port: portIn(port) };
  }
  if (portIn(first) === null) return null;
  return { host: typeof second === 'string' ? second : 'localhost', port: portIn(first) };
}

function portIn(value: unknown): number | null {
  const port = Number(value);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : null;
}
