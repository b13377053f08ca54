import { readFile } from 'node:fs/promises';
import { asError } from '../base/promises.js';
import type { AttachAnswer, AttachOrder } from '../watch/attach/order.js';
import { AttachError } from './errors.js';
import { isLoopback } from './flags.js';
import { type InspectorAddress, type InspectorSession, openInspectorSession } from './inspector.js';
import { linuxProcess, listenersOn, ownerOfPort, type ProcessFacts, socketsOf } from './linux-process.js';
import { openInspector, refusalOf } from './refusal.js';

/** The order for the process that enters another one. */
export interface EnterOrder extends Omit<AttachOrder, 'closeInspector'> {
  readonly pid: number;
  readonly uid: number | null;
  /** The file of the watch, whose text is sent. */
  readonly script: string;
}

export interface Entered {
  readonly answer: AttachAnswer;
  /** Whether the inspector was open before. Then it stays open. */
  readonly wasOpen: boolean;
  /** From the signal until the session was closed again, in milliseconds. */
  readonly openMs: number;
}

/** So long the inspector may take to open: a program that computes opens it all the same, one in a native call does not. */
const OPEN_MS = 10_000;
const LOOK_MS = 15;
const CLOSE_MS = 3000;
const OLDEST_NODE = [20, 19] as const;

/** The facts of a process that can be attached. Throws an AttachError that says why not. Changes nothing. */
export async function attachable(pid: number, uid: number | null): Promise<ProcessFacts> {
  const facts = await linuxProcess(pid);
  if (facts === null) throw new AttachError('ERR_ATTACH_PROCESS', `there is no process ${pid}`);
  const refusal = refusalOf(facts, { uid, portTakenBy: await takerOf(facts) });
  if (refusal !== null) throw refusal;
  return facts;
}

/** The one thing that is done to a process from outside. */
export type SendSignal = (pid: number, signal: 'SIGUSR1') => void;

/** Opens the inspector of a process, loads the watch into it, and hangs up. The watch then closes the inspector. */
export async function enter(order: EnterOrder, send: SendSignal): Promise<Entered> {
  const facts = await attachable(order.pid, order.uid);
  const source = await readFile(order.script, 'utf8');
  const before = openInspector(facts);
  const begunAt = performance.now();
  const address = before ?? (await signaled(facts, send));
  const session = await openInspectorSession(address);
  try {
    await prove(session, order.pid);
    const { leash, name, leakAfterMs, script } = order;
    const own: AttachOrder = { leash, name, leakAfterMs, closeInspector: before === null };
    const answer = await session.run<AttachAnswer>(expressionOf(source, own, script));
    return { answer, wasOpen: before !== null, openMs: performance.now() - begunAt };
  } catch (error) {
    if (before === null) await session.run(CLOSE_SOON).catch(() => {});
    await session.close();
    if (before === null) await closed(order.pid, address.port);
    throw error;
  } finally {
    await session.close();
  }
}

/** Waits until the inspector is closed, so that nothing has changed when the user reads why it failed. */
async function closed(pid: number, port: number): Promise<void> {
  for (const endAt = performance.now() + CLOSE_MS; performance.now() < endAt; ) {
    await new Promise((done) => setTimeout(done, LOOK_MS));
    const sockets = await socketsOf(`/proc/${pid}`);
    if (!sockets.some((one) => one.port === port && one.state === 'listening')) return;
  }
}

/** After this session has hung up: Node waits for its sessions as it closes the inspector. */
const CLOSE_SOON = `void setTimeout(() => { try { ${requireText('node:inspector')}.close(); } catch {} }, 100)`;

/** Sends the signal, and gives the address at which the inspector of that process, and no other, has begun to listen. */
async function signaled(facts: ProcessFacts, send: SendSignal): Promise<InspectorAddress> {
  const { pid } = facts;
  const known = new Set(facts.sockets.map(({ inode }) => inode));
  send(pid, 'SIGUSR1');
  for (const endAt = performance.now() + OPEN_MS; performance.now() < endAt; ) {
    await new Promise((done) => setTimeout(done, LOOK_MS));
    // An inode is of one socket, so that no other program's port is taken for it.
    const fresh = (await socketsOf(`/proc/${pid}`)).filter(
      ({ state, inode }) => state === 'listening' && !known.has(inode),
    );
    const wanted = facts.flags.port === 0 ? fresh : fresh.filter(({ port }) => port === facts.flags.port);
    const [found] = wanted;
    if (found === undefined) continue;
    if (isLoopback(found.host)) return found;
    await closeExposed(found.port);
    throw new AttachError(
      'ERR_ATTACH_PORT',
      `the inspector of process ${pid} opened on ${found.host}, where other machines reach it; poolctl has closed it again`,
    );
  }
  const now = await linuxProcess(pid);
  if (now === null) throw new AttachError('ERR_ATTACH_PROCESS', `process ${pid} has ended`);
  throw new AttachError(
    'ERR_ATTACH_INSPECTOR',
    `process ${pid} got SIGUSR1 and has not opened its inspector within ${OPEN_MS / 1000} s`,
    {
      hint: 'the program handles SIGUSR1 itself, or a native call blocks its event loop; start it under poolctl run',
    },
  );
}

async function closeExposed(port: number): Promise<void> {
  try {
    const session = await openInspectorSession({ host: '127.0.0.1', port });
    await session.run(CLOSE_SOON).finally(() => session.close());
  } catch {
    // Reported by the caller, who has no better way.
  }
}

/** The process itself says that it is the one that was meant, and that it can be watched. */
async function prove(session: InspectorSession, pid: number): Promise<void> {
  const [its, version] = await session.run<[number, string]>('[process.pid, process.version]');
  if (its !== pid) {
    throw new AttachError(
      'ERR_ATTACH_PORT',
      `the inspector is that of process ${its}, not of process ${pid}`,
    );
  }
  const [, major = 0, minor = 0] = (/^v(\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]))
    throw new AttachError(
      'ERR_ATTACH_NOT_NODE',
      `process ${pid} runs Node ${version}; ${OLDEST_NODE.join('.')} or later is needed`,
    );
}

function expressionOf(source: string, order: AttachOrder, file: string): string {
  // With the name of the file in the stacks, by which the watch leaves its own calls out.
  const code = `(function (require, module, exports, __filename) {${source}\n})`;
  const filename = JSON.stringify(file);
  return `(() => {
const load = ${requireText(null)};
const own = { exports: {} };
load('node:vm').runInThisContext(${JSON.stringify(code)}, { filename: ${filename} })(load, own, own.exports, ${filename});
return own.exports.attach(${JSON.stringify(order)});
})()`;
}

/** The inspector has `require` in every kind of program; newer Nodes have a function for it. */
function requireText(name: string | null): string {
  const load = "(typeof require === 'function' ? require : (name) => process.getBuiltinModule(name))";
  return name === null ? load : `${load}(${JSON.stringify(name)})`;
}

/** The owner of the port on which the inspector would open; null where it is free, or is that process's own. */
async function takerOf({ flags, sockets }: ProcessFacts): Promise<string | null> {
  if (flags.port === 0) return null;
  const own = new Set(sockets.map(({ inode }) => inode));
  const taken = (await listenersOn(flags.port)).some(
    ({ inode, host }) => !own.has(inode) && (host === flags.host || host === '0.0.0.0' || host === '::'),
  );
  if (!taken) return null;
  return (
    (await ownerOfPort(flags.port).catch((error: unknown) => asError(error).message)) ??
    'a program of another user'
  );
}
