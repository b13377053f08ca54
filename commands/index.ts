import type { CommandTable } from '../src/cli/command.js';

/** The subcommands, in the order of the help. What is not asked for is not loaded. */
export const commands: CommandTable = {
  init: {
    summary: 'set up poolctl for a project: config, CI step and baseline',
    load: async () => (await import('./init.js')).command,
  },
  'audit-leaks': {
    summary: 'find connection leaks in source code',
    load: async () => (await import('./audit-leaks.js')).command,
  },
  loadtest: {
    summary: 'load-test a connection pool and judge the result',
    load: async () => (await import('./loadtest.js')).command,
  },
  run: {
    summary: 'run an application and watch its connection pools',
    load: async () => (await import('./run.js')).command,
  },
  attach: {
    summary: 'look into the pools of a Node process that runs already',
    load: async () => (await import('./attach.js')).command,
  },
  size: {
    summary: 'recommend a pool size from a recording of the application',
    load: async () => (await import('./size.js')).command,
  },
  compare: {
    summary: 'compare two load test results',
    load: async () => (await import('./compare.js')).command,
  },
  merge: {
    summary: 'merge the segments of a load test into one result',
    load: async () => (await import('./merge.js')).command,
  },
  agent: {
    summary: 'wait at a queue, and run parts of load tests',
    load: async () => (await import('./agent.js')).command,
  },
  top: {
    summary: 'show live who holds connections and what blocks them',
    load: async () => (await import('./top.js')).command,
  },
  health: {
    summary: 'check pool health, for scripts and container probes',
    load: async () => (await import('./health.js')).command,
  },
  doctor: {
    summary: 'check databases, poolers and settings, with exact repairs',
    load: async () => (await import('./doctor.js')).command,
  },
  pgbouncer: {
    summary: 'configure, inspect and control PgBouncer',
    commands: {
      init: {
        summary: 'write pgbouncer.ini and userlist.txt for a database',
        load: async () => (await import('./pgbouncer-init.js')).command,
      },
      show: {
        summary: 'show pools, clients, servers and settings',
        load: async () => (await import('./pgbouncer-show.js')).command,
      },
      pause: {
        summary: 'pause PgBouncer for a while; it always resumes',
        load: async () => (await import('./pgbouncer-admin.js')).pause,
      },
      resume: {
        summary: 'end a pause',
        load: async () => (await import('./pgbouncer-admin.js')).resume,
      },
      reload: {
        summary: 'reload the configuration and verify it',
        load: async () => (await import('./pgbouncer-admin.js')).reload,
      },
      reconnect: {
        summary: 'replace each server connection once it is free',
        load: async () => (await import('./pgbouncer-admin.js')).reconnect,
      },
      kill: {
        summary: 'drop all connections of a database',
        load: async () => (await import('./pgbouncer-admin.js')).kill,
      },
      disable: {
        summary: 'refuse new clients of a database',
        load: async () => (await import('./pgbouncer-admin.js')).disable,
      },
      enable: {
        summary: 'accept new clients of a database again',
        load: async () => (await import('./pgbouncer-admin.js')).enable,
      },
      shutdown: {
        summary: 'shut PgBouncer down',
        load: async () => (await import('./pgbouncer-admin.js')).shutdown,
      },
    },
  },
  metrics: {
    summary: 'Prometheus metrics and alerts, Grafana dashboard',
    commands: {
      serve: {
        summary: 'export metrics of pools, PgBouncer and PostgreSQL',
        load: async () => (await import('./metrics-serve.js')).command,
      },
      dashboard: {
        summary: 'print a dashboard for Grafana',
        load: async () => (await import('./metrics-dashboard.js')).command,
      },
      alerts: {
        summary: 'print alerting rules for Prometheus',
        load: async () => (await import('./metrics-alerts.js')).command,
      },
    },
  },
  ib: {
    summary: 'check, simulate and stress broker gateways (TWS)',
    commands: {
      gateway: {
        summary: 'simulate a broker gateway (TWS) with faults',
        load: async () => (await import('./ib-gateway.js')).command,
      },
      ping: {
        summary: 'check whether a broker gateway (TWS) is usable',
        load: async () => (await import('./ib-ping.js')).command,
      },
      stress: {
        summary: 'stress broker connections through the worst trading day',
        load: async () => (await import('./ib-stress.js')).command,
      },
    },
  },
  ws: {
    summary: 'stress WebSocket feed subscriptions',
    commands: {
      stress: {
        summary: 'break a WebSocket feed and check that no subscription is lost',
        load: async () => (await import('./ws-stress.js')).command,
      },
    },
  },
  explain: {
    summary: 'explain an error, check, cause or leak rule',
    load: async () => (await import('./explain.js')).command,
  },
  completion: {
    summary: 'print a script that completes commands, options and values in a shell',
    load: async () => (await import('./completion.js')).command,
  },
};
