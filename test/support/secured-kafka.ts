// A broker that takes nothing but encrypted connections of users with a password, at one of its addresses.
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, startKafka } from '../../tools/kafka/broker.ts'
import { javaProgram, kafkaJars } from '../../tools/kafka/jars.ts'
import { createLog } from '@pando/service'
import type { Scope } from './postgres.ts'

const run = promisify(execFile)
const KEYSTORE_PASSWORD = 'a password of the store'

export interface SecuredKafka {
  /** `host:port`, for TLS and SASL alone. */
  readonly brokers: string
  /** The path of the certificate that signs the broker's own. */
  readonly ca: string
  readonly username: string
  readonly password: string
}

/** Starts one whose user may log in by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. It is gone after the test. */
export async function securedKafka(scope: Scope): Promise<SecuredKafka> {
  const dataDir = await mkdtemp(join(tmpdir(), 'pando-test-'))
  scope.after(() => rm(dataDir, { recursive: true, force: true }))
  const [keystore, ca] = [join(dataDir, 'broker.p12'), join(dataDir, 'ca.pem')]
  const store = ['-alias', 'broker', '-keystore', keystore, '-storepass', KEYSTORE_PASSWORD]
  const certificate = ['-dname', 'CN=127.0.0.1', '-ext', 'san=ip:127.0.0.1', '-ext', 'bc=ca:true']
  await run('keytool', ['-genkeypair', ...store, '-storetype', 'PKCS12', '-keyalg', 'EC', ...certificate])
  await run('keytool', ['-exportcert', ...store, '-rfc', '-file', ca])

  const [username, password] = ['pando', 'a password of the user']
  const brokers = `127.0.0.1:${await freePort()}`
  const kafka = await startKafka({
    dataDir,
    also: {
      listener: `SASL_SSL://${brokers}`,
      settings: {
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL',
        'ssl.keystore.location': keystore,
        'ssl.keystore.password': KEYSTORE_PASSWORD,
        'ssl.keystore.type': 'PKCS12',
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
        'listener.name.sasl_ssl.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`,
        'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config':
          'org.apache.kafka.common.security.scram.ScramLoginModule required;',
        'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config':
          'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      },
    },
  })
  scope.after(() => kafka.kill())
  const jars = join(await kafkaJars({ log: createLog({ level: 'silent', name: 'kafka' }) }), '*')
  // The broker refuses to take both in one request.
  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    const added = `${mechanism}=[password=${password}]`
    const change = ['--alter', '--add-config', added, '--entity-type', 'users', '--entity-name', username]
    await run(javaProgram(), ['-cp', jars, 'kafka.admin.ConfigCommand', '--bootstrap-server', kafka.brokers, ...change])
  }
  return { brokers, ca, username, password }
}
