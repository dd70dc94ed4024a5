// An Apache Kafka for development: `npm run kafka [-- --port 9092] [--fresh]`. Its data is in DATA_DIR/kafka.
import { parseArgs } from 'node:util'
import { createLog, loadConfig, run, StartError } from '@pando/service'
import { startKafka } from './kafka/broker.ts'

await run('Kafka', async (signal) => {
  const { port, fresh } = readArguments()
  const { dataDir } = loadConfig({ DATA_DIR: process.env.DATA_DIR })
  const kafka = await startKafka({ dataDir, port, fresh, log: createLog({ level: 'info', name: 'kafka' }), signal })
  void kafka.ended.then((how) => {
    if (signal.aborted) return
    process.stderr.write(`Kafka ended (${how}): see ${dataDir}/kafka/broker.log.\n`)
    process.exit(1)
  })
  return { url: `${kafka.brokers} (KAFKA_BROKERS=${kafka.brokers})`, stop: kafka.stop }
})

function readArguments(): { port: number; fresh: boolean } {
  try {
    const { port, fresh } = parseArgs({
      options: { port: { type: 'string', default: '9092' }, fresh: { type: 'boolean', default: false } },
    }).values
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
      throw new Error(`--port ${port} is no number from 0 to 65535 (0 = a free port)`)
    return { port: Number(port), fresh }
  } catch (err) {
    throw new StartError(
      'PANDO_CONFIG',
      `${(err as Error).message}: say npm run kafka -- [--port <number>] [--fresh].`,
      { cause: err },
    )
  }
}
