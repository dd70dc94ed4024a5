import {
  createDatabase,
  createMemoryLog,
  createMemoryTransport,
  createPostgresTransport,
  type Database,
  type Transport,
} from '../../src/index.ts'
import { PARTITIONS } from '../stock.ts'
import type { Variant } from './plan.ts'
import { prepareShop } from './writers.ts'

type NamedDatabase = Database & { readonly url: string }

/** The databases and the log that all rounds of a test share. */
export interface World {
  /** Where items change. */
  shop: NamedDatabase
  /** Services that hear of it. The instances of `blind` do not know of each other: each believes to own all lanes. */
  services: { name: 'fair' | 'blind'; db: NamedDatabase }[]
  /** The names of the databases. */
  databases: { services: string[]; all: string[] }
  /** A transport of a process of its own. */
  join(): Promise<Transport>
}

/** Makes the world. `open` makes a database with the tables of a stock service, which the caller drops. */
export async function createWorld(
  kind: 'memory' | 'postgres',
  variant: Variant,
  open: (prepared: boolean) => Promise<NamedDatabase>,
): Promise<World> {
  const shop = await open(true)
  await prepareShop(shop)
  const services: World['services'] = [
    { name: 'fair', db: await open(true) },
    { name: 'blind', db: await open(true) },
  ]
  if (variant === 'no inbox' || variant === 'fence alone') for (const { db } of services) await forget(db)
  const shared = createMemoryLog()
  const log = kind === 'postgres' ? await open(false) : undefined
  const join = async (): Promise<Transport> => {
    if (!log) return createMemoryTransport({ shared })
    const db = createDatabase({ connectionString: log.url, applicationName: 'log' })
    const transport = await createPostgresTransport({ db }).catch(async (thrown: unknown) => {
      await db.close()
      throw thrown
    })
    return {
      ...transport,
      async close() {
        await transport.close()
        await db.close()
      },
    }
  }
  const first = await join()
  await first.ensureTopics(['stock'], PARTITIONS)
  await first.close()
  const databases = { services: services.map(({ db }) => nameOf(db)), all: [] as string[] }
  databases.all = [...databases.services, nameOf(shop), ...(log ? [nameOf(log)] : [])]
  return { shop, services, databases, join }
}

const nameOf = ({ url }: NamedDatabase): string => new URL(url).pathname.slice(1)

/** An inbox that keeps nothing. */
async function forget(db: Database): Promise<void> {
  await db.query(`
    create function forget() returns trigger language plpgsql as $$ begin delete from saga.inbox; return null; end $$;
    create trigger forget after insert on saga.inbox for each statement execute function forget()`)
}
