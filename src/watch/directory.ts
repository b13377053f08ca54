import { chmod, lstat, mkdir } from 'node:fs/promises';
import { posix } from 'node:path';
import { CodedError } from '../base/coded-error.js';

/** The user whose sockets are meant, and the place for them on this system. */
export interface SocketOwner {
  readonly platform: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** null on Windows. */
  readonly uid: number | null;
  readonly userName: string;
  /** As `os.tmpdir()` has it. */
  readonly tempFolder: string;
}

/** The folder of sockets is somebody else's, or no folder: what lies there cannot be trusted. */
export class SocketFolderError extends CodedError<'ERR_SOCKET_FOLDER'> {
  constructor(message: string, hint: string, cause?: unknown) {
    super('ERR_SOCKET_FOLDER', message, { cause, hint });
    this.name = 'SocketFolderError';
  }
}

/** The folder for the sockets of that user's published applications; on Windows, the pipes of all users. */
export function socketFolder(owner: SocketOwner): string {
  if (owner.platform === 'win32') return '\\\\.\\pipe\\';
  const { XDG_RUNTIME_DIR: runtime } = owner.env;
  // The XDG standard requires that a relative path is ignored.
  return runtime?.startsWith('/')
    ? posix.join(runtime, 'poolctl')
    : posix.join(owner.tempFolder, `poolctl-${owner.uid}`);
}

/** The `n`th socket of a process. */
export function socketPath(owner: SocketOwner, pid: number, n: number): string {
  const folder = socketFolder(owner);
  return owner.platform === 'win32'
    ? `${folder}${pipePrefix(owner)}${pid}-${n}`
    : posix.join(folder, `${pid}-${n}.sock`);
}

/** The process whose socket has that name; null if the name is not one of ours. */
export function socketPid(owner: SocketOwner, name: string): number | null {
  if (owner.platform !== 'win32') return pidOf(/^(\d{1,10})-\d{1,10}\.sock$/.exec(name));
  const prefix = pipePrefix(owner);
  return name.startsWith(prefix) ? pidOf(/^(\d{1,10})-\d{1,10}$/.exec(name.slice(prefix.length))) : null;
}

/**
 * Makes the folder where it is missing, and sees to it that nobody else can get in. Throws a SocketFolderError where
 * another user has made it before: in a temporary folder anybody may.
 */
export async function ensureSocketFolder(owner: SocketOwner): Promise<string> {
  const folder = socketFolder(owner);
  if (owner.platform === 'win32') return folder;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SocketFolderError(`cannot make the folder for sockets: ${why}`, HINT, cause);
  }
  await checkSocketFolder(owner);
  return folder;
}

/** Whether the folder is there. Throws a SocketFolderError where it is, but is not that user's own. */
export async function checkSocketFolder(owner: SocketOwner): Promise<boolean> {
  const folder = socketFolder(owner);
  if (owner.platform === 'win32') return true;
  // Not stat: a link may lead to a folder that is all right, and be turned elsewhere later.
  const found = await lstat(folder).catch(() => null);
  if (found === null) return false;
  if (!found.isDirectory()) throw new SocketFolderError(`${folder} is no folder`, HINT);
  if (found.uid !== owner.uid)
    throw new SocketFolderError(`${folder} belongs to the user with id ${found.uid}`, HINT);
  if ((found.mode & 0o077) !== 0) await chmod(folder, 0o700);
  return true;
}

const HINT = 'remove it, or set XDG_RUNTIME_DIR to a folder of your own';

function pipePrefix({ userName }: SocketOwner): string {
  return `poolctl-${userName.replace(/[^\w.]/g, '_')}-`;
}

function pidOf(match: RegExpExecArray | null): number | null {
  return match === null ? null : Number(match[1]);
}
