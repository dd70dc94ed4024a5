import { type Database, migrate } from '@pando/saga'
import type { ServiceName } from '../../system.ts'
import { type Scope, testDatabase } from './postgres.ts'

/**
 * A service's database as its service leaves it, without anything that runs on it: events stay in the outbox. `prepare`: what the service
 * does beyond its migrations.
 */
export function serviceDatabase(
  scope: Scope,
  service: Exclude<ServiceName, 'user'>,
  prepare: (db: Database) => Promise<void> = async () => {},
): Promise<Database & { readonly url: string }> {
  return testDatabase(scope, {
    template: service,
    async migrate(db) {
      const root = new URL('../../', import.meta.url)
      await migrate(db, { schema: 'saga', directory: new URL('packages/saga/sql/service/', root) })
      await migrate(db, { schema: service, directory: new URL(`services/${service}/sql/`, root) })
      await prepare(db)
    },
  })
}
