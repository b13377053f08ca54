// The HTTP server of `npm run bench:adaptive`, in a process of its own: /cpu works for a while, /wait rests.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const ms = Number(searchParams.get('ms'));
  if (pathname === '/wait') {
    setTimeout(() => response.end('done'), ms);
    return;
  }
  const until = performance.now() + ms;
  while (performance.now() < until);
  response.end('done');
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.(typeof address === 'object' && address !== null ? address.port : 0);
});
process.on('disconnect', () => process.exit());
