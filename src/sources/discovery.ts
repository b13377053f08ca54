import { readdir, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { onAbort } from '../base/abort.js';
import { ignore } from '../base/promises.js';
import { checkSocketFolder, type SocketOwner, socketFolder, socketPid } from '../watch/directory.js';

/** A socket on which an application publishes its pools. */
export interface FoundSocket {
  /** To be opened as a source. */
  readonly address: string;
  readonly path: string;
  readonly pid: number;
}

/**
 * The sockets of the user's live applications, by the number of their process. Those of processes that were killed
 * are removed. Throws a SocketFolderError where the folder is not the user's own.
 */
export async function findSockets(owner: SocketOwner, signal: AbortSignal): Promise<readonly FoundSocket[]> {
  if (!(await checkSocketFolder(owner))) return [];
  const folder = socketFolder(owner);
  const names = await readdir(folder).catch(() => []);
  const found = names.flatMap((name): FoundSocket[] => {
    const pid = socketPid(owner, name);
    const path = owner.platform === 'win32' ? folder + name : `${folder}/${name}`;
    return pid === null ? [] : [{ address: `pool:${path}`, path, pid }];
  });
  const live = await Promise.all(found.map(async (one) => ((await isLive(one.path, signal)) ? one : null)));
  return live.filter((one) => one !== null).sort((a, b) => a.pid - b.pid || (a.path < b.path ? -1 : 1));
}

async function isLive(path: string, signal: AbortSignal): Promise<boolean> {
  const failure = await knock(path, signal);
  // The system accepts connections for a stopped or busy process until the backlog is full: EAGAIN.
  if (failure === 'ECONNREFUSED') await unlink(path).catch(ignore);
  return failure === null || failure === 'EAGAIN';
}

/** The system's error for a connection; null if it was accepted. */
function knock(path: string, signal: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const end = (code: string | null): void => {
      stopWatching();
      socket.destroy();
      resolve(code);
    };
    const stopWatching = onAbort(signal, () => end('ABORTED'));
    socket.on('connect', () => end(null));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? ''));
    if (signal.aborted) end('ABORTED');
  });
}
