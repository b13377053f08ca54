import type { ResourceSpec } from '../../types.js';

export const mongoClient: ResourceSpec = {
  id: 'pymongo-client',
  title: 'a MongoDB client',
  language: 'python',
  acquire: [
    { kind: 'function', name: 'MongoClient', from: ['pymongo'] },
    { kind: 'function', name: 'AsyncMongoClient', from: ['pymongo'] },
    { kind: 'function', name: 'AsyncIOMotorClient', from: ['motor'] },
  ],
  release: { methods: ['close'], takes: [], ofParent: [] },
  handoff: ['$handover'],
  protocol: [],
  isSync: true,
  block: 'closing',
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

export const mongoSession: ResourceSpec = {
  id: 'pymongo-session',
  title: 'a MongoDB session',
  language: 'python',
  acquire: [
    {
      kind: 'method',
      name: 'start_session',
      on: ['pymongo#MongoClient()', 'pymongo#AsyncMongoClient()', 'motor#AsyncIOMotorClient()'],
      named: /(mongo|^_?)client$/i,
    },
  ],
  release: { methods: ['end_session'], takes: [], ofParent: [] },
  handoff: ['$handover'],
  protocol: ['start_transaction', 'abort_transaction'],
  isSync: true,
  block: 'own',
  docs: {
    why: 'A session keeps its place on the server, and its transaction with the locks, until end_session().',
    leaks: `from pymongo import MongoClient

client = MongoClient("mongodb://localhost")

def ship(order):
    session = client.start_session()
    client.shop.orders.insert_one(order, session=session)
    session.end_session()`,
    fixed: `from pymongo import MongoClient

client = MongoClient("mongodb://localhost")

def ship(order):
    with client.start_session() as session:
        client.shop.orders.insert_one(order, session=session)`,
    exceptions: '`with client.start_session() as session` ends it.',
  },
};
