import type { ResourceSpec } from '../../types.js';

export const pythonFile: ResourceSpec = {
  id: 'python-file',
  title: 'an open file',
  language: 'python',
  acquire: [
    { kind: 'function', name: 'open', from: ['builtins', 'io', 'codecs', 'gzip', 'bz2', 'lzma', 'tarfile'] },
    { kind: 'function', name: 'ZipFile', from: ['zipfile'] },
    { kind: 'function', name: 'urlopen', from: ['urllib'] },
  ],
  release: { methods: ['close', 'detach'], takes: [], ofParent: [] },
  handoff: ['$handover'],
  protocol: ['fileno', 'isatty', 'seekable', 'tell'],
  isSync: true,
  block: 'closing',
  isReclaimed: true,
  docs: {
    why: 'A file stays open until close(). CPython closes it with its last reference, so the leak is a note. Other implementations, and an exception that is kept, leave it open.',
    leaks: `def first_line(path):
    file = open(path)
    line = file.readline()
    file.close()
    return line`,
    fixed: `def first_line(path):
    with open(path) as file:
        return file.readline()`,
    exceptions: '`open(path, "w").close()` closes at once.',
  },
};
