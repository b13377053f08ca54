import type { ResourceSpec } from '../../types.js';

export const mongoClient: ResourceSpec = {
  id: 'pymongo-client',
  title: 'a MongoDB client',
  language: 'python',
  acquire: [
    { kind: 'function', name: 'MongoClient', from: ['pymongo'] },
    { kind: 'function', name: 'AsyncMongoClient', from: ['pymongo'] },
    { kind: 'function', name: 'AsyncIOMotorClient', from: ['motor'] },
    {
      kind: 'method',
      name: 'start_session',
      on: ['pymongo#MongoClient()', 'motor#AsyncIOMotorClient()'],
      named: /(mongo|^_?)client$/i,
    },
  ],
  release: { methods: ['close', 'end_session'], takes: [], ofParent: [] },
  handoff: ['$handover'],
  protocol: ['start_transaction', 'abort_transaction'],
  isSync: true,
  docs: {
    why: 'A client has a pool of connections and threads that watch the servers. Make one per process.',
    leaks: `from pymongo import MongoClient

def count(url):
    client = MongoClient(url)
    total = client.shop.orders.count_documents({})
    client.close()
    return total`,
    fixed: `from pymongo import MongoClient

def count(url):
    with MongoClient(url) as client:
        return client.shop.orders.count_documents({})`,
    exceptions: 'A client that a module keeps for the life of the process is no leak.',
  },
};
