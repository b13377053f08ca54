import {
  Controller,
  Get,
  Inject,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  type OnApplicationShutdown,
  Param,
} from '@nestjs/common';
import { createDatabase, currentSession, type Database, sessionPerRequest } from 'poolctl';

const DATABASE = Symbol('database');

@Injectable()
class Orders {
  /** Uses the session of the request, which is closed with the response. */
  async revenue(day: string) {
    const session = await currentSession();
    const { rows } = await session.query('select sum(amount) as total from orders where day = ?', [day]);
    return rows[0];
  }
}

@Controller('revenue')
class RevenueController {
  constructor(@Inject(Orders) private readonly orders: Orders) {}

  @Get(':day')
  revenue(@Param('day') day: string) {
    return this.orders.revenue(day);
  }
}

@Controller('pool')
class PoolController {
  constructor(@Inject(DATABASE) private readonly db: Database) {}

  @Get()
  pool() {
    const { inUse, idle, waiting } = this.db.pool.snapshot();
    return { inUse, idle, waiting };
  }
}

@Module({
  controllers: [RevenueController, PoolController],
  providers: [
    Orders,
    {
      provide: DATABASE,
      useFactory: () => createDatabase(process.env.DATABASE_URL ?? 'sqlite:orders.db', { size: 5 }),
    },
  ],
})
export class AppModule implements NestModule, OnApplicationShutdown {
  constructor(@Inject(DATABASE) private readonly db: Database) {}

  /** One session per request, opened at its first use. */
  configure(consumer: MiddlewareConsumer) {
    consumer.apply(sessionPerRequest(this.db)).forRoutes('revenue');
  }

  async onApplicationShutdown() {
    await this.db.close();
  }
}
