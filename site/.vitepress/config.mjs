import { readdirSync } from 'node:fs';
import { defineConfig } from 'vitepress';

const guide = (text, name) => ({ text, link: `/guides/${name}` });
const reference = (text, name) => ({ text, link: `/reference/${name}` });
const pagesIn = (folder) =>
  readdirSync(new URL(`../pages/${folder}`, import.meta.url))
    .filter((name) => name.endsWith('.md') && name !== 'index.md')
    .map((name) => name.replace(/\.md$/, ''));

const guides = [
  {
    text: 'Guides',
    items: [
      guide('Find a leak', 'find-a-leak'),
      guide('Find leaks with ESLint', 'eslint'),
      guide('Prove a pool', 'prove-a-pool'),
      guide('Load from many machines', 'load-from-many-machines'),
      guide('Choose a pool size', 'choose-a-pool-size'),
      guide('Read a diagnosis', 'read-a-diagnosis'),
      guide('Watch production', 'watch-production'),
      guide('Attach to a running process', 'attach-to-a-running-process'),
      guide('Set up PgBouncer', 'set-up-pgbouncer'),
      guide('HTTP', 'http'),
      guide('WebSocket feeds', 'feeds'),
      guide('Broker connections', 'broker-connections'),
      guide('Use the library', 'use-the-library'),
      guide('CI', 'ci'),
      guide('Containers', 'containers'),
    ],
  },
  {
    text: 'Coming from',
    items: [
      guide('pg.Pool', 'from-pg-pool'),
      guide('SQLAlchemy', 'from-sqlalchemy'),
      guide('HikariCP', 'from-hikaricp'),
    ],
  },
  { text: 'Examples', link: '/examples/' },
];

const references = [
  {
    text: 'Reference',
    items: [
      reference('Commands', 'commands'),
      reference('Options', 'options'),
      reference('Configuration', 'config'),
      reference('Checks', 'checks'),
      reference('Causes', 'causes'),
      reference('Leak rules and resources', 'leak-rules'),
      reference('Metrics', 'metrics'),
      reference('Events', 'events'),
      reference('Errors', 'errors'),
      reference('Exit codes', 'exit-codes'),
      reference('JSON output', 'json-output'),
      reference('Library', 'library'),
      { text: 'Library API', link: '/api/' },
    ],
  },
  {
    text: 'Commands',
    collapsed: true,
    items: pagesIn('reference/commands').map((name) => ({
      text: name.replace('-', ' ').replace('audit leaks', 'audit-leaks'),
      link: `/reference/commands/${name}`,
    })),
  },
  {
    text: 'Leak rules',
    collapsed: true,
    items: pagesIn('rules').map((name) => ({ text: name, link: `/rules/${name}` })),
  },
];

export default defineConfig({
  title: 'poolctl',
  description: 'Finds out why a connection pool runs dry.',
  srcDir: 'pages',
  cleanUrls: false,
  lastUpdated: false,
  // Browsers ask for /favicon.ico otherwise, which is not there.
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  // The repository has its own links; those of the site must all be there.
  ignoreDeadLinks: false,
  // `http(s)://` is no smiley.
  markdown: { emoji: { shortcuts: {} } },
  themeConfig: {
    nav: [
      { text: 'Guides', link: '/guides/find-a-leak', activeMatch: '^/(guides|examples)/' },
      { text: 'Reference', link: '/reference/commands', activeMatch: '^/(reference|rules|api)/' },
      { text: 'Changelog', link: '/project/changelog' },
    ],
    sidebar: {
      '/reference/': references,
      '/rules/': references,
      '/api/': references,
      '/': [
        ...guides,
        {
          text: 'Project',
          items: [
            { text: 'Contributing', link: '/project/contributing' },
            { text: 'Decisions', link: '/decisions/' },
            { text: 'Security', link: '/project/security' },
            { text: 'Releasing', link: '/releasing' },
          ],
        },
      ],
    },
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: 'https://github.com/poolctl/poolctl' }],
  },
});
