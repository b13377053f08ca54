import type { ResourceSpec } from '../../types.js';

const OPENING = ['connect', 'connectAsync'];

export const ibConnection: ResourceSpec = {
  id: 'ib-async-connection',
  title: 'a connection to Interactive Brokers',
  language: 'python',
  acquire: [{ kind: 'function', name: 'IB', from: ['ib_insync', 'ib_async'], armedBy: OPENING }],
  release: { methods: ['disconnect'], takes: [], ofParent: [] },
  returnsItself: OPENING,
  handoff: ['$handover', 'Watchdog'],
  protocol: OPENING,
  isSync: true,
  docs: {
    why: 'A connection keeps its client id at the gateway until disconnect(); the next one with that id is refused.',
    leaks: `from ib_async import IB

def positions(port):
    ib = IB()
    ib.connect("127.0.0.1", port, clientId=3)
    found = ib.positions()
    ib.disconnect()
    return found`,
    fixed: `from ib_async import IB

def positions(port):
    ib = IB()
    ib.connect("127.0.0.1", port, clientId=3)
    try:
        return ib.positions()
    finally:
        ib.disconnect()`,
    exceptions: 'IB() alone holds nothing. What is handed to Watchdog belongs to it.',
  },
};
