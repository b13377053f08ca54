import type { ResourceSpec } from '../types.js';

// Connections to message brokers.

export const amqpConnection: ResourceSpec = {
  id: 'amqp-connection',
  title: 'an AMQP connection',
  acquire: [
    {
      kind: 'method',
      name: 'connect',
      on: ['amqplib#', 'amqplib#default', 'amqp-connection-manager#'],
      isWhole: true,
      inFilesWith: 'amqplib',
    },
    { kind: 'function', name: 'connect', from: ['amqplib'], isWhole: true, inFilesWith: 'amqplib' },
  ],
  repair: { acquire: ['connect'], release: 'close', awaits: true, endsTransaction: true },
  release: { methods: ['close'], takes: [], ofParent: [] },
  protocol: [],
  docs: {
    why: 'A connection keeps a socket and a process of the broker until close().',
    leaks: `import amqp from 'amqplib';
export async function publish(url: string, text: string) {
  const connection = await amqp.connect(url);
  const channel = await connection.createConfirmChannel();
  await channel.sendToQueue('orders', Buffer.from(text));
  await channel.close();
  await connection.close();
}`,
    fixed: `import amqp from 'amqplib';
export async function publish(url: string, text: string) {
  const connection = await amqp.connect(url);
  try {
    const channel = await connection.createConfirmChannel();
    await channel.sendToQueue('orders', Buffer.from(text));
    await channel.close();
  } finally {
    await connection.close();
  }
}`,
    exceptions:
      'A client that the whole process shares, in a module or a field, is no leak. Neither is one that a function hands on.',
  },
};

/** Methods of channels. */
const CHANNEL_WORK =
  /(assertQueue|assertExchange|bindQueue|bindExchange|checkQueue|checkExchange|sendToQueue|prefetch|publish|waitForConfirms)\(/;

export const amqpChannel: ResourceSpec = {
  id: 'amqp-channel',
  title: 'an AMQP channel',
  acquire: [
    {
      kind: 'method',
      name: 'createChannel',
      on: ['amqplib#*'],
      isWhole: true,
      named: /^(conn|connection|amqp\w*|rabbit\w*)$/i,
      usedBy: /close\b/,
      inFilesWith: 'amqplib',
    },
    // Channels of a connection of unknown type are recognized by methods that only they have.
    { kind: 'method', name: 'createChannel', on: [], isWhole: true, usedBy: CHANNEL_WORK },
    {
      kind: 'method',
      name: 'createConfirmChannel',
      on: ['amqplib#*'],
      isWhole: true,
      named: /^(conn|connection|amqp\w*|rabbit\w*)$/i,
      usedBy: /close\b/,
      inFilesWith: 'amqplib',
    },
    // Channels of a connection of unknown type are recognized by methods that only they have.
    { kind: 'method', name: 'createConfirmChannel', on: [], isWhole: true, usedBy: CHANNEL_WORK },
  ],
  repair: {
    acquire: ['createChannel', 'createConfirmChannel'],
    release: 'close',
    awaits: true,
    endsTransaction: true,
  },
  release: { methods: ['close'], takes: [], ofParent: ['close'] },
  protocol: [],
  handoff: ['consume'],
  isPart: true,
  docs: {
    why: 'A connection has a limited number of channels (channel_max). One that is not closed stays open as long as the connection.',
    leaks: `import type { ChannelModel } from 'amqplib';
export async function publish(connection: ChannelModel, text: string) {
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('orders');
  channel.sendToQueue('orders', Buffer.from(text));
  await channel.waitForConfirms();
  await channel.close();
}`,
    fixed: `import type { ChannelModel } from 'amqplib';
export async function publish(connection: ChannelModel, text: string) {
  const channel = await connection.createConfirmChannel();
  try {
    await channel.assertQueue('orders');
    channel.sendToQueue('orders', Buffer.from(text));
    await channel.waitForConfirms();
  } finally {
    await channel.close();
  }
}`,
    exceptions: 'A channel that consumes is kept on purpose. Closing the connection closes its channels.',
  },
};

export const kafkaClient: ResourceSpec = {
  id: 'kafka-client',
  title: 'a Kafka producer, consumer or admin client',
  acquire: [
    {
      kind: 'method',
      name: 'producer',
      on: ['kafkajs#*'],
      isWhole: true,
      named: /^kafka/i,
      armedBy: ['connect'],
      inFilesWith: 'kafkajs',
    },
    {
      kind: 'method',
      name: 'consumer',
      on: ['kafkajs#*'],
      isWhole: true,
      named: /^kafka/i,
      armedBy: ['connect'],
      inFilesWith: 'kafkajs',
    },
    {
      kind: 'method',
      name: 'admin',
      on: ['kafkajs#*'],
      isWhole: true,
      named: /^kafka/i,
      armedBy: ['connect'],
      inFilesWith: 'kafkajs',
    },
  ],
  repair: {
    acquire: ['producer', 'consumer', 'admin'],
    release: 'disconnect',
    awaits: true,
    endsTransaction: true,
  },
  release: { methods: ['disconnect'], takes: [], ofParent: [] },
  protocol: ['connect'],
  handoff: ['run', 'subscribe'],
  docs: {
    why: 'From connect() on, a client keeps sockets to the brokers, and a consumer its place in the group, until disconnect().',
    leaks: `import type { Kafka } from 'kafkajs';
export async function publish(kafka: Kafka, value: string) {
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic: 'orders', messages: [{ value }] });
  await producer.disconnect();
}`,
    fixed: `import type { Kafka } from 'kafkajs';
export async function publish(kafka: Kafka, value: string) {
  const producer = kafka.producer();
  await producer.connect();
  try {
    await producer.send({ topic: 'orders', messages: [{ value }] });
  } finally {
    await producer.disconnect();
  }
}`,
    exceptions:
      'A consumer that runs is kept on purpose. A client that the whole process shares, in a module or a field, is no leak. Neither is one that a function hands on.',
  },
};
