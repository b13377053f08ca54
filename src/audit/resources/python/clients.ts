import type { ResourceSpec } from '../../types.js';

export const aiohttpSession: ResourceSpec = {
  id: 'aiohttp-session',
  title: 'an aiohttp session',
  language: 'python',
  acquire: [{ kind: 'function', name: 'ClientSession', from: ['aiohttp'] }],
  release: { methods: ['close', 'detach'], takes: [], ofParent: [] },
  handoff: ['$handover'],
  protocol: [],
  isSync: true,
  block: 'async',
  docs: {
    why: 'A session keeps a pool of sockets open until close(), which has to be awaited.',
    leaks: `import aiohttp

async def page(url):
    session = aiohttp.ClientSession()
    response = await session.get(url)
    text = await response.text()
    await session.close()
    return text`,
    fixed: `import aiohttp

async def page(url):
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as response:
            return await response.text()`,
    exceptions: 'A session that an application keeps until it stops is no leak.',
  },
};

export const httpClient: ResourceSpec = {
  id: 'httpx-client',
  title: 'an httpx client',
  language: 'python',
  acquire: [{ kind: 'function', name: 'AsyncClient', from: ['httpx'] }],
  release: { methods: ['aclose', 'close'], takes: [], ofParent: [] },
  handoff: ['$handover'],
  protocol: [],
  isSync: true,
  block: 'async',
  docs: {
    why: 'An asynchronous client keeps a pool of sockets open until aclose(), which has to be awaited.',
    leaks: `import httpx

async def page(url):
    client = httpx.AsyncClient()
    response = await client.get(url)
    await client.aclose()
    return response.text`,
    fixed: `import httpx

async def page(url):
    async with httpx.AsyncClient() as client:
        response = await client.get(url)
        return response.text`,
    exceptions: 'httpx.get() and its like open and close a client of their own.',
  },
};

export const syncHttpClient: ResourceSpec = {
  id: 'python-http-client',
  title: 'an HTTP client',
  language: 'python',
  acquire: [
    { kind: 'function', name: 'Session', from: ['requests', 'requests_html', 'cloudscraper'] },
    { kind: 'function', name: 'session', from: ['requests'] },
    { kind: 'function', name: 'Client', from: ['httpx'] },
    { kind: 'function', name: 'PoolManager', from: ['urllib3'] },
  ],
  release: { methods: ['close', 'clear'], takes: [], ofParent: [] },
  handoff: ['$handover'],
  protocol: ['mount'],
  isSync: true,
  block: 'closing',
  isReclaimed: true,
  docs: {
    why: 'A client keeps its idle sockets open until close(). They go with the last reference to it, and no pool runs dry, so the leak is a note.',
    leaks: `import requests

def page(url):
    session = requests.Session()
    text = session.get(url).text
    session.close()
    return text`,
    fixed: `import requests

def page(url):
    with requests.Session() as session:
        return session.get(url).text`,
    exceptions: 'A client that a module keeps for the life of the process is no leak.',
  },
};

const REDIS = ['redis', 'aioredis', 'rediscluster', 'valkey'];

export const redisClient: ResourceSpec = {
  id: 'python-redis-client',
  title: 'a Redis client',
  language: 'python',
  acquire: [
    ...[
      'Redis',
      'StrictRedis',
      'RedisCluster',
      'Valkey',
      'from_url',
      'create_redis_pool',
      'create_redis',
    ].map((name) => ({ kind: 'function' as const, name, from: REDIS })),
    {
      kind: 'method',
      name: 'from_url',
      on: REDIS.flatMap((module) => [`${module}#Redis`, `${module}#StrictRedis`]),
      named: /(?!)/,
    },
  ],
  release: { methods: ['close', 'aclose', 'wait_closed'], takes: [], ofParent: [] },
  handoff: ['$handover'],
  protocol: ['ping', 'initialize'],
  isSync: true,
  block: 'closing',
  isReclaimed: true,
  docs: {
    why: 'A client has a pool of connections of its own, which stay open until close(). They go with the last reference to it, so the leak is a note.',
    leaks: `import redis

def visits(url):
    client = redis.Redis.from_url(url)
    count = client.incr("visits")
    client.close()
    return count`,
    fixed: `import redis

def visits(url):
    with redis.Redis.from_url(url) as client:
        return client.incr("visits")`,
    exceptions: 'A client that a module keeps for the life of the process is no leak.',
  },
};

export const redisConnection: ResourceSpec = {
  id: 'python-redis-connection',
  title: 'a connection of a Redis pool',
  language: 'python',
  acquire: [
    {
      kind: 'method',
      name: 'get_connection',
      on: REDIS.flatMap((module) =>
        ['ConnectionPool', 'BlockingConnectionPool'].flatMap((type) => [
          `${module}#${type}`,
          `${module}#${type}()`,
        ]),
      ),
      named: /redis_?(connection_?)?pool/i,
    },
  ],
  release: { methods: ['disconnect'], takes: ['release'], ofParent: ['disconnect'] },
  handoff: ['$handover'],
  protocol: ['connect', 'send_command'],
  isSync: true,
  docs: {
    why: 'A pool keeps a reference to every connection that it has lent. Only release() brings it back.',
    leaks: `import redis

pool = redis.ConnectionPool(max_connections=5)

def ping():
    connection = pool.get_connection("PING")
    connection.send_command("PING")
    answer = connection.read_response()
    pool.release(connection)
    return answer`,
    fixed: `import redis

pool = redis.ConnectionPool(max_connections=5)

def ping():
    connection = pool.get_connection("PING")
    try:
        connection.send_command("PING")
        return connection.read_response()
    finally:
        pool.release(connection)`,
    exceptions: 'Commands of a client lease and release a connection by themselves.',
  },
};
