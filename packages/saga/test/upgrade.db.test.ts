import assert from 'node:assert/strict'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { pathToFileURL } from 'node:url'
import { testDatabase } from '../../../test/support/postgres.ts'
import { createSagas } from '../src/sagas.ts'
import { migrate } from '../src/migrate.ts'

const MIGRATIONS = new URL('../sql/service/', import.meta.url)

test('sagas of a database from before 002 are the same after it', async (t) => {
  const db = await testDatabase(t)
  const folder = await mkdtemp(join(tmpdir(), 'migrations-'))
  t.after(() => rm(folder, { recursive: true }))
  await copyFile(new URL('001_saga.sql', MIGRATIONS), join(folder, '001_saga.sql'))
  await migrate(db, { schema: 'saga', directory: pathToFileURL(`${folder}/`) })

  const id = '0198d3b0-7c1e-7bbb-8f5e-3b1d5f6a7c8d'
  const view =
    `{"id":"${id}","type":"sign-up","status":"running","version":1,"steps":{"zoo":{"status":"pending"},"aviary":{"status":"done"}},` +
    '"reason":null,"startedAt":"2026-01-01T00:00:00.000Z","deadline":"2026-01-01T00:00:30.000Z","endedAt":null}'
  const start = { id, correlationId: id, data: { userId: '나윤', price: 1.5 } }
  await db.query(
    `insert into saga.saga (id, type, owner_id, status, version, state, started_at, deadline, due_at)
     values ($1, 'sign-up', 'o', 'running', 1, $2, now(), now(), now())`,
    [id, `{"view":${view},"ownerId":"o","start":${JSON.stringify(start)}}`],
  )
  await migrate(db, { schema: 'saga', directory: MIGRATIONS })

  const state = await createSagas({ db, sagas: [] }).find('sign-up', id)
  assert.deepEqual(state, { view: JSON.parse(view), ownerId: 'o', start })
  // To the letter: the end of a saga is seen by how its text ends.
  assert.equal(JSON.stringify(state?.view), view)
})
