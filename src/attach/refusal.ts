import { basename } from 'node:path';
import { AttachError } from './errors.js';
import { isLoopback } from './flags.js';
import type { ProcessFacts } from './linux-process.js';

export interface Surroundings {
  readonly uid: number | null;
  /** The owner of the port on which the inspector would open, if it is not that process itself; null: it is free. */
  readonly portTakenBy: string | null;
}

/** Why a process cannot be attached; null where nothing speaks against it. Pure. */
export function refusalOf(facts: ProcessFacts, { uid, portTakenBy }: Surroundings): AttachError | null {
  const { pid, flags } = facts;
  if (facts.state === 'ended') return new AttachError('ERR_ATTACH_PROCESS', `process ${pid} has ended`);
  if (uid !== facts.uid) {
    return new AttachError('ERR_ATTACH_USER', `process ${pid} belongs to the user with id ${facts.uid}`, {
      hint: `run poolctl as that user: sudo -u '#${facts.uid}' poolctl attach ${pid}`,
    });
  }
  const notNode = notNodeOf(facts);
  if (notNode !== null) return notNode;
  if (facts.foreign.length > 0) {
    return new AttachError(
      'ERR_ATTACH_NAMESPACE',
      `process ${pid} is in another container: its ${facts.foreign.map((name) => NAMESPACE_WORDS[name] ?? name).join(' and ')} differ from those of poolctl`,
      { hint: 'run poolctl inside that container, for example with docker exec' },
    );
  }
  if (facts.state !== 'running') {
    return new AttachError(
      facts.state === 'traced' ? 'ERR_ATTACH_DEBUGGED' : 'ERR_ATTACH_INSPECTOR',
      `process ${pid} ${facts.state === 'traced' ? 'is held by a debugger of the system, such as gdb' : 'is stopped'}`,
      { hint: facts.state === 'stopped' ? `continue it first: kill -CONT ${pid}` : null },
    );
  }
  if (flags.shutBy !== null) {
    return new AttachError(
      'ERR_ATTACH_INSPECTOR',
      `process ${pid} was started with ${flags.shutBy}, which keeps its inspector shut`,
      { hint: 'restart it under poolctl run, or without that option' },
    );
  }
  if (!isLoopback(flags.host)) {
    return new AttachError(
      'ERR_ATTACH_PORT',
      `the inspector of process ${pid} opens on ${flags.host}, where other machines can run code in it`,
      { hint: 'start it with --inspect-port=127.0.0.1:9229, or under poolctl run' },
    );
  }
  return openInspector(facts) === null ? signalRefusal(facts, portTakenBy) : debuggedRefusal(facts);
}

/** The socket of an inspector that is open already; null where none is. */
export function openInspector({ flags, sockets }: ProcessFacts): { host: string; port: number } | null {
  const open = sockets.filter(({ state, host }) => state === 'listening' && isLoopback(host));
  return open.find(({ port }) => port === flags.port) ?? null;
}

const NAMESPACE_WORDS: Readonly<Record<string, string>> = {
  pid: 'process ids',
  mnt: 'files',
  net: 'network',
};

function notNodeOf({ pid, program, commandLine }: ProcessFacts): AttachError | null {
  if (program === null && commandLine.length === 0)
    return new AttachError('ERR_ATTACH_NOT_NODE', `process ${pid} is part of the system, not a program`);
  const name = basename(program ?? commandLine[0] ?? '');
  if (/^node(?:js)?(?:[-_]?v?\d[\d.]*)?$/.test(name)) return null;
  const known = /^(bun|deno|electron)\b/i.exec(name)?.[1];
  return new AttachError(
    'ERR_ATTACH_NOT_NODE',
    `process ${pid} runs ${name}, which is ${known === undefined ? 'not the program node' : 'not Node'}`,
    { hint: 'name the process of node itself, not that of npm, a shell or a container around it' },
  );
}

function signalRefusal(
  { pid, sigusr1, flags }: ProcessFacts,
  portTakenBy: string | null,
): AttachError | null {
  switch (sigusr1) {
    case 'default':
      return new AttachError(
        'ERR_ATTACH_INSPECTOR',
        `process ${pid} does not handle SIGUSR1, which would end it: it is still starting, or its inspector is disabled`,
        { hint: 'try again in a moment, or restart it under poolctl run' },
      );
    case 'ignored':
    case 'blocked':
      return new AttachError(
        'ERR_ATTACH_INSPECTOR',
        sigusr1 === 'ignored'
          ? `process ${pid} ignores SIGUSR1, so its inspector does not open`
          : `every thread of process ${pid} blocks SIGUSR1, so its inspector does not open`,
        { hint: 'restart it under poolctl run' },
      );
    case 'caught':
      return portTakenBy === null
        ? null
        : new AttachError(
            'ERR_ATTACH_PORT',
            `the inspector of process ${pid} cannot open: port ${flags.port} is taken by ${portTakenBy}`,
            { hint: 'end that program, or start the process with another --inspect-port' },
          );
  }
}

function debuggedRefusal({ pid, flags, sockets }: ProcessFacts): AttachError | null {
  const isUsed = sockets.some(({ state, port }) => state === 'connected' && port === flags.port);
  return isUsed
    ? new AttachError(
        'ERR_ATTACH_DEBUGGED',
        `a debugger is connected to process ${pid}, which may hold it at any line`,
        { hint: 'disconnect the debugger first' },
      )
    : null;
}
