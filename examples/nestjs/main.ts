import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { createDatabase } from 'poolctl';
import { AppModule } from './app.module.ts';

// A table to ask, so that the example runs by itself.
const db = createDatabase(process.env.DATABASE_URL ?? 'sqlite:orders.db');
await db.withSession(async (session) => {
  await session.query('create table if not exists orders (day text not null, amount real not null)');
  await session.query('insert into orders values (?, ?)', ['2026-01-02', 7.5]);
});
await db.close();

const app = await NestFactory.create(AppModule, { logger: ['error'] });
app.enableShutdownHooks();
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
process.stdout.write(`listening on ${await app.getUrl()}\n`);
