import type { AcquirePattern, ResourceSpec } from '../../types.js';

/** The methods that take a connection for a session. `add` and `begin` do not. */
const USES = (
  'query execute exec scalar scalars get get_one flush commit refresh merge connection stream stream_scalars run_sync ' +
  'bulk_save_objects bulk_insert_mappings bulk_update_mappings delete'
).split(' ');

function session(name: string, from: readonly string[]): AcquirePattern {
  return {
    kind: 'function',
    name,
    from,
    armedBy: USES,
    holdsOnFailure: true,
    disarmedBy: ['commit', 'rollback'],
    borrows: /\bget_bind\b|\bconn(ection)?\b|\.connect\(|\bop\.get_context\b/,
  };
}

const ORM = ['sqlalchemy', 'sqlmodel'];

/**
 * A session is a lazy lease: its first query takes a connection, commit and rollback give it back, and the next query
 * takes one again. Measured with SQLAlchemy 2.0.54 and QueuePool.
 */
export const sqlalchemySession: ResourceSpec = {
  id: 'sqlalchemy-session',
  title: 'a SQLAlchemy session',
  language: 'python',
  acquire: [
    session('Session', ORM),
    session('AsyncSession', ORM),
    session('sessionmaker', ORM),
    session('async_sessionmaker', ORM),
    session('scoped_session', ORM),
    session('async_scoped_session', ORM),
    session('create_session', ORM),
  ],
  release: {
    methods: ['close', 'aclose', 'remove', 'close_all', 'invalidate', 'reset'],
    takes: ['close_session'],
    ofParent: [],
  },
  handoff: ['$handover'],
  protocol: [
    'begin',
    'begin_nested',
    'rollback',
    'expunge',
    'expunge_all',
    'expire',
    'expire_all',
    'add',
    'add_all',
  ],
  isSync: true,
  block: 'own',
  docs: {
    why: 'A session takes a connection with its first query, and keeps it until commit, rollback or close. A session that is only dropped keeps it until the garbage collector finds the cycle that it is in.',
    leaks: `from sqlalchemy import select
from sqlalchemy.orm import Session

def names(engine):
    session = Session(engine)
    rows = session.execute(select(User.name)).all()
    session.close()
    return rows`,
    fixed: `from sqlalchemy import select
from sqlalchemy.orm import Session

def names(engine):
    with Session(engine) as session:
        return session.execute(select(User.name)).all()`,
    exceptions:
      'A session that was never used holds nothing. One that is bound to a connection takes none from a pool.',
  },
};

export const sqlalchemyConnection: ResourceSpec = {
  id: 'sqlalchemy-connection',
  title: 'a SQLAlchemy connection',
  language: 'python',
  acquire: (['connect', 'raw_connection'] as const).map((name) => ({
    kind: 'method',
    name,
    inFilesWith: 'ngine',
    on: [
      'sqlalchemy#create_engine()',
      'sqlmodel#create_engine()',
      'sqlalchemy#create_async_engine()',
      'sqlalchemy#Engine',
      'sqlalchemy#AsyncEngine',
    ],
    named: /engine$|^_?eng$/i,
  })),
  release: { methods: ['close', 'aclose', 'invalidate', 'detach'], takes: [], ofParent: [] },
  handoff: ['$handover'],
  protocol: ['begin', 'begin_nested', 'rollback', 'cursor', 'execution_options'],
  isSync: true,
  block: 'own',
  docs: {
    why: 'A connection stays checked out until close(). One that is only dropped goes back when the garbage collector finds it, which may be after the pool has run dry.',
    leaks: `from sqlalchemy import create_engine, text

engine = create_engine("postgresql://localhost/shop")

def count():
    connection = engine.connect()
    total = connection.execute(text("select count(*) from orders")).scalar()
    connection.close()
    return total`,
    fixed: `from sqlalchemy import create_engine, text

engine = create_engine("postgresql://localhost/shop")

def count():
    with engine.connect() as connection:
        return connection.execute(text("select count(*) from orders")).scalar()`,
    exceptions: 'engine.begin() can only be used with `with`, which gives the connection back.',
  },
};
