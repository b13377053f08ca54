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
