import { generateKeyPairSync } from 'node:crypto'
import { createDatabase, createMemoryTransport } from '@pando/saga'
import {
  createEphemeral,
  createHost,
  createLog,
  createSessionStreams,
  createVerifier,
  loadConfig,
} from '@pando/service'
import { loadSigningKey } from '@pando/user'
import { createService, SERVICE_NAMES } from '../pando.ts'
import { PARTITIONS } from '../system.ts'

/** The OpenAPI document that the whole of Pando serves, of its routes as they are declared: nothing is started, asked or listened to. */
export async function describePando(): Promise<object> {
  const config = loadConfig({ LOG_LEVEL: 'warn', PASSWORD_HASH_MEMORY_KIB: '8', PASSWORD_HASH_PASSES: '1' })
  const log = createLog({ level: config.logLevel, name: 'pando' })
  const { privateKey } = generateKeyPairSync('ed25519')
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const signingKey = await loadSigningKey({ pem, dataDir: config.dataDir })
  const verifier = createVerifier({ keys: signingKey.jwks })
  // Connects with the first statement, and none comes.
  const db = createDatabase({ connectionString: 'postgresql://localhost' })
  const transport = createMemoryTransport()
  const { app, hub, origins, describe } = await createHost({ config, log, name: 'pando' })
  const ephemeral = createEphemeral({ hub, transport })
  const sessionStreams = createSessionStreams({ hub, transport })
  const services = SERVICE_NAMES.map((name) =>
    createService(
      name,
      {
        db,
        transport,
        partitions: PARTITIONS,
        hub,
        ephemeral,
        sessionStreams,
        verifier,
        origins,
        config,
        log,
        trace: undefined,
      },
      signingKey,
    ),
  )
  const document = await describe({ services, verifier, admin: () => [], checks: [], resources: [] })
  await app.close()
  return document
}
